//! Administration: who may do it, what it changes, and the log of it.

use entourage::domain::{AdminChange, NewUser, Standing, UserId, Username};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{code, data, on_both_engines};
use crate::support::{
    admin::{administer, give_role},
    app::TestApp,
    graph::{beginning, draw},
};

on_both_engines! {
    every_mutation_needs_its_permission,
    a_moderator_suspends_and_reinstates,
    a_suspended_user_cannot_sign_in_nor_use_a_token,
    a_suspended_user_is_in_follow_lists_and_in_no_list_of_users,
    staff_is_changed_by_those_who_may_do_as_much,
    an_administrator_sets_roles_and_deletes,
    a_user_who_is_not_there_is_an_expected_error,
    users_are_created_brought_up_to_date_and_left_alone,
    an_upsert_has_the_errors_of_each_user,
    a_hundred_upserts_are_one_call_and_no_more,
    upserts_of_the_same_users_side_by_side_all_succeed,
    the_audit_log_is_paged_by_its_administrators,
    a_machine_administers_and_is_in_no_list,
}

const STAFF: &str = "ada\nmod\nbob\ncarol -> bob";

/// `ada` administers, `mod` moderates, `bob` and `carol` are users. Returns the tokens of the first
/// three.
async fn staff(app: &TestApp) -> [String; 3] {
    let users = draw(&*app.store, STAFF).await;
    give_role(&*app.store, users["ada"], "admin").await;
    give_role(&*app.store, users["mod"], "moderator").await;
    [app.token("ada", None).await, app.token("mod", None).await, app.token("bob", None).await]
}

async fn ask(app: &TestApp, query: &str, token: &str) -> Value {
    data(&app.graphql(query, json!({}), Some(token)).await).clone()
}

/// A change to a user, whose payload is returned.
async fn change(app: &TestApp, field: &str, rest: &str, name: &str, token: &str) -> Value {
    let query = format!(
        "mutation {{ {field}(input: {{ user: {{ username: \"{name}\" }} {rest} }}) \
         {{ outcome userErrors {{ code field }} user {{ username isSuspended }} }} }}"
    );
    ask(app, &query, token).await[field].clone()
}

fn outcome(payload: &Value) -> &str {
    match payload["outcome"].as_str() {
        Some(outcome) => outcome,
        None => payload["userErrors"][0]["code"].as_str().expect("an outcome or an error"),
    }
}

async fn every_mutation_needs_its_permission(app: TestApp) {
    let [ada, moderator, bob] = staff(&app).await;
    let user = r#"user: { username: "carol" }"#;
    let before = app.statements();
    for (field, permission) in [
        (format!("suspendUser(input: {{ {user} }}) {{ outcome }}"), "MODERATE"),
        (format!("reinstateUser(input: {{ {user} }}) {{ outcome }}"), "MODERATE"),
        (format!("setRole(input: {{ {user} role: \"user\" }}) {{ outcome }}"), "ADMIN"),
        (format!("deleteUser(input: {{ {user} }}) {{ deletedUserId }}"), "ADMIN"),
        ("upsertUsers(input: { users: [] }) { results { outcome } }".to_owned(), "ADMIN"),
    ] {
        let query = format!("mutation {{ {field} }}");
        let response = app.graphql(&query, json!({}), None).await;
        assert_eq!(code(&response), "UNAUTHENTICATED", "{query}");
        let tokens = if permission == "ADMIN" { vec![&bob, &moderator] } else { vec![&bob] };
        for token in tokens {
            let response = app.graphql(&query, json!({}), Some(token)).await;
            assert_eq!(code(&response), "FORBIDDEN", "{query}");
            let needed = &response["errors"][0]["extensions"]["requiredPermissions"];
            assert_eq!(*needed, json!([permission]));
        }
    }
    for (query, permission) in [
        ("{ auditLog { nodes { at } } }", "ADMIN"),
        ("{ users(isSuspended: true) { nodes { id } } }", "MODERATE"),
        ("{ users(role: \"user\") { totalCount } }", "MODERATE"),
    ] {
        let response = app.graphql(query, json!({}), Some(&bob)).await;
        assert_eq!(code(&response), "FORBIDDEN", "{query}");
        let needed = &response["errors"][0]["extensions"]["requiredPermissions"];
        assert_eq!(*needed, json!([permission]));
    }
    // Authentication alone.
    assert_eq!(app.statements() - before, 11);
    for query in
        ["{ users(isSuspended: false) { nodes { id } } }", "{ users(role: null) { nodes { id } } }"]
    {
        data(&app.graphql(query, json!({}), None).await);
    }
    assert_eq!(outcome(&change(&app, "suspendUser", "", "carol", &ada).await), "CHANGED");
}

async fn a_moderator_suspends_and_reinstates(app: TestApp) {
    let [_, moderator, _] = staff(&app).await;
    for (field, expected, is_suspended) in [
        ("reinstateUser", "UNCHANGED", false),
        ("suspendUser", "CHANGED", true),
        ("suspendUser", "UNCHANGED", true),
        ("reinstateUser", "CHANGED", false),
    ] {
        let payload = change(&app, field, "", "bob", &moderator).await;
        assert_eq!(outcome(&payload), expected, "{field}");
        let user = json!({ "username": "bob", "isSuspended": is_suspended });
        assert_eq!(payload["user"], user, "the user after the change");
    }
    let long = format!("reason: \"{}\"", "x".repeat(501));
    let refused = change(&app, "suspendUser", &long, "bob", &moderator).await;
    assert_eq!(refused["userErrors"], json!([{ "code": "INVALID", "field": ["input", "reason"] }]));
}

async fn a_suspended_user_cannot_sign_in_nor_use_a_token(app: TestApp) {
    let [_, moderator, _] = staff(&app).await;
    let hash = app.hash("correct horse").await;
    let dave = NewUser {
        password_hash: Some(hash),
        ..NewUser::bare(UserId(9), Username::parse("dave").expect("a name"), beginning())
    };
    app.store.create_user(&dave).await.expect("the store works");
    let token = app.token("dave", None).await;
    let sign_in = async |password: &str| {
        let query = format!(
            "mutation {{ signIn(input: {{ username: \"dave\", password: \"{password}\" }}) \
             {{ token userErrors {{ code }} }} }}"
        );
        data(&app.graphql(&query, json!({}), None).await)["signIn"].clone()
    };
    change(&app, "suspendUser", "", "dave", &moderator).await;

    assert_eq!(sign_in("correct horse").await["userErrors"], json!([{ "code": "SUSPENDED" }]));
    // Only those who know the password learn of it here.
    assert_eq!(
        sign_in("wrong horse").await["userErrors"],
        json!([{ "code": "WRONG_CREDENTIALS" }])
    );
    for query in ["{ viewer { id } }", "mutation { signOutEverywhere { userErrors { code } } }"] {
        let request = app.post(json!({ "query": query }).to_string()).bearer_auth(&token);
        let response = request.send().await.expect("the server answers");
        assert_eq!(response.status(), 401, "{query}");
    }

    change(&app, "reinstateUser", "", "dave", &moderator).await;
    assert_eq!(
        ask(&app, "{ viewer { user { username } } }", &token).await["viewer"]["user"]["username"],
        "dave"
    );
    assert!(sign_in("correct horse").await["token"].is_string());
}

async fn a_suspended_user_is_in_follow_lists_and_in_no_list_of_users(app: TestApp) {
    let [_, moderator, bob] = staff(&app).await;
    change(&app, "suspendUser", "", "carol", &moderator).await;

    let query = "{ users { totalCount nodes { username } } found: users(query: \"carol\") { totalCount }
        user(username: \"carol\") { isSuspended }
        viewer { user { followerCount followers { totalCount nodes { username isSuspended } } } } }";
    let seen = ask(&app, query, &bob).await;
    let names = json!([{ "username": "ada" }, { "username": "bob" }, { "username": "mod" }]);
    assert_eq!(seen["users"], json!({ "totalCount": 3, "nodes": names }));
    assert_eq!(seen["found"]["totalCount"], 0);
    assert_eq!(seen["user"]["isSuspended"], true);
    let follower = json!({ "username": "carol", "isSuspended": true });
    let followers = json!({ "totalCount": 1, "nodes": [follower] });
    assert_eq!(seen["viewer"]["user"], json!({ "followerCount": 1, "followers": followers }));

    let query = "{ users(isSuspended: true) { totalCount nodes { username } }
        staff: users(role: \"moderator\") { nodes { username } }
        none: users(role: \"king\") { totalCount } }";
    let seen = ask(&app, query, &moderator).await;
    assert_eq!(seen["users"], json!({ "totalCount": 1, "nodes": [{ "username": "carol" }] }));
    assert_eq!(seen["staff"]["nodes"], json!([{ "username": "mod" }]));
    assert_eq!(seen["none"]["totalCount"], 0);
}

async fn staff_is_changed_by_those_who_may_do_as_much(app: TestApp) {
    let [ada, moderator, _] = staff(&app).await;
    let user = json!(["input", "user", "username"]);
    let refused = change(&app, "suspendUser", "", "ada", &moderator).await;
    assert_eq!(refused["userErrors"], json!([{ "code": "OUTRANKED", "field": user }]));
    // A token that may do less than its role.
    let narrow = app.token("ada", Some("moderate")).await;
    give_role(&*app.store, UserId(3), "admin").await;
    let refused = change(&app, "suspendUser", "", "bob", &narrow).await;
    assert_eq!(outcome(&refused), "OUTRANKED");
    // Nor does it give what it may not do itself.
    let narrow = app.token("ada", Some("admin")).await;
    for (role, expected) in [("moderator", "OUTRANKED"), ("restricted", "CHANGED")] {
        let payload = change(&app, "setRole", &format!("role: \"{role}\""), "carol", &narrow).await;
        assert_eq!(outcome(&payload), expected, "{role}");
    }
    assert_eq!(outcome(&change(&app, "suspendUser", "", "ada", &ada).await), "YOURSELF");
    assert_eq!(outcome(&change(&app, "setRole", "role: \"user\"", "ada", &ada).await), "YOURSELF");
    assert_eq!(outcome(&change(&app, "suspendUser", "", "mod", &ada).await), "CHANGED");
}

async fn an_administrator_sets_roles_and_deletes(app: TestApp) {
    let [ada, _, bob] = staff(&app).await;
    let payload = change(&app, "setRole", "role: \"moderator\"", "bob", &ada).await;
    assert_eq!(outcome(&payload), "CHANGED");
    let query = "{ viewer { role { name } permissions } }";
    let viewer = ask(&app, query, &bob).await["viewer"].clone();
    assert_eq!(
        viewer,
        json!({ "role": { "name": "moderator" }, "permissions": ["FOLLOW", "MODERATE"] })
    );
    let refused = change(&app, "setRole", "role: \"king\"", "bob", &ada).await;
    assert_eq!(
        refused["userErrors"],
        json!([{ "code": "NO_SUCH_ROLE", "field": ["input", "role"] }])
    );

    // Also if the user blocks the administrator, whose token cannot moderate.
    let carol = app.token("carol", None).await;
    ask(&app, r#"mutation { block(input: { user: { username: "ada" } }) { outcome } }"#, &carol)
        .await;
    let ada = app.token("ada", Some("admin")).await;
    let delete = "mutation { deleteUser(input: { user: { username: \"carol\" } }) {
        deletedUserId userErrors { code } query { user(username: \"bob\") { followerCount } } } }";
    let deleted = ask(&app, delete, &ada).await["deleteUser"].clone();
    assert!(deleted["deletedUserId"].is_string());
    assert_eq!(deleted["query"]["user"]["followerCount"], 0);
    let again = ask(&app, delete, &ada).await["deleteUser"].clone();
    assert_eq!(
        (again["deletedUserId"].is_null(), &again["userErrors"][0]["code"]),
        (true, &json!("NOT_FOUND"))
    );
}

async fn a_user_who_is_not_there_is_an_expected_error(app: TestApp) {
    let [ada, _, _] = staff(&app).await;
    for (field, rest) in [("suspendUser", ""), ("reinstateUser", ""), ("setRole", "role: \"user\"")]
    {
        let refused = change(&app, field, rest, "nobody", &ada).await;
        let error = json!({ "code": "NOT_FOUND", "field": ["input", "user", "username"] });
        assert_eq!(refused["userErrors"], json!([error]), "{field}");
    }
}

const UPSERT: &str =
    "mutation ($users: [UpsertUserInput!]!) { upsertUsers(input: { users: $users }) {
    results { outcome user { username name bio externalId } userErrors { code field } } } }";

async fn upsert(app: &TestApp, users: Value, token: &str) -> Vec<Value> {
    let response = app.graphql(UPSERT, json!({ "users": users }), Some(token)).await;
    data(&response)["upsertUsers"]["results"].as_array().expect("a list").clone()
}

async fn users_are_created_brought_up_to_date_and_left_alone(app: TestApp) {
    let [ada, _, _] = staff(&app).await;
    let eve = json!({ "externalId": "h1", "username": "eve", "name": "Eve", "bio": "Hi" });
    let outcomes = |results: &[Value]| -> Vec<Value> {
        results.iter().map(|result| result["outcome"].clone()).collect()
    };
    let twice = upsert(&app, json!([eve, eve]), &ada).await;
    assert_eq!(outcomes(&twice), ["CREATED", "UNCHANGED"]);
    let user = json!({ "username": "eve", "name": "Eve", "bio": "Hi", "externalId": "h1" });
    assert_eq!((&twice[0]["user"], &twice[1]["user"]), (&user, &user));

    let changes = json!([
        { "externalId": "h1", "name": "Eva" },
        { "externalId": "h1", "bio": null },
        { "externalId": "h1", "name": "Eva", "username": "EVE" },
        { "externalId": "h1" },
    ]);
    let results = upsert(&app, changes, &ada).await;
    assert_eq!(outcomes(&results), ["UPDATED", "UPDATED", "UNCHANGED", "UNCHANGED"]);
    let user = json!({ "username": "eve", "name": "Eva", "bio": null, "externalId": "h1" });
    assert_eq!(results[3]["user"], user);
    let found = "{ user(by: { externalId: \"h1\" }) { username name bio externalId } \
                  users(query: \"eva\") { totalCount } }";
    let found = ask(&app, found, &ada).await;
    assert_eq!((&found["user"], &found["users"]["totalCount"]), (&user, &json!(1)));
    // What an administrator made can follow and be followed.
    let follow = "mutation { follow(input: { user: { externalId: \"h1\" } }) { outcome } }";
    assert_eq!(ask(&app, follow, &ada).await["follow"]["outcome"], "FOLLOWED");
}

async fn an_upsert_has_the_errors_of_each_user(app: TestApp) {
    let [ada, _, _] = staff(&app).await;
    let users = json!([
        { "externalId": "h1" },
        { "externalId": "h2", "username": "BOB" },
        { "externalId": "", "username": "a b", "name": " " },
        { "externalId": "h4", "username": "frank" },
        { "externalId": "h4", "username": "other" },
    ]);
    let results = upsert(&app, users, &ada).await;
    let error = |code: &str, place: usize, field: &str| json!({ "code": code, "field": ["input", "users", place.to_string(), field] });
    assert_eq!(results[0]["userErrors"], json!([error("TOO_SHORT", 0, "username")]));
    assert_eq!(results[1]["userErrors"], json!([error("TAKEN", 1, "username")]));
    let all = [
        error("INVALID", 2, "externalId"),
        error("INVALID", 2, "username"),
        error("TOO_SHORT", 2, "name"),
    ];
    assert_eq!(results[2]["userErrors"], json!(all));
    assert_eq!(
        (&results[3]["outcome"], &results[3]["userErrors"]),
        (&json!("CREATED"), &json!([]))
    );
    assert_eq!(results[4]["userErrors"], json!([error("INVALID", 4, "username")]));
    assert!(
        results[..3].iter().all(|result| result["outcome"].is_null() && result["user"].is_null())
    );
}

async fn a_hundred_upserts_are_one_call_and_no_more(app: TestApp) {
    let [ada, _, _] = staff(&app).await;
    let users = |n: usize| -> Value {
        (0..n)
            .map(|n| json!({ "externalId": n.to_string(), "username": format!("u{n}") }))
            .collect()
    };
    let refused = app.graphql(UPSERT, json!({ "users": users(101) }), Some(&ada)).await;
    assert_eq!(code(&refused), "BAD_USER_INPUT");
    let results = upsert(&app, users(100), &ada).await;
    assert!(results.len() == 100 && results.iter().all(|result| result["outcome"] == "CREATED"));
    // All of them are looked up at once.
    let before = app.statements();
    let results = upsert(&app, users(100), &ada).await;
    assert!(results.iter().all(|result| result["outcome"] == "UNCHANGED"));
    assert!(app.statements() - before <= 3, "{}", app.statements() - before);
}

async fn upserts_of_the_same_users_side_by_side_all_succeed(app: TestApp) {
    let [ada, _, _] = staff(&app).await;
    let users =
        (0..20).map(|n| json!({ "externalId": n.to_string(), "username": format!("u{n}") }));
    let users: Value = users.collect();
    let results = join_all((0..4).map(|_| upsert(&app, users.clone(), &ada))).await.concat();
    let count = |outcome| results.iter().filter(|result| result["outcome"] == outcome).count();
    assert_eq!((count("CREATED"), count("UNCHANGED")), (20, 60), "{results:?}");
}

async fn the_audit_log_is_paged_by_its_administrators(app: TestApp) {
    let [ada, moderator, _] = staff(&app).await;
    change(&app, "suspendUser", "reason: \"spam\"", "carol", &moderator).await;
    change(&app, "setRole", "role: \"restricted\"", "bob", &ada).await;
    let delete =
        "mutation { deleteUser(input: { user: { username: \"carol\" } }) { deletedUserId } }";
    ask(&app, delete, &ada).await;
    upsert(&app, json!([{ "externalId": "h1", "username": "eve" }]), &ada).await;

    let query = "query ($after: String) { auditLog(first: 3, after: $after) {
        pageInfo { hasNextPage hasPreviousPage endCursor }
        edges { cursor node { action actor { username } actorName user { username } username detail } } } }";
    let page = async |after: Value| {
        let response = app.graphql(query, json!({ "after": after }), Some(&ada)).await;
        data(&response)["auditLog"].clone()
    };
    let first = page(Value::Null).await;
    let entries: Vec<_> =
        first["edges"].as_array().expect("a list").iter().map(|e| &e["node"]).collect();
    let by_ada = |action: &str, user: Value, username: &str, detail: Value| {
        json!({ "action": action, "actor": { "username": "ada" }, "actorName": "ada",
                "user": user, "username": username, "detail": detail })
    };
    let expected = [
        by_ada("USER_CREATED", json!({ "username": "eve" }), "eve", json!("user")),
        by_ada("USER_DELETED", Value::Null, "carol", Value::Null),
        by_ada("ROLE_SET", json!({ "username": "bob" }), "bob", json!("restricted")),
    ];
    assert_eq!(entries, expected.iter().collect::<Vec<_>>());
    assert_eq!(
        (&first["pageInfo"]["hasNextPage"], &first["pageInfo"]["hasPreviousPage"]),
        (&json!(true), &json!(false))
    );

    let second = page(first["pageInfo"]["endCursor"].clone()).await;
    let entry = &second["edges"][0]["node"];
    assert_eq!(
        (&entry["action"], &entry["actorName"], &entry["detail"]),
        (&json!("USER_SUSPENDED"), &json!("mod"), &json!("spam"))
    );
    // The operator gave the roles of the staff.
    let entry = &second["edges"][1]["node"];
    assert_eq!(
        (&entry["action"], &entry["actorName"], &entry["actor"]),
        (&json!("ROLE_SET"), &Value::Null, &Value::Null)
    );
    let other =
        app.graphql("{ users(first: 1) { pageInfo { endCursor } } }", json!({}), None).await;
    let cursor = data(&other)["users"]["pageInfo"]["endCursor"].clone();
    let refused = app.graphql(query, json!({ "after": cursor }), Some(&ada)).await;
    assert_eq!(code(&refused), "INVALID_CURSOR");
}

async fn a_machine_administers_and_is_in_no_list(app: TestApp) {
    let [_, _, bob] = staff(&app).await;
    let robot = NewUser {
        standing: Standing::Service,
        role: "admin".into(),
        ..NewUser::bare(UserId(77), Username::parse("robot").expect("a name"), beginning())
    };
    app.store.create_user(&robot).await.expect("the store works");
    let token = app.token("robot", None).await;

    let query = "{ viewer { permissions user { username } } users { totalCount } }";
    let seen = ask(&app, query, &token).await;
    let viewer = json!({ "permissions": ["ADMIN", "MODERATE"], "user": { "username": "robot" } });
    let mut permissions: Vec<_> = seen["viewer"]["permissions"].as_array().expect("a list").clone();
    permissions.sort_by_key(ToString::to_string);
    assert_eq!(json!({ "permissions": permissions, "user": seen["viewer"]["user"] }), viewer);
    assert_eq!(seen["users"]["totalCount"], 4);
    let upserted = app
        .graphql(
            "mutation { upsertUsers(input: { users: [{ externalId: \"1\", username: \"eve\" }] }) {
                results { outcome } viewer { user { username } } query { viewer { id } } } }",
            json!({}),
            Some(&token),
        )
        .await;
    let upserted = &data(&upserted)["upsertUsers"];
    assert_eq!(upserted["results"], json!([{ "outcome": "CREATED" }]));
    assert_eq!(upserted["viewer"]["user"]["username"], "robot");
    assert!(upserted["query"]["viewer"]["id"].is_string());
    let follow = r#"mutation { follow(input: { user: { username: "bob" } }) { outcome } }"#;
    assert_eq!(code(&app.graphql(follow, json!({}), Some(&token)).await), "FORBIDDEN");
    // A password that was given to it is of no use.
    let hash = entourage::domain::PasswordHash(app.hash("correct horse").await);
    administer(&*app.store, AdminChange::SetPassword(UserId(77), hash)).await;
    let sign_in = r#"mutation { signIn(input: { username: "robot", password: "correct horse" }) {
        userErrors { code } } }"#;
    let refused = data(&app.graphql(sign_in, json!({}), None).await)["signIn"].clone();
    assert_eq!(refused["userErrors"][0]["code"], "WRONG_CREDENTIALS");
    // To others it does not exist, and its name is taken.
    let sign_up = r#"mutation { signUp(input: { username: "robot", password: "long enough" }) {
        userErrors { code } } }"#;
    let taken = data(&app.graphql(sign_up, json!({}), None).await)["signUp"].clone();
    assert_eq!(taken["userErrors"][0]["code"], "TAKEN");
    let query = "{ user(username: \"robot\") { id } users(query: \"robot\") { totalCount } }";
    let seen = ask(&app, query, &bob).await;
    assert_eq!(seen, json!({ "user": null, "users": { "totalCount": 0 } }));
    let follow =
        r#"mutation { follow(input: { user: { username: "robot" } }) { userErrors { code } } }"#;
    assert_eq!(ask(&app, follow, &bob).await["follow"]["userErrors"][0]["code"], "NOT_FOUND");
    let block =
        r#"mutation { block(input: { user: { username: "robot" } }) { userErrors { code } } }"#;
    assert_eq!(ask(&app, block, &bob).await["block"]["userErrors"][0]["code"], "NOT_FOUND");
}
