//! Several identity providers side by side.

use entourage::service::{IdentityProvider, Providers, ProvidersError, Trust};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::{data, provider::on_each_engine};
use crate::support::{
    app::{TestApp, settings},
    database::{Database, Engine},
    provider::{ISSUER, Key, key_set, provider_of, trust},
};

on_each_engine! {
    the_same_subject_of_two_providers_is_two_users,
    keys_of_one_provider_verify_no_token_of_another,
    a_subject_that_looks_like_one_of_another_is_refused,
}

const PARTNER: &str = "https://partner.example";

fn partner() -> Trust {
    let name = "partner".to_owned().try_into().expect("a name");
    Trust { name: Some(name), issuer: Some(PARTNER.to_owned()), ..trust() }
}

/// A server that trusts a first provider and a partner.
struct Two {
    first: Key,
    partner: Key,
    app: TestApp,
}

impl Two {
    async fn on(engine: Engine) -> Self {
        // Both call their key the same.
        let (first, other) = (Key::new(Algorithm::EdDSA, "key"), Key::new(Algorithm::EdDSA, "key"));
        let providers = Providers::new(vec![
            provider_of(key_set(&[&first]), trust()).await,
            provider_of(key_set(&[&other]), partner()).await,
        ]);
        let database = Database::migrated(engine).await;
        let app = TestApp::trusting(database, settings(), providers.expect("two")).await;
        Self { first, partner: other, app }
    }

    async fn status(&self, token: &str) -> u16 {
        let request = self.app.post(r#"{"query":"{ __typename }"}"#).bearer_auth(token);
        request.send().await.expect("it answers").status().as_u16()
    }
}

async fn the_same_subject_of_two_providers_is_two_users(engine: Engine) {
    let two = Two::on(engine).await;
    let claims = json!({ "sub": "7", "preferred_username": "zoe" });
    let mut of_partner = claims.clone();
    of_partner["iss"] = PARTNER.into();

    let mut ids = Vec::new();
    for (token, id) in [
        (two.first.token(&claims), "7"),
        (two.partner.token(&of_partner), "partner:7"),
        (two.first.token(&claims), "7"),
        (two.partner.token(&of_partner), "partner:7"),
    ] {
        let query = "{ viewer { user { id externalId } } }";
        let response = two.app.graphql(query, json!({}), Some(&token)).await;
        let user = data(&response)["viewer"]["user"].clone();
        assert_eq!(user["externalId"], id);
        ids.push(user["id"].clone());
    }
    assert_eq!(ids[..2], ids[2..]);
    assert_ne!(ids[0], ids[1]);
}

async fn keys_of_one_provider_verify_no_token_of_another(engine: Engine) {
    let two = Two::on(engine).await;
    let from = |issuer: Value| json!({ "sub": "7", "iss": issuer });
    assert_eq!(two.status(&two.first.token(&from(json!(ISSUER)))).await, 200);
    assert_eq!(two.status(&two.partner.token(&from(json!(PARTNER)))).await, 200);
    for (key, issuer) in [
        (&two.first, json!(PARTNER)),
        (&two.partner, json!(ISSUER)),
        (&two.first, json!("https://other.example")),
        (&two.first, json!([ISSUER, PARTNER])),
        (&two.first, Value::Null),
        (&two.partner, json!([PARTNER])),
    ] {
        assert_eq!(two.status(&key.token(&from(issuer.clone()))).await, 401, "{issuer}");
    }
    assert_eq!(two.status("a.b.c").await, 401);
}

async fn a_subject_that_looks_like_one_of_another_is_refused(engine: Engine) {
    let two = Two::on(engine).await;
    for (subject, status) in
        [("partner:7", 401), ("partner:", 401), ("partner", 200), ("other:7", 200)]
    {
        let token = two.first.token(&json!({ "sub": subject }));
        assert_eq!(two.status(&token).await, status, "{subject}");
    }
    let token = two.partner.token(&json!({ "sub": "partner:7", "iss": PARTNER }));
    assert_eq!(two.status(&token).await, 200, "it is partner:partner:7");
    for subject in [String::new(), "x".repeat(248)] {
        let token = two.partner.token(&json!({ "sub": subject, "iss": PARTNER }));
        assert_eq!(two.status(&token).await, 401, "{subject}");
    }
}

#[tokio::test]
async fn an_issuer_chooses_one_provider() {
    let of = async |trust: Trust| -> IdentityProvider {
        provider_of(key_set(&[&Key::new(Algorithm::EdDSA, "key")]), trust).await
    };
    let named = |name: &str| Some(name.to_owned().try_into().expect("a name"));
    for (other, error) in [
        (trust(), ProvidersError::SameName("provider".to_owned())),
        (
            Trust { name: named("partner"), ..trust() },
            ProvidersError::SameIssuer(ISSUER.to_owned()),
        ),
        (
            Trust { issuer: None, ..partner() },
            ProvidersError::NoIssuer("provider partner".to_owned()),
        ),
    ] {
        let refused = Providers::new(vec![of(trust()).await, of(other).await]);
        assert_eq!(refused.expect_err("they cannot be told apart"), error);
    }
    let anyone = Trust { issuer: None, ..trust() };
    assert!(Providers::new(vec![of(anyone).await]).is_ok(), "one needs none");
}
