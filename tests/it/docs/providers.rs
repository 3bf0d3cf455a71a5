//! The recipes of `docs/authentication.md`: tokens of the shapes that each provider sends, on a
//! server with the settings of the page.

use std::{fs, iter};

use clap::Parser;
use entourage::{config::Provider, service::Trust};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::read;
use crate::support::{
    app::{TestApp, settings},
    database::{Database, Engine},
    process::run,
    provider::{Key, provider_of, trust},
};

/// The settings of a recipe, as flags.
#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    provider: Provider,
}

/// A server that trusts a provider, as the page says.
struct Recipe {
    key: Key,
    app: TestApp,
    issuer: String,
}

impl Recipe {
    async fn of(provider: &str) -> Self {
        let page = read("docs/authentication.md");
        let (_, section) = page.split_once(&format!("### {provider}\n")).expect("a recipe");
        let (_, settings_of_page) = section.split_once("```sh\n").expect("settings");
        let (settings_of_page, _) = settings_of_page.split_once("```").expect("they end");
        let flags = settings_of_page.lines().map(|line| {
            let (name, value) = line.split_once('=').expect("a setting");
            let name = name.strip_prefix("ENTOURAGE_").expect("a setting").replace('_', "-");
            format!("--{}={value}", name.to_lowercase())
        });
        let settings_of_page =
            Flags::parse_from(iter::once("recipe".to_owned()).chain(flags)).provider;
        let issuer = settings_of_page.jwt_issuer.clone().expect("an issuer");
        // All of them publish the keys below the issuer.
        assert!(settings_of_page.jwks.as_ref().expect("keys").starts_with(&issuer));
        let trusted = Trust {
            issuer: Some(issuer.clone()),
            audience: settings_of_page.jwt_audience.clone(),
            claims: settings_of_page.claims(),
            ..trust()
        };

        // They publish a certificate with each key, and Keycloak a key to encrypt with.
        let key = Key::new(Algorithm::RS256, "signing");
        let mut signing = key.public.clone();
        let certificate = json!({ "use": "sig", "x5c": ["MIIC"], "x5t": "a", "x5t#S256": "b" });
        let certificate = certificate.as_object().expect("an object").clone();
        signing.as_object_mut().expect("an object").extend(certificate);
        let mut encrypting = Key::new(Algorithm::RS256, "encrypting").public;
        encrypting["use"] = "enc".into();
        encrypting["alg"] = "RSA-OAEP".into();
        let keys = json!({ "keys": [encrypting, signing] });

        let provider = provider_of(keys.to_string(), trusted).await;
        let database = Database::migrated(Engine::Sqlite).await;
        Self { key, app: TestApp::trusting(database, settings(), provider).await, issuer }
    }

    /// What a token with these claims is: the viewer's name and permissions, or a refusal.
    async fn viewer(&self, claims: Value, without: &[&str]) -> Value {
        let mut all = json!({ "iss": self.issuer, "iat": 1_700_000_000, "jti": "7f1c" });
        all.as_object_mut().expect("an object").extend(claims.as_object().expect("claims").clone());
        for name in without {
            all.as_object_mut().expect("an object").remove(*name);
        }
        let query = "{ viewer { user { username name } permissions } }";
        let body = json!({ "query": query }).to_string();
        let request = self.app.post(body).bearer_auth(self.key.token(&all));
        let answer = request.send().await.expect("it answers").text().await.expect("text");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let viewer = &answer["data"]["viewer"];
        if viewer.is_null() {
            return answer["errors"][0]["extensions"]["code"].clone();
        }
        json!([viewer["user"]["username"], viewer["user"]["name"], viewer["permissions"]])
    }
}

#[tokio::test]
async fn a_token_of_keycloak_follows_after_the_recipe() {
    let recipe = Recipe::of("Keycloak").await;
    let claims = json!({
        "sub": "5e0a1c9e-2d7f-4f0e-9b0f-6a3c0d1e2f30", "typ": "Bearer", "azp": "web", "acr": "1",
        "aud": ["entourage", "account"], "scope": "openid profile email",
        "sid": "f81d4fae", "allowed-origins": ["https://app.example.com"],
        "realm_access": { "roles": ["offline_access", "default-roles-example"] },
        "resource_access": { "account": { "roles": ["manage-account"] } },
        "email_verified": true, "email": "zoe@example.com", "name": "Zoe Kay",
        "given_name": "Zoe", "family_name": "Kay", "preferred_username": "zoe"
    });
    assert_eq!(recipe.viewer(claims.clone(), &[]).await, json!(["zoe", "Zoe Kay", ["FOLLOW"]]));

    let mut promoted = claims.clone();
    promoted["realm_access"]["roles"] = json!(["offline_access", "moderator"]);
    let permissions = json!(["FOLLOW", "MODERATE"]);
    assert_eq!(recipe.viewer(promoted, &[]).await, json!(["zoe", "Zoe Kay", permissions]));

    // Before the recipe, the audience is another.
    let mut before = claims;
    before["aud"] = "account".into();
    assert_eq!(recipe.viewer(before, &[]).await, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_token_of_auth0_follows_after_the_recipe() {
    let recipe = Recipe::of("Auth0").await;
    let claims = json!({
        "sub": "auth0|65a1b2c3d4e5f60718293a4b", "azp": "mWJ3wqRkLs5X",
        "aud": ["https://follow.example.com", "https://example.eu.auth0.com/userinfo"],
        "scope": "openid profile follow", "preferred_username": "zoe", "name": "Zoe Kay",
        "picture": "https://s.gravatar.com/avatar/0"
    });
    assert_eq!(recipe.viewer(claims.clone(), &[]).await, json!(["zoe", "Zoe Kay", ["FOLLOW"]]));

    // Without the Action, a new user has no name. The ID token is for the application.
    let mut other = claims.clone();
    other["sub"] = "google-oauth2|112233".into();
    let names = ["preferred_username", "name", "picture"];
    assert_eq!(recipe.viewer(other, &names).await, json!(["user", null, ["FOLLOW"]]));
    let mut id_token = claims;
    id_token["aud"] = "mWJ3wqRkLs5X".into();
    assert_eq!(recipe.viewer(id_token, &[]).await, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_token_of_clerk_follows_after_the_recipe() {
    let recipe = Recipe::of("Clerk").await;
    let claims = json!({
        "sub": "user_29w83sxmDNGwOuEthce5gg56FcC", "azp": "https://app.example.com",
        "nbf": 1_699_999_990, "aud": "entourage", "preferred_username": "zoe",
        "name": "Zoe Kay", "picture": "https://img.clerk.com/0"
    });
    assert_eq!(recipe.viewer(claims.clone(), &[]).await, json!(["zoe", "Zoe Kay", ["FOLLOW"]]));

    // Usernames are optional at Clerk. A session token has no audience.
    let mut unnamed = claims.clone();
    unnamed["sub"] = "user_2a".into();
    unnamed["preferred_username"] = Value::Null;
    assert_eq!(recipe.viewer(unnamed, &[]).await, json!(["user", "Zoe Kay", ["FOLLOW"]]));
    let mut session = claims;
    session["aud"] = Value::Null;
    assert_eq!(recipe.viewer(session, &[]).await, "UNAUTHENTICATED");
}

#[test]
fn the_template_of_clerk_has_the_claims_of_the_test() {
    let page = read("docs/authentication.md");
    let (_, recipe) = page.split_once("### Clerk\n").expect("a recipe");
    let (_, template) = recipe.split_once("```json\n").expect("a template");
    let (template, _) = template.split_once("```").expect("it ends");
    let template: Value = serde_json::from_str(template).expect("JSON");
    let names: Vec<_> = template.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["aud", "preferred_username", "name", "picture"]);
}

#[test]
fn the_file_of_providers_on_the_page_is_read() {
    let page = read("docs/authentication.md");
    let (_, section) = page.split_once("### Several providers\n").expect("a section");
    let (_, file) = section.split_once("```json\n").expect("a file");
    let (file, _) = file.split_once("```").expect("it ends");
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("providers.json"), file).expect("writes");

    // It goes as far as asking for the keys, which no server of this name has.
    let serve = ["serve", "--listen", "127.0.0.1:0", "--wait", "off"];
    let run = run(folder.path(), serve, &[("ENTOURAGE_PROVIDERS_FILE", "providers.json")]);
    let output = run.failure().get_output().clone();
    let log = String::from_utf8(output.stderr).expect("text");
    let origin = "providers.json: partner: https://id.partner.example/jwks.json: error sending";
    assert!(log.contains(origin), "{log}");
}
