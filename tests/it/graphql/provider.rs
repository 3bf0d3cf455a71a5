//! Tokens of an identity provider, and the users that they make.

use aws_lc_rs::signature::Ed25519KeyPair;
use entourage::graph::IdentityProvider;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};

use super::data;
use crate::support::{
    app::TestApp,
    database::{Database, Engine},
    graph::draw,
};

/// A provider with one key, and a server that trusts it.
struct Trusted {
    key: EncodingKey,
    app: TestApp,
}

impl Trusted {
    async fn on(engine: Engine) -> Self {
        let pair = Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1());
        let key = EncodingKey::from_ed_der(pair.expect("generates").as_ref());
        let public = Jwk::from_encoding_key(&key, Algorithm::EdDSA).expect("has a public half");
        let jwks = json!({ "keys": [public] }).to_string();
        let issuer = Some("https://id.example".to_owned());
        let provider = IdentityProvider::new(&jwks, issuer, Some("entourage".to_owned()));
        let database = Database::migrated(engine).await;
        let app = TestApp::trusting(database, provider.expect("a key set")).await;
        Self { key, app }
    }

    /// A token with these claims beside the right ones.
    fn token(&self, claims: &Value) -> String {
        let mut all = json!({ "iss": "https://id.example", "aud": "entourage",
            "exp": 4_000_000_000_i64 });
        let claims = claims.as_object().expect("claims");
        all.as_object_mut().expect("claims").extend(claims.clone());
        encode(&Header::new(Algorithm::EdDSA), &all, &self.key).expect("signs")
    }

    async fn viewer(&self, claims: &Value) -> Value {
        let query = "{ viewer { user { id username name avatarUrl } role { name } permissions } }";
        let response = self.app.graphql(query, json!({}), Some(&self.token(claims))).await;
        data(&response)["viewer"].clone()
    }
}

async fn a_subject_becomes_a_user_on_its_first_request(engine: Engine) {
    let trusted = Trusted::on(engine).await;
    let claims = json!({ "sub": "idp|1", "preferred_username": "Zoe.K", "name": "Zoe",
        "picture": "https://example.com/zoe.png" });

    let first = trusted.viewer(&claims).await;
    assert_eq!(first["user"]["username"], "Zoe_K");
    assert_eq!(first["user"]["name"], "Zoe");
    assert_eq!(first["user"]["avatarUrl"], "https://example.com/zoe.png");
    assert_eq!(
        (&first["role"]["name"], &first["permissions"]),
        (&"user".into(), &json!(["FOLLOW"]))
    );

    let again = trusted.viewer(&json!({ "sub": "idp|1", "preferred_username": "other" })).await;
    assert_eq!(again["user"]["id"], first["user"]["id"], "the subject is who it is");
    let narrowed = trusted.viewer(&json!({ "sub": "idp|1", "scope": "openid" })).await;
    assert_eq!(narrowed["permissions"], json!([]));
}

async fn a_username_that_is_taken_gets_a_number(engine: Engine) {
    let trusted = Trusted::on(engine).await;
    draw(&*trusted.app.store, "zoe").await;

    let viewer = trusted.viewer(&json!({ "sub": "idp|1", "preferred_username": "ZOE" })).await;
    let username = viewer["user"]["username"].as_str().expect("a name");
    assert!(username.starts_with("ZOE_") && username.len() > 4, "{username}");

    let odd = json!({ "sub": "idp|2", "preferred_username": "\u{e9}", "name": "a\0b",
        "picture": "javascript:alert(1)" });
    let viewer = trusted.viewer(&odd).await;
    assert_eq!(viewer["user"]["username"], "user");
    assert_eq!(viewer["user"]["name"], Value::Null, "what breaks our rules is left out");
}

async fn simultaneous_first_requests_make_one_user(engine: Engine) {
    let trusted = Trusted::on(engine).await;
    let claims = json!({ "sub": "idp|1", "preferred_username": "zoe" });

    let viewers = (0..8).map(|_| trusted.viewer(&claims));
    let viewers = futures_util::future::join_all(viewers).await;

    assert!(viewers.iter().all(|viewer| viewer["user"]["id"] == viewers[0]["user"]["id"]));
    let count = trusted.app.graphql("{ users { totalCount } }", json!({}), None).await;
    assert_eq!(data(&count)["users"]["totalCount"], 1);
}

async fn a_token_that_is_not_for_us_is_401(engine: Engine) {
    let trusted = Trusted::on(engine).await;
    for claims in [
        json!({ "sub": "a", "iss": "https://other.example" }),
        json!({ "sub": "a", "aud": "another" }),
        json!({ "sub": "a", "exp": 1 }),
        json!({ "sub": "" }),
    ] {
        let body = json!({ "query": "{ __typename }" }).to_string();
        let request = trusted.app.post(body).bearer_auth(trusted.token(&claims));
        assert_eq!(request.send().await.expect("answers").status(), 401, "{claims}");
    }
    let count = trusted.app.graphql("{ users { totalCount } }", json!({}), None).await;
    assert_eq!(data(&count)["users"]["totalCount"], 0);
}

macro_rules! on_both_engines {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $case() {
                super::$case(super::Engine::Sqlite).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $case() {
                super::$case(super::Engine::Postgres).await;
            })+
        }
    };
}

on_both_engines! {
    a_subject_becomes_a_user_on_its_first_request,
    a_username_that_is_taken_gets_a_number,
    simultaneous_first_requests_make_one_user,
    a_token_that_is_not_for_us_is_401,
}
