//! Tokens of an identity provider, and the users that they make.

use std::sync::Arc;

use chrono::TimeDelta;
use entourage::{
    app::Settings,
    domain::{Clock, DisplayName},
    service::{Subject, Trust},
};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::data;
use crate::support::{
    app::{TestApp, settings, tokens},
    clock::ByHand,
    database::{Database, Engine},
    graph::{beginning, draw},
    provider::{Key, key_set, provider_of, provider_with, trust},
};

/// A provider with one key, and a server that trusts it.
pub(super) struct Trusted {
    pub(super) key: Key,
    pub(super) clock: ByHand,
    pub(super) app: TestApp,
}

impl Trusted {
    async fn on(engine: Engine) -> Self {
        Self::with(engine, trust()).await
    }

    pub(super) async fn with(engine: Engine, trust: Trust) -> Self {
        let key = Key::new(Algorithm::EdDSA, "key");
        let clock = ByHand::new(beginning());
        let settings = Settings { clock: Arc::new(clock.clone()), ..settings() };
        let provider = provider_of(key_set(&[&key]), trust).await;
        let app = TestApp::trusting(Database::migrated(engine).await, settings, provider).await;
        Self { key, clock, app }
    }

    /// The status of an answer to a token with these claims beside the right ones.
    pub(super) async fn status(&self, claims: &Value) -> u16 {
        let body = json!({ "query": "{ __typename }" }).to_string();
        let request = self.app.post(body).bearer_auth(self.key.token(claims));
        request.send().await.expect("answers").status().as_u16()
    }

    pub(super) async fn viewer(&self, claims: &Value) -> Value {
        let query = "{ viewer { user { id username name avatarUrl } role { name } permissions } }";
        let response = self.app.graphql(query, json!({}), Some(&self.key.token(claims))).await;
        data(&response)["viewer"].clone()
    }
}

#[tokio::test]
async fn a_token_is_read_with_a_key_of_its_own_algorithm_only() {
    let keys = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA].map(|a| Key::new(a, "key"));
    let trusting = async |published: &[&Key]| tokens().trusting(provider_with(published).await);
    let now = beginning();
    for (signer, key) in keys.iter().enumerate() {
        let token = key.token(&json!({ "sub": "idp|1", "name": "Alice" }));
        for (published, other) in keys.iter().enumerate() {
            let read = trusting(&[other]).await.read(&token, now).await;
            assert_eq!(read.is_ok(), signer == published, "{:?}", key.header().alg);
        }
        let stranger = Key::new(key.header().alg, "key");
        assert!(trusting(&[&stranger]).await.read(&token, now).await.is_err());

        let all = trusting(&[&stranger, &keys[0], &keys[1], &keys[2]]).await;
        let read = all.read(&token, now).await;
        let Subject::Foreign(account) = read.expect("reads").subject else {
            panic!("a provider's token never names a user by our id");
        };
        let name = account.name.as_ref().map(DisplayName::as_str);
        assert_eq!((account.subject.as_str(), name), ("idp|1", Some("Alice")));
    }
}

async fn a_subject_becomes_a_user_on_its_first_request(engine: Engine) {
    let trusted = Trusted::on(engine).await;
    let claims = json!({ "sub": "idp|1", "preferred_username": "Zoe.K", "name": "Zoe",
        "picture": "https://example.com/zoe.png" });

    let first = trusted.viewer(&claims).await;
    assert_eq!(first["user"]["username"], "Zoe.K");
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

    let odd = json!({ "sub": "idp|2", "preferred_username": "\u{65e5}", "name": "a\0b",
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
        assert_eq!(trusted.status(&claims).await, 401, "{claims}");
    }
    let count = trusted.app.graphql("{ users { totalCount } }", json!({}), None).await;
    assert_eq!(data(&count)["users"]["totalCount"], 0);
}

async fn signing_out_everywhere_ends_tokens_that_are_not_newer(engine: Engine) {
    let trusted = Trusted::on(engine).await;
    let now = trusted.clock.now().timestamp();
    let with = |iat: Value| json!({ "sub": "idp|1", "iat": iat });
    let without = json!({ "sub": "idp|1" });
    for claims in [with(json!(now - 60)), with(json!(now)), without.clone()] {
        assert_eq!(trusted.status(&claims).await, 200, "{claims}");
    }

    let sign_out = "mutation { signOutEverywhere { userErrors { code } } }";
    let token = trusted.key.token(&with(json!(now)));
    let response = trusted.app.graphql(sign_out, json!({}), Some(&token)).await;
    assert_eq!(data(&response)["signOutEverywhere"], json!({ "userErrors": [] }));

    trusted.clock.advance(TimeDelta::seconds(30));
    for claims in [with(json!(now - 60)), with(json!(now)), without, with(Value::Null)] {
        assert_eq!(trusted.status(&claims).await, 401, "{claims}");
    }
    assert_eq!(trusted.status(&with(json!(now + 1))).await, 200);
    assert_eq!(trusted.status(&json!({ "sub": "idp|2", "iat": now - 60 })).await, 200);
}

async fn a_token_of_the_future_outlives_no_sign_out(engine: Engine) {
    let trusted = Trusted::on(engine).await;
    let now = trusted.clock.now().timestamp();
    let with = |iat: Value| json!({ "sub": "idp|1", "iat": iat });
    for iat in [json!(now + 6), json!(now + 3_600), json!(1e300)] {
        assert_eq!(trusted.status(&with(iat.clone())).await, 401, "{iat}");
    }
    let count = trusted.app.graphql("{ users { totalCount } }", json!({}), None).await;
    assert_eq!(data(&count)["users"]["totalCount"], 0);
    assert_eq!(trusted.status(&with(json!(now + 5))).await, 200, "clocks differ by a little");
}

/// Makes a test of each case on each engine. A case is `async fn case(engine: Engine)`.
macro_rules! on_each_engine {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $case() {
                super::$case(crate::support::database::Engine::Sqlite).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $case() {
                super::$case(crate::support::database::Engine::Postgres).await;
            })+
        }
    };
}
pub(super) use on_each_engine;

on_each_engine! {
    a_subject_becomes_a_user_on_its_first_request,
    a_username_that_is_taken_gets_a_number,
    simultaneous_first_requests_make_one_user,
    a_token_that_is_not_for_us_is_401,
    signing_out_everywhere_ends_tokens_that_are_not_newer,
    a_token_of_the_future_outlives_no_sign_out,
}
