//! Authentication of a request: good, forged and revoked tokens.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use entourage::{app::Settings, domain::UserId, http::Playground};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use reqwest::{
    Method,
    header::{ACCEPT, AUTHORIZATION},
};
use serde_json::{Value, json};

use super::send;
use crate::support::{
    app::{SECRET, TestApp, settings},
    clock::Stopped,
    database::{Database, Engine},
    graph::{beginning, draw},
    provider::{AUDIENCE, ISSUER, Key, provider_with},
};

const WHO: &str = r#"{"query":"{ viewer { user { username } } }"}"#;

#[tokio::test]
async fn the_bearer_scheme_is_case_insensitive() {
    let app = TestApp::start().await;
    let token = app.sign_up("alice").await;

    for scheme in ["Bearer", "bearer", "BEARER"] {
        let reply = send(app.post(WHO).header(AUTHORIZATION, format!("{scheme} {token}"))).await;
        assert_eq!(reply.json()["data"]["viewer"]["user"]["username"], "alice", "{scheme}");
    }
    let reply = send(app.post(WHO)).await;
    assert_eq!(reply.json(), json!({ "data": { "viewer": null } }));
}

#[tokio::test]
async fn a_bad_token_is_never_anonymous() {
    let app = TestApp::start().await;
    let good = app.sign_up("alice").await;
    let bad = [
        "Bearer x".to_owned(),
        "Bearer Null".to_owned(),
        "bearer null undefined".to_owned(),
        format!("Bearer {good}x"),
        format!("Bearer {good} {good}"),
        format!("Bearer Bearer {good}"),
        good,
    ];
    for value in bad {
        for accept in ["application/json", "application/graphql-response+json"] {
            let request = app.post(WHO).header(ACCEPT, accept).header(AUTHORIZATION, &value);
            let reply = send(request).await;
            assert_eq!((reply.status, reply.code().as_str()), (401, "UNAUTHENTICATED"), "{value}");
            let challenge = reply.header("www-authenticate");
            let begin = "Bearer error=\"invalid_token\", error_description=\"";
            assert!(challenge.starts_with(begin), "{value}: {challenge}");
        }
    }
}

#[tokio::test]
async fn what_carries_no_bearer_token_is_signed_out() {
    let app = TestApp::start().await;
    let follow = r#"{"query":"mutation { follow(input: {user: {username: \"x\"}}) { outcome } }"}"#;
    for value in [
        "",
        " ",
        "Bearer",
        "bearer ",
        "Bearer null",
        "Bearer undefined",
        "null",
        "undefined",
        "Basic c3RhZ2luZzpzZWNyZXQ=",
        "Token x",
    ] {
        let reply = send(app.post(WHO).header(AUTHORIZATION, value)).await;
        assert_eq!(reply.json(), json!({ "data": { "viewer": null } }), "{value:?}");

        let request = app.post(follow).header(AUTHORIZATION, value);
        let reply = send(request.header(ACCEPT, "application/graphql-response+json")).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "UNAUTHENTICATED"), "{value:?}");
        assert_eq!(reply.header("www-authenticate"), "Bearer", "{value:?}");
    }
}

#[tokio::test]
async fn signing_in_and_up_ignores_a_bad_token() {
    let app = TestApp::start().await;
    let payload = "{ token userErrors { message } query { viewer { id } } }";
    let sign = |field: &str| {
        let input = "{username: \"alice\", password: \"correct horse battery\"}";
        format!("{field}(input: {input}) {payload}")
    };
    let post = async |query: String, token: &str| {
        send(app.post(json!({ "query": query }).to_string()).bearer_auth(token)).await
    };

    for query in [
        format!("mutation {{ {} }}", sign("signUp")),
        format!("mutation {{ __typename entry: {} }}", sign("signIn")),
        format!("mutation {{ ...Entry }} fragment Entry on Mutation {{ {} }}", sign("signIn")),
    ] {
        let reply = post(query.clone(), "expired").await;
        assert_eq!(reply.status, 200, "{query}: {}", reply.body);
        assert!(reply.body.contains(r#""userErrors":[]"#), "{query}: {}", reply.body);
        assert!(reply.body.contains(r#""viewer":null"#), "signed out: {}", reply.body);
    }

    let follow = "follow(input: {user: {username: \"alice\"}}) { outcome }";
    for query in [
        format!("mutation {{ {} {follow} }}", sign("signIn")),
        format!("mutation {{ ...Entry }} fragment Entry on Mutation {{ {follow} }}"),
        "{ __typename }".to_owned(),
    ] {
        assert_eq!(post(query.clone(), "expired").await.status, 401, "{query}");
    }
}

#[tokio::test]
async fn a_bad_token_hides_no_page_and_no_probe() {
    let playground = Some(Playground::new([]));
    let app = TestApp::with(Settings { playground, ..settings() }).await;
    let paths =
        ["/", "/graphiql", "/avatars/VXNlcjox.svg", "/schema.graphql", "/healthz", "/readyz"];
    for path in paths {
        let reply = send(app.request(Method::GET, path).bearer_auth("expired")).await;
        assert_eq!(reply.status, 200, "{path}");
    }
}

/// A server with a stopped clock that trusts an identity provider with an RSA and an EC key. Its
/// users are alice, and bob, carol and dave, whose tokens have been revoked.
struct Attacked {
    rsa: Key,
    ec: Key,
    app: TestApp,
    /// Revoked tokens of bob, carol and dave.
    ended: Vec<(&'static str, String)>,
}

impl Attacked {
    async fn start() -> Self {
        let (rsa, ec) = (Key::new(Algorithm::RS256, "rsa"), Key::new(Algorithm::ES256, "ec"));
        let provider = provider_with(&[&rsa, &ec]).await;
        let settings = Settings { clock: Arc::new(Stopped(beginning())), ..settings() };
        let database = Database::migrated(Engine::Sqlite).await;
        let app = TestApp::trusting(database, settings, provider).await;
        let users = draw(&*app.store, "alice\nbob\ncarol\ndave").await;
        assert_eq!(users["alice"], UserId(1));

        let mut ended = Vec::new();
        for (what, name) in [
            ("of a deleted user", "bob"),
            ("signed out", "carol"),
            ("of an older password", "dave"),
        ] {
            let token = app.token(name, None).await;
            assert_eq!(status(&app, &token).await, 200, "{what}");
            ended.push((what, token));
        }
        let (now, hash) = (beginning(), "$argon2id$x");
        assert!(
            app.store
                .delete_user(users["bob"], chrono::DateTime::UNIX_EPOCH)
                .await
                .expect("it works")
        );
        assert!(app.store.end_tokens(users["carol"], now).await.expect("it works"));
        let changed = app.store.change_password(users["dave"], None, hash, now).await;
        assert!(changed.expect("it works"));
        Self { rsa, ec, app, ended }
    }
}

async fn status(app: &TestApp, token: &str) -> u16 {
    send(app.post(WHO).bearer_auth(token)).await.status
}

/// A token of alice with these claims added or replaced, signed with `secret`.
fn own(header: &Header, claims: &Value, secret: &[u8]) -> String {
    let mut all = json!({ "iss": "entourage", "aud": "entourage", "sub": "1", "epoch": 0,
        "iat": beginning().timestamp(), "exp": beginning().timestamp() + 60 });
    let claims = claims.as_object().expect("claims are an object");
    all.as_object_mut().expect("an object").extend(claims.clone());
    encode(header, &all, &EncodingKey::from_secret(secret)).expect("signs")
}

/// Encodes one part of a token.
fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Forged tokens of our own, each with its fault.
fn own_forgeries(rsa: &Key) -> Vec<(String, String)> {
    let ours = Header::new(Algorithm::HS256);
    let now = beginning().timestamp();
    let good = own(&ours, &json!({}), SECRET);
    let parts: Vec<_> = good.split('.').collect();
    let (head, body, signature) = (parts[0], parts[1], parts[2]);
    let admin = part(&json!({ "iss": "entourage", "aud": "entourage", "sub": "2",
        "exp": now + 60 }));

    let mut forged: Vec<(String, String)> = [
        ("claims of another token", format!("{head}.{admin}.{signature}")),
        ("no signature", format!("{head}.{body}.")),
        ("two parts", format!("{head}.{body}")),
        ("four parts", format!("{good}.{signature}")),
        ("a longer signature", format!("{good}AA")),
        ("another secret", own(&ours, &json!({}), b"the secret of somebody, 32 bytes!")),
        ("no secret", own(&ours, &json!({}), b"")),
        ("HS384", own(&Header::new(Algorithm::HS384), &json!({}), SECRET)),
        ("HS512", own(&Header::new(Algorithm::HS512), &json!({}), SECRET)),
        ("five seconds too old", own(&ours, &json!({ "exp": now - 5 }), SECRET)),
        ("six seconds too early", own(&ours, &json!({ "nbf": now + 6 }), SECRET)),
        ("a hand-made one of the future", {
            own(&ours, &json!({ "epoch": Value::Null, "iat": now + 6 }), SECRET)
        }),
        ("a later epoch", own(&ours, &json!({ "epoch": 1 }), SECRET)),
        ("an epoch before the first", own(&ours, &json!({ "epoch": -1 }), SECRET)),
    ]
    .map(|(what, token)| (what.to_owned(), token))
    .into();

    let wrong = [
        ("exp", vec![Value::Null, json!("4000000000"), json!(-1), json!([])]),
        ("nbf", vec![json!("0"), json!(1e300)]),
        ("iss", vec![Value::Null, json!(ISSUER), json!("Entourage"), json!([])]),
        ("aud", vec![Value::Null, json!("another"), json!([]), json!({})]),
        ("sub", vec![Value::Null, json!(1), json!(""), json!("alice"), json!("999")]),
        ("epoch", vec![json!("0"), json!(0.5), json!(true)]),
    ];
    for (claim, values) in wrong {
        for value in values {
            let token = own(&ours, &json!({ claim: value }), SECRET);
            forged.push((format!("{claim} {value}"), token));
        }
    }
    for claim in ["iss", "aud", "sub", "exp"] {
        let claims = URL_SAFE_NO_PAD.decode(body).expect("base64");
        let mut claims: Value = serde_json::from_slice(&claims).expect("JSON");
        claims.as_object_mut().expect("an object").remove(claim);
        let token = encode(&ours, &claims, &EncodingKey::from_secret(SECRET)).expect("signs");
        forged.push((format!("no {claim}"), token));
    }
    for algorithm in ["none", "None", "NONE", "", "hs256"] {
        let head = part(&json!({ "typ": "JWT", "alg": algorithm }));
        for signature in ["", signature] {
            let token = format!("{head}.{body}.{signature}");
            forged.push((format!("alg {algorithm:?}"), token));
        }
    }
    for length in [1, head.len(), head.len() + 1, good.len() - signature.len(), good.len() - 1] {
        forged.push((format!("cut to {length} bytes"), good[..length].to_owned()));
    }
    let modulus = rsa.public["n"].as_str().expect("a modulus");
    let modulus_bytes = URL_SAFE_NO_PAD.decode(modulus).expect("base64");
    let whole = rsa.public.to_string();
    for secret in [modulus.as_bytes(), &modulus_bytes, whole.as_bytes()] {
        let named = Header { kid: Some("rsa".to_owned()), ..ours.clone() };
        forged.push(("a public key as the secret".to_owned(), own(&named, &json!({}), secret)));
    }
    forged
}

/// Forged tokens of the provider, each with its fault.
fn foreign_forgeries(rsa: &Key, ec: &Key) -> Vec<(String, String)> {
    let now = beginning().timestamp();
    let subject = json!({ "sub": "idp|1" });
    let stranger = Key::new(Algorithm::RS256, "rsa");
    let own_key: Jwk = serde_json::from_value(stranger.public.clone()).expect("a key");
    let named = |header: Header, id: &str| Header { kid: Some(id.to_owned()), ..header };
    let brought = Header { jwk: Some(own_key), ..stranger.header() };
    let linked = Header { jku: Some("https://evil.example/keys".to_owned()), ..stranger.header() };

    let mut forged: Vec<(String, String)> = [
        (
            "RS256 with the id of a key for ES256",
            rsa.token_with(&named(rsa.header(), "ec"), &subject),
        ),
        (
            "ES256 with the id of a key for RS256",
            ec.token_with(&named(ec.header(), "rsa"), &subject),
        ),
        ("an unknown key id", rsa.token_with(&named(rsa.header(), "other"), &subject)),
        ("a stranger's key under a known id", stranger.token(&subject)),
        ("a stranger's key without an id", {
            stranger.token_with(&Header::new(Algorithm::RS256), &subject)
        }),
        ("a key that it brings along", stranger.token_with(&brought, &subject)),
        ("a key that it links to", stranger.token_with(&linked, &subject)),
        ("RS384", rsa.token_with(&named(Header::new(Algorithm::RS384), "rsa"), &subject)),
        ("PS256", rsa.token_with(&named(Header::new(Algorithm::PS256), "rsa"), &subject)),
        ("our claims", rsa.token(&json!({ "iss": "entourage", "aud": "entourage", "sub": "1" }))),
        ("five seconds too old", rsa.token(&json!({ "sub": "idp|1", "exp": now - 5 }))),
        ("six seconds too early", ec.token(&json!({ "sub": "idp|1", "nbf": now + 6 }))),
        ("made in six seconds", ec.token(&json!({ "sub": "idp|1", "iat": now + 6 }))),
    ]
    .map(|(what, token)| (what.to_owned(), token))
    .into();
    let wrong = [
        ("iss", vec![Value::Null, json!("https://other.example"), json!([])]),
        ("aud", vec![Value::Null, json!("other"), json!([]), json!(["other"])]),
        ("exp", vec![Value::Null, json!("4000000000"), json!(-1)]),
        ("sub", vec![Value::Null, json!(""), json!(1), json!("a\0"), json!("x".repeat(256))]),
        ("iat", vec![json!("0"), json!({})]),
    ];
    for (claim, values) in wrong {
        for value in values {
            let mut claims = subject.clone();
            claims[claim] = value.clone();
            forged.push((format!("foreign {claim} {value}"), ec.token(&claims)));
        }
    }
    let secret = own(
        &named(Header::new(Algorithm::HS256), "rsa"),
        &json!({ "iss": ISSUER,
        "aud": AUDIENCE, "sub": "idp|1" }),
        SECRET,
    );
    forged.push(("our secret for a foreign token".to_owned(), secret));
    forged
}

#[tokio::test]
async fn forged_and_revoked_tokens_are_refused() {
    let Attacked { rsa, ec, app, ended } = Attacked::start().await;
    let now = beginning().timestamp();
    let ours = Header::new(Algorithm::HS256);
    for good in [
        own(&ours, &json!({}), SECRET),
        own(&ours, &json!({ "exp": now - 4, "nbf": now + 5 }), SECRET),
        // Only the epoch revokes it, not its age: setting the clock back signs nobody out.
        own(&ours, &json!({ "iat": now + 3_600 }), SECRET),
        own(&ours, &json!({ "epoch": Value::Null, "iat": now + 5 }), SECRET),
        rsa.token(&json!({ "sub": "idp|1", "aud": ["other", AUDIENCE], "epoch": "x" })),
        ec.token(&json!({ "sub": "idp|1", "exp": now - 4, "nbf": now + 5 })),
        rsa.token_with(&Header::new(Algorithm::RS256), &json!({ "sub": "idp|1" })),
    ] {
        assert_eq!(status(&app, &good).await, 200, "{good}");
    }

    let ended = ended.into_iter().map(|(what, token)| (what.to_owned(), token));
    let bad = ended.chain(own_forgeries(&rsa)).chain(foreign_forgeries(&rsa, &ec));
    let mut count = 0;
    for (what, token) in bad {
        let reply = send(app.post(WHO).header(AUTHORIZATION, format!("Bearer {token}"))).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "UNAUTHENTICATED"), "{what}");
        assert!(!reply.body.contains("alice"), "{what}: {}", reply.body);
        count += 1;
    }
    assert!(count >= 80, "{count}");
}

#[tokio::test]
async fn two_authorization_headers_are_refused() {
    let app = TestApp::start().await;
    let token = format!("Bearer {}", app.sign_up("alice").await);
    let request = app.post(WHO).header(AUTHORIZATION, &token).header(AUTHORIZATION, &token);
    let reply = send(request).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "BAD_USER_INPUT"));
}

#[tokio::test]
async fn missing_and_narrow_tokens_are_401_and_403() {
    let app = TestApp::start().await;
    app.sign_up("alice").await;
    let narrowed = app.token("alice", Some("nothing")).await;
    let follow = r#"{"query":"mutation { follow(input: {user: {username: \"x\"}}) { outcome } }"}"#;
    let graphql = "application/graphql-response+json";

    let reply = send(app.post(follow).header(ACCEPT, graphql)).await;
    assert_eq!((reply.status, reply.code().as_str()), (401, "UNAUTHENTICATED"));
    assert_eq!(reply.header("www-authenticate"), "Bearer");
    let reply = send(app.post(follow).header(ACCEPT, graphql).bearer_auth(&narrowed)).await;
    assert_eq!((reply.status, reply.code().as_str()), (403, "FORBIDDEN"));
    let reply = send(app.post(follow).bearer_auth(&narrowed)).await;
    assert_eq!((reply.status, reply.code().as_str()), (200, "FORBIDDEN"));
}

#[tokio::test]
async fn a_token_without_a_database_is_503() {
    let app = TestApp::start().await;
    let token = app.sign_up("alice").await;
    app.store.close().await;

    let reply = send(app.post(WHO).bearer_auth(token)).await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "UNAVAILABLE"));
    assert!(reply.body.contains(reply.header("x-request-id")), "{}", reply.body);
    assert!(!reply.body.to_lowercase().contains("pool"), "{}", reply.body);
}
