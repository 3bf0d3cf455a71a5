//! What the claims of a provider's tokens mean, by its settings.

use chrono::TimeDelta;
use entourage::{
    domain::{AdminChange, Clock, Permission, Permissions, Role},
    service::{ClaimPath, ClaimRules, ScopePolicy, Trust},
};
use serde_json::{Value, json};

use super::{
    data,
    provider::{Trusted, on_each_engine},
};
use crate::support::{
    admin::{administer, give_role},
    database::Engine,
    figures::until,
    graph::draw,
    provider::trust,
};

on_each_engine! {
    a_scope_that_is_ignored_narrows_nothing,
    a_required_scope_that_is_missing_reads_only,
    a_user_is_named_by_the_first_claim_that_fits,
    a_role_of_the_token_becomes_that_of_the_user,
    a_token_without_a_role_that_exists_changes_none,
    a_token_that_is_refused_changes_no_role,
    a_later_token_changes_name_and_picture,
    a_profile_stays_if_tokens_do_not_change_it,
}

fn path(text: &str) -> ClaimPath {
    text.parse().expect("a path")
}

fn trusting(claims: ClaimRules) -> Trust {
    Trust { claims, ..trust() }
}

fn with_roles() -> Trust {
    trusting(ClaimRules { role: Some(path("realm_access.roles")), ..ClaimRules::default() })
}

fn roles(words: &[&str]) -> Value {
    json!({ "sub": "idp|1", "preferred_username": "zoe", "realm_access": { "roles": words } })
}

async fn role(trusted: &Trusted, claims: &Value) -> String {
    let viewer = trusted.viewer(claims).await;
    viewer["role"]["name"].as_str().expect("a role").to_owned()
}

async fn a_scope_that_is_ignored_narrows_nothing(engine: Engine) {
    let claims = ClaimRules { scope_policy: ScopePolicy::Ignore, ..ClaimRules::default() };
    let trusted = Trusted::with(engine, trusting(claims)).await;
    for scope in [json!("openid profile email"), json!(""), Value::Null] {
        let viewer = trusted.viewer(&json!({ "sub": "a", "scope": scope })).await;
        assert_eq!(viewer["permissions"], json!(["FOLLOW"]), "{scope}");
    }
}

async fn a_required_scope_that_is_missing_reads_only(engine: Engine) {
    let claims = ClaimRules {
        scope: path("resource_access.app.roles"),
        scope_prefix: "entourage:".to_owned(),
        scope_policy: ScopePolicy::Required,
        ..ClaimRules::default()
    };
    let trusted = Trusted::with(engine, trusting(claims)).await;
    for (access, permissions) in [
        (json!({}), json!([])),
        (json!({ "app": { "roles": ["follow"] } }), json!([])),
        (json!({ "app": { "roles": ["other", "entourage:follow"] } }), json!(["FOLLOW"])),
    ] {
        let claims = json!({ "sub": "a", "scope": "follow", "resource_access": access });
        assert_eq!(trusted.viewer(&claims).await["permissions"], permissions, "{access}");
    }

    // Our own tokens have a scope of their own.
    let token = trusted.app.sign_up("ada").await;
    let response = trusted.app.graphql("{ viewer { permissions } }", json!({}), Some(&token)).await;
    assert_eq!(data(&response)["viewer"]["permissions"], json!(["FOLLOW"]));
}

async fn a_user_is_named_by_the_first_claim_that_fits(engine: Engine) {
    let trusted = Trusted::with(engine, trust()).await;
    let claims = json!({ "sub": "a", "nickname": "", "email": "zoe.kay@example.com" });
    assert_eq!(trusted.viewer(&claims).await["user"]["username"], "zoe.kay");

    let claims = ClaimRules {
        username: vec![path("https://example.com/handle"), path("sub")],
        name: vec![path("profile.full"), path("name")],
        picture: vec![path("profile.image")],
        ..ClaimRules::default()
    };
    let trusted = Trusted::with(engine, trusting(claims)).await;
    let first = json!({
        "sub": "a", "https://example.com/handle": "zoe", "preferred_username": "other",
        "name": "Z", "profile": { "full": "Zoe Kay", "image": "https://example.com/zoe.png" }
    });
    let user = trusted.viewer(&first).await["user"].clone();
    assert_eq!((&user["username"], &user["name"]), (&json!("zoe"), &json!("Zoe Kay")));
    assert_eq!(user["avatarUrl"], "https://example.com/zoe.png");
    let second = trusted.viewer(&json!({ "sub": "b", "name": "Bob" })).await["user"].clone();
    assert_eq!((&second["username"], &second["name"]), (&json!("b"), &json!("Bob")));
}

async fn a_role_of_the_token_becomes_that_of_the_user(engine: Engine) {
    let trusted = Trusted::with(engine, with_roles()).await;
    let permissions = Permissions::from_iter([Permission::Follow, Permission::Moderate]);
    let helper = Role { name: "helper".to_owned(), permissions };
    administer(&*trusted.app.store, AdminChange::DefineRole(helper)).await;

    let promoted = trusted.viewer(&roles(&["offline_access", "helper", "admin"])).await;
    assert_eq!(promoted["role"]["name"], "helper", "also of a user who is new");
    assert_eq!(promoted["permissions"], json!(["FOLLOW", "MODERATE"]), "from this request on");
    trusted.clock.advance(TimeDelta::seconds(1));
    assert_eq!(role(&trusted, &roles(&["admin", "helper"])).await, "admin");
    let statements = trusted.app.statements();
    assert_eq!(role(&trusted, &roles(&["admin", "helper"])).await, "admin");
    let unchanged = trusted.app.statements() - statements;
    assert_eq!(role(&trusted, &json!({ "sub": "idp|1" })).await, "admin", "nor does a missing one");
    assert_eq!(trusted.app.statements() - statements, 2 * unchanged, "nothing more is read");
    trusted.clock.advance(TimeDelta::seconds(1));
    let demoted = trusted.viewer(&roles(&["user"])).await;
    assert_eq!(demoted["permissions"], json!(["FOLLOW"]));

    let users = draw(&*trusted.app.store, "ada").await;
    give_role(&*trusted.app.store, users["ada"], "admin").await;
    let token = trusted.app.token("ada", None).await;
    let log = "{ auditLog(first: 3) { nodes { action actorName actor { id } username detail } } }";
    let log = data(&trusted.app.graphql(log, json!({}), Some(&token)).await)["auditLog"].clone();
    let entry = |role: &str| {
        json!({ "action": "ROLE_SET", "actorName": "provider", "actor": null, "username": "zoe",
            "detail": role })
    };
    assert_eq!(log["nodes"], json!([entry("user"), entry("admin"), entry("helper")]));
}

async fn a_token_without_a_role_that_exists_changes_none(engine: Engine) {
    let trusted = Trusted::with(engine, with_roles()).await;
    assert_eq!(role(&trusted, &roles(&["moderator"])).await, "moderator");
    for words in [&["offline_access", "Admin"][..], &[], &["", "moderator", "admin"]] {
        assert_eq!(role(&trusted, &roles(words)).await, "moderator", "{words:?}");
    }
    let other_type = json!({ "sub": "idp|1", "realm_access": "admin" });
    assert_eq!(role(&trusted, &other_type).await, "moderator");

    let unset = Trusted::with(engine, trust()).await;
    assert_eq!(role(&unset, &roles(&["admin"])).await, "user", "without the setting");
}

async fn a_token_that_is_refused_changes_no_role(engine: Engine) {
    let trusted = Trusted::with(engine, with_roles()).await;
    let before = trusted.viewer(&roles(&["user"])).await;
    let sign_out = "mutation { signOutEverywhere { userErrors { code } } }";
    let mut later = roles(&["user"]);
    later["iat"] = json!(trusted.clock.now().timestamp());
    trusted.app.graphql(sign_out, json!({}), Some(&trusted.key.token(&later))).await;

    assert_eq!(trusted.status(&roles(&["admin"])).await, 401);
    trusted.clock.advance(TimeDelta::seconds(5));
    later = json!({ "sub": "idp|1", "iat": trusted.clock.now().timestamp() });
    let after = trusted.viewer(&later).await;
    assert_eq!((&after["role"], &after["user"]["id"]), (&before["role"], &before["user"]["id"]));
}

/// A token with this name and picture.
fn profile(subject: &str, name: &str, picture: &str) -> Value {
    let picture = format!("https://example.com/{picture}.png");
    json!({ "sub": subject, "preferred_username": subject, "name": name, "picture": picture })
}

/// The name and picture of a user, as everybody sees them.
async fn shown(trusted: &Trusted, username: &str) -> Value {
    let query = format!("{{ user(username: \"{username}\") {{ name avatarUrl }} }}");
    data(&trusted.app.graphql(&query, json!({}), None).await)["user"].clone()
}

async fn is_shown(trusted: &Trusted, username: &str, name: &str, picture: &str) {
    let picture = format!("https://example.com/{picture}.png");
    let expected = json!({ "name": name, "avatarUrl": picture });
    until(std::time::Duration::from_secs(20), "the profile", async || {
        shown(trusted, username).await == expected
    })
    .await;
}

async fn a_later_token_changes_name_and_picture(engine: Engine) {
    let trusted = Trusted::with(engine, trust()).await;
    trusted.viewer(&profile("zoe", "Zoe", "a")).await;
    trusted.viewer(&profile("bob", "Bob", "b")).await;

    trusted.viewer(&profile("zoe", "Zoe Kay", "c")).await;
    is_shown(&trusted, "zoe", "Zoe Kay", "c").await;

    // Not again within ten minutes. Changes are made in their order, so when Bob's is made, another
    // one of Zoe's would have been.
    trusted.viewer(&profile("zoe", "Z", "d")).await;
    trusted.viewer(&profile("bob", "Bob B", "b")).await;
    is_shown(&trusted, "bob", "Bob B", "b").await;
    is_shown(&trusted, "zoe", "Zoe Kay", "c").await;

    // A claim that is missing or breaks our rules keeps what is there.
    trusted.clock.advance(TimeDelta::minutes(10));
    trusted.viewer(&json!({ "sub": "zoe" })).await;
    trusted.viewer(&json!({ "sub": "zoe", "name": " ", "picture": "javascript:1" })).await;
    trusted.viewer(&json!({ "sub": "zoe", "name": "Zoe" })).await;
    is_shown(&trusted, "zoe", "Zoe", "c").await;
}

async fn a_profile_stays_if_tokens_do_not_change_it(engine: Engine) {
    let trusted = Trusted::with(engine, Trust { updates_profiles: false, ..trust() }).await;
    trusted.viewer(&profile("zoe", "Zoe", "a")).await;
    let statements = trusted.app.statements();
    trusted.viewer(&profile("zoe", "Zoe", "a")).await;
    let one = trusted.app.statements() - statements;
    trusted.viewer(&profile("zoe", "Zoe Kay", "c")).await;
    assert_eq!(trusted.app.statements() - statements, 2 * one, "nothing is written");
    is_shown(&trusted, "zoe", "Zoe", "a").await;
}
