//! Private accounts, follow requests, blocks, mutes and removed followers, as clients meet them.

use entourage::domain::UsernameKey;
use serde_json::{Value, json};

use super::{code, data, on_both_engines};
use crate::support::app::TestApp;

on_both_engines! {
    a_follow_of_a_private_user_is_a_request,
    a_request_is_accepted_once,
    a_request_is_rejected_and_may_be_made_again,
    a_private_user_may_accept_those_whom_they_follow_at_once,
    going_public_accepts_what_waits,
    a_removed_follower_may_follow_again,
    a_block_ends_all_between_two_users,
    for_the_blocked_user_the_other_does_not_exist,
    a_moderator_sees_blocks_and_hidden_lists,
    a_mute_ends_at_its_time,
    a_hidden_list_is_an_empty_connection,
    settings_stay_unless_they_are_given,
    changes_of_oneself_are_refused,
    users_who_do_not_exist_are_refused_alike,
    all_of_it_needs_a_signed_in_caller,
    own_lists_are_paged_as_all_others,
}

/// Sends an operation as a user and returns its data.
async fn ask(app: &TestApp, user: &str, operation: &str) -> Value {
    let token = app.token(user, None).await;
    data(&app.graphql(operation, json!({}), Some(&token)).await).clone()
}

/// Makes a mutation about a user, with the selection, and returns its payload.
async fn change(app: &TestApp, user: &str, mutation: &str, other: &str, selection: &str) -> Value {
    let input = format!("input: {{ user: {{ username: \"{other}\" }} }}");
    let operation = format!("mutation {{ {mutation}({input}) {{ {selection} }} }}");
    ask(app, user, &operation).await[mutation].clone()
}

/// The outcome of a mutation about a user.
async fn outcome(app: &TestApp, user: &str, mutation: &str, other: &str) -> Value {
    let payload = change(app, user, mutation, other, "outcome userErrors { code }").await;
    match payload["userErrors"].as_array().expect("a list").first() {
        Some(error) => error["code"].clone(),
        None => payload["outcome"].clone(),
    }
}

async fn users(app: &TestApp, names: &[&str]) {
    for name in names {
        app.sign_up(name).await;
    }
}

async fn make_private(app: &TestApp, user: &str) {
    ask(app, user, "mutation { updatePrivacy(input: { isPrivate: true }) { acceptedRequests } }")
        .await;
}

async fn a_follow_of_a_private_user_is_a_request(app: TestApp) {
    users(&app, &["ada", "bob"]).await;
    make_private(&app, "ada").await;
    let selection = "outcome followerEdge { followedAt } followingEdge { followedAt } \
        user { isPrivate viewerIsFollowing viewerHasRequested viewerRequestedAt followerCount \
            followers { isHidden totalCount nodes { id } } } \
        viewer { sentFollowRequests { totalCount edges { requestedAt node { username } } } } \
        userErrors { code }";
    let payload = change(&app, "bob", "follow", "ada", selection).await;
    assert_eq!(payload["outcome"], "REQUESTED");
    assert_eq!((&payload["followerEdge"], &payload["followingEdge"]), (&Value::Null, &Value::Null));
    let ada = &payload["user"];
    assert_eq!((&ada["isPrivate"], &ada["viewerHasRequested"]), (&json!(true), &json!(true)));
    assert_eq!((&ada["viewerIsFollowing"], &ada["followerCount"]), (&json!(false), &json!(0)));
    assert_eq!(
        ada["followers"],
        json!({ "isHidden": true, "totalCount": 0, "nodes": [] }),
        "a request gives nothing"
    );
    let sent = &payload["viewer"]["sentFollowRequests"];
    assert_eq!(sent["totalCount"], 1);
    assert_eq!(sent["edges"][0]["requestedAt"], ada["viewerRequestedAt"]);

    assert_eq!(outcome(&app, "bob", "follow", "ada").await, "ALREADY_REQUESTED");
    let seen = ask(
        &app,
        "ada",
        "{ user(username: \"bob\") { hasRequestedViewer }
        viewer { followRequests { totalCount nodes { username } } } }",
    )
    .await;
    assert_eq!(seen["user"]["hasRequestedViewer"], true);
    let requests = &seen["viewer"]["followRequests"];
    assert_eq!(requests, &json!({ "totalCount": 1, "nodes": [{ "username": "bob" }] }));

    assert_eq!(outcome(&app, "bob", "unfollow", "ada").await, "REQUEST_WITHDRAWN");
    assert_eq!(outcome(&app, "bob", "unfollow", "ada").await, "NOT_FOLLOWING");
}

async fn a_request_is_accepted_once(app: TestApp) {
    users(&app, &["ada", "bob"]).await;
    make_private(&app, "ada").await;
    assert_eq!(outcome(&app, "ada", "acceptFollowRequest", "bob").await, "NO_REQUEST");
    outcome(&app, "bob", "follow", "ada").await;

    let selection = "outcome followerEdge { followedAt node { username } } \
        user { isFollowingViewer followingCount } \
        viewer { user { followerCount followers { nodes { username } } } \
            followRequests { totalCount } }";
    let payload = change(&app, "ada", "acceptFollowRequest", "bob", selection).await;
    assert_eq!(payload["outcome"], "ACCEPTED");
    assert_eq!(payload["followerEdge"]["node"]["username"], "bob");
    assert_eq!(payload["user"], json!({ "isFollowingViewer": true, "followingCount": 1 }));
    assert_eq!(payload["viewer"]["user"]["followerCount"], 1);
    assert_eq!(payload["viewer"]["user"]["followers"]["nodes"], json!([{ "username": "bob" }]));
    assert_eq!(payload["viewer"]["followRequests"]["totalCount"], 0);

    assert_eq!(outcome(&app, "ada", "acceptFollowRequest", "bob").await, "ALREADY_FOLLOWER");
    assert_eq!(outcome(&app, "bob", "follow", "ada").await, "ALREADY_FOLLOWING");
}

async fn a_request_is_rejected_and_may_be_made_again(app: TestApp) {
    users(&app, &["ada", "bob"]).await;
    make_private(&app, "ada").await;
    outcome(&app, "bob", "follow", "ada").await;
    assert_eq!(outcome(&app, "ada", "rejectFollowRequest", "bob").await, "REJECTED");
    assert_eq!(outcome(&app, "ada", "rejectFollowRequest", "bob").await, "NO_REQUEST");
    assert_eq!(outcome(&app, "bob", "follow", "ada").await, "REQUESTED");
}

async fn a_private_user_may_accept_those_whom_they_follow_at_once(app: TestApp) {
    users(&app, &["ada", "bob", "cid"]).await;
    outcome(&app, "ada", "follow", "bob").await;
    ask(
        &app,
        "ada",
        "mutation { updatePrivacy(input: { isPrivate: true, acceptsFollowed: true }) \
        { remainingRequests } }",
    )
    .await;
    assert_eq!(outcome(&app, "bob", "follow", "ada").await, "FOLLOWED");
    assert_eq!(outcome(&app, "cid", "follow", "ada").await, "REQUESTED");
}

async fn going_public_accepts_what_waits(app: TestApp) {
    users(&app, &["ada", "bob", "cid"]).await;
    make_private(&app, "ada").await;
    for user in ["bob", "cid"] {
        assert_eq!(outcome(&app, user, "follow", "ada").await, "REQUESTED");
    }
    let public = "mutation { updatePrivacy(input: { isPrivate: false }) { acceptedRequests \
        remainingRequests viewer { privacy { isPrivate } user { followerCount } } } }";
    let update = &ask(&app, "ada", public).await["updatePrivacy"];
    assert_eq!((&update["acceptedRequests"], &update["remainingRequests"]), (&json!(2), &json!(0)));
    assert_eq!(update["viewer"]["privacy"]["isPrivate"], false);
    assert_eq!(update["viewer"]["user"]["followerCount"], 2);
    assert_eq!(ask(&app, "ada", public).await["updatePrivacy"]["acceptedRequests"], 0);
    make_private(&app, "ada").await;
    let followers = ask(&app, "ada", "{ user(username: \"ada\") { followerCount } }").await;
    assert_eq!(followers["user"]["followerCount"], 2, "followers stay");
}

async fn a_removed_follower_may_follow_again(app: TestApp) {
    users(&app, &["ada", "bob"]).await;
    outcome(&app, "bob", "follow", "ada").await;
    assert_eq!(outcome(&app, "ada", "removeFollower", "bob").await, "REMOVED");
    assert_eq!(outcome(&app, "ada", "removeFollower", "bob").await, "NOT_A_FOLLOWER");
    assert_eq!(outcome(&app, "bob", "follow", "ada").await, "FOLLOWED");
}

async fn a_block_ends_all_between_two_users(app: TestApp) {
    users(&app, &["ada", "bob", "cid"]).await;
    outcome(&app, "ada", "follow", "bob").await;
    outcome(&app, "bob", "follow", "ada").await;
    make_private(&app, "cid").await;
    outcome(&app, "ada", "follow", "cid").await;

    let selection = "outcome user { username viewerIsBlocking viewerIsFollowing isFollowingViewer \
        followerCount followingCount viewerCanFollow viewerCannotFollowReasons } \
        viewer { user { followerCount followingCount } \
            blockedUsers { totalCount edges { blockedAt node { username } } } }";
    let payload = change(&app, "ada", "block", "bob", selection).await;
    assert_eq!(payload["outcome"], "BLOCKED");
    assert_eq!(
        payload["user"],
        json!({ "username": "bob", "viewerIsBlocking": true, "viewerIsFollowing": false,
            "isFollowingViewer": false, "followerCount": 0, "followingCount": 0,
            "viewerCanFollow": false, "viewerCannotFollowReasons": ["BLOCKING"] })
    );
    let viewer = &payload["viewer"];
    assert_eq!(viewer["user"], json!({ "followerCount": 0, "followingCount": 0 }));
    assert_eq!(viewer["blockedUsers"]["edges"][0]["node"]["username"], "bob");

    assert_eq!(outcome(&app, "ada", "follow", "bob").await, "BLOCKING");
    assert_eq!(outcome(&app, "ada", "block", "bob").await, "ALREADY_BLOCKED");
    outcome(&app, "cid", "block", "ada").await;
    let sent = ask(&app, "ada", "{ viewer { sentFollowRequests { totalCount } } }").await;
    assert_eq!(sent["viewer"]["sentFollowRequests"]["totalCount"], 0);

    assert_eq!(outcome(&app, "ada", "unblock", "bob").await, "UNBLOCKED");
    assert_eq!(outcome(&app, "ada", "unblock", "bob").await, "NOT_BLOCKED");
    assert_eq!(outcome(&app, "ada", "follow", "bob").await, "FOLLOWED");
}

async fn for_the_blocked_user_the_other_does_not_exist(app: TestApp) {
    users(&app, &["ada", "bob"]).await;
    outcome(&app, "ada", "block", "bob").await;
    let token = app.token("bob", None).await;
    for mutation in [
        "follow",
        "unfollow",
        "block",
        "unblock",
        "mute",
        "unmute",
        "removeFollower",
        "acceptFollowRequest",
        "rejectFollowRequest",
    ] {
        let mut answers = Vec::new();
        let mut statements = Vec::new();
        for name in ["ada", "eve"] {
            let operation = format!(
                "mutation {{ {mutation}(input: {{ user: {{ username: \
                \"{name}\" }} }}) {{ outcome user {{ id }} userErrors {{ code field message }} }} }}"
            );
            let before = app.statements();
            answers.push(app.graphql(&operation, json!({}), Some(&token)).await);
            statements.push(app.statements() - before);
        }
        assert_eq!(answers[0], answers[1], "{mutation}");
        assert_eq!(statements[0], statements[1], "{mutation}");
        assert_eq!(data(&answers[0])[mutation]["userErrors"][0]["code"], "NOT_FOUND");
    }
    let query = "{ user(username: \"ada\") { id } users { totalCount nodes { username } } }";
    assert_eq!(
        ask(&app, "bob", query).await,
        json!({ "user": null, "users": { "totalCount": 1, "nodes": [{ "username": "bob" }] } })
    );
    // Signed out, bob sees what everybody sees.
    let all = app.graphql("{ users { totalCount } }", json!({}), None).await;
    assert_eq!(data(&all)["users"]["totalCount"], 2);
}

async fn a_moderator_sees_blocks_and_hidden_lists(app: TestApp) {
    users(&app, &["ada", "bob", "mod"]).await;
    let key = UsernameKey::parse("mod").expect("a username");
    let found = app.store.find_credentials(&key).await.expect("it answers").expect("it is there");
    crate::support::admin::give_role(&*app.store, found.id, "moderator").await;
    outcome(&app, "bob", "follow", "ada").await;
    ask(
        &app,
        "ada",
        "mutation { updatePrivacy(input: { followers: NOBODY }) { acceptedRequests } }",
    )
    .await;
    outcome(&app, "ada", "block", "mod").await;

    let query = "{ user(username: \"ada\") { viewerCanFollow viewerCannotFollowReasons \
        followers { isHidden totalCount nodes { username } } } }";
    let seen = ask(&app, "mod", query).await;
    assert_eq!(seen["user"]["viewerCannotFollowReasons"], json!(["BLOCKED"]));
    assert_eq!(seen["user"]["followers"]["nodes"], json!([{ "username": "bob" }]));
    assert_eq!(outcome(&app, "mod", "follow", "ada").await, "BLOCKED");
    // A token without the scope does not moderate.
    let token = app.token("mod", Some("follow")).await;
    let hidden = app.graphql("{ user(username: \"ada\") { id } }", json!({}), Some(&token)).await;
    assert_eq!(data(&hidden)["user"], Value::Null);
}

async fn a_mute_ends_at_its_time(app: TestApp) {
    users(&app, &["ada", "bob"]).await;
    let mute = |until: &str| {
        format!(
            "mutation {{ mute(input: {{ user: {{ username: \"bob\" }}, until: {until} }}) \
            {{ outcome user {{ viewerIsMuting viewerMutedUntil }} \
            viewer {{ mutedUsers {{ edges {{ mutedUntil node {{ username }} }} }} }} }} }}"
        )
    };
    let muted = &ask(&app, "ada", &mute("null")).await["mute"];
    assert_eq!(muted["outcome"], "MUTED");
    assert_eq!(muted["user"], json!({ "viewerIsMuting": true, "viewerMutedUntil": null }));
    let until = "9999-12-31T23:59:59.000000Z";
    let muted = &ask(&app, "ada", &mute(&format!("\"{until}\""))).await["mute"];
    assert_eq!(muted["user"]["viewerMutedUntil"], until);
    assert_eq!(muted["viewer"]["mutedUsers"]["edges"][0]["mutedUntil"], until);

    let token = app.token("ada", None).await;
    let past = app.graphql(&mute("\"2020-01-01T00:00:00Z\""), json!({}), Some(&token)).await;
    assert_eq!(code(&past), "BAD_USER_INPUT");
    assert_eq!(past["errors"][0]["extensions"]["argument"], "mute.input.until");
    assert_eq!(outcome(&app, "ada", "unmute", "bob").await, "UNMUTED");
    assert_eq!(outcome(&app, "ada", "unmute", "bob").await, "NOT_MUTED");
}

async fn a_hidden_list_is_an_empty_connection(app: TestApp) {
    users(&app, &["ada", "bob", "cid"]).await;
    outcome(&app, "bob", "follow", "ada").await;
    let query = |after: &str| {
        format!(
            "{{ user(username: \"ada\") {{ followerCount followers(first: 1{after}) \
            {{ isHidden totalCount edges {{ cursor }} nodes {{ id }} \
            pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }} }}"
        )
    };
    let seen = ask(&app, "cid", &query("")).await;
    assert_eq!(seen["user"]["followers"]["isHidden"], false);
    let cursor = format!(", after: {}", seen["user"]["followers"]["edges"][0]["cursor"]);
    ask(
        &app,
        "ada",
        "mutation { updatePrivacy(input: { followers: FOLLOWERS }) \
        { acceptedRequests } }",
    )
    .await;
    for after in ["", &cursor] {
        let hidden = ask(&app, "cid", &query(after)).await;
        assert_eq!(
            hidden["user"],
            json!({ "followerCount": 1, "followers": { "isHidden": true, "totalCount": 0,
                "edges": [], "nodes": [], "pageInfo": { "hasNextPage": false,
                "hasPreviousPage": false, "startCursor": null, "endCursor": null } } })
        );
    }
    for reader in ["ada", "bob"] {
        let seen = ask(&app, reader, &query("")).await;
        assert_eq!(seen["user"]["followers"]["totalCount"], 1, "{reader}");
    }
}

async fn settings_stay_unless_they_are_given(app: TestApp) {
    users(&app, &["ada"]).await;
    let update = async |input: &str| {
        let operation = format!(
            "mutation {{ updatePrivacy(input: {{ {input} }}) \
            {{ viewer {{ privacy {{ isPrivate acceptsFollowed followers following }} }} }} }}"
        );
        ask(&app, "ada", &operation).await["updatePrivacy"]["viewer"]["privacy"].clone()
    };
    let settings = |is_private: bool, accepts: bool, followers: Value, following: Value| {
        json!({ "isPrivate": is_private, "acceptsFollowed": accepts, "followers": followers,
            "following": following })
    };
    assert_eq!(update("").await, settings(false, false, Value::Null, Value::Null));
    let nobody = json!("NOBODY");
    let hidden = settings(true, false, nobody.clone(), Value::Null);
    assert_eq!(update("isPrivate: true, followers: NOBODY").await, hidden);
    let both = settings(true, true, nobody.clone(), json!("EVERYBODY"));
    assert_eq!(update("acceptsFollowed: true, following: EVERYBODY").await, both);
    assert_eq!(update("").await, both);
    let reset = settings(true, true, Value::Null, json!("EVERYBODY"));
    assert_eq!(update("followers: null").await, reset);
}

async fn changes_of_oneself_are_refused(app: TestApp) {
    users(&app, &["ada"]).await;
    for mutation in [
        "block",
        "unblock",
        "mute",
        "unmute",
        "removeFollower",
        "acceptFollowRequest",
        "rejectFollowRequest",
        "follow",
        "unfollow",
    ] {
        assert_eq!(outcome(&app, "ada", mutation, "ada").await, "YOURSELF", "{mutation}");
    }
}

async fn users_who_do_not_exist_are_refused_alike(app: TestApp) {
    users(&app, &["ada"]).await;
    let token = app.token("ada", None).await;
    for mutation in ["block", "mute", "removeFollower", "acceptFollowRequest", "follow"] {
        for user in
            ["username: \"eve\"", "username: \"not a name\"", "id: \"x\"", "id: \"VXNlcjo5\""]
        {
            let operation = format!(
                "mutation {{ {mutation}(input: {{ user: {{ {user} }} }}) \
                {{ outcome userErrors {{ code message }} }} }}"
            );
            let payload = app.graphql(&operation, json!({}), Some(&token)).await;
            let error = &data(&payload)[mutation]["userErrors"][0];
            let expected = json!({ "code": "NOT_FOUND", "message": "There is no such user." });
            assert_eq!(error, &expected, "{mutation} {user}");
        }
    }
}

async fn all_of_it_needs_a_signed_in_caller(app: TestApp) {
    for mutation in [
        "block",
        "unblock",
        "mute",
        "unmute",
        "removeFollower",
        "acceptFollowRequest",
        "rejectFollowRequest",
    ] {
        let operation = format!(
            "mutation {{ {mutation}(input: {{ user: {{ username: \"eve\" }} }}) \
            {{ outcome }} }}"
        );
        assert_eq!(code(&app.graphql(&operation, json!({}), None).await), "UNAUTHENTICATED");
    }
    let update = "mutation { updatePrivacy(input: {}) { acceptedRequests } }";
    assert_eq!(code(&app.graphql(update, json!({}), None).await), "UNAUTHENTICATED");
}

async fn own_lists_are_paged_as_all_others(app: TestApp) {
    users(&app, &["ada", "bob", "cid", "dan"]).await;
    for user in ["bob", "cid", "dan"] {
        outcome(&app, "ada", "block", user).await;
    }
    let token = app.token("ada", None).await;
    let page = async |arguments: &str| {
        let query = format!(
            "{{ viewer {{ blockedUsers({arguments}) {{ nodes {{ username }} \
            totalCount pageInfo {{ hasNextPage hasPreviousPage endCursor }} }} }} }}"
        );
        app.graphql(&query, json!({}), Some(&token)).await
    };
    let first = data(&page("first: 2").await)["viewer"]["blockedUsers"].clone();
    assert_eq!(first["nodes"], json!([{ "username": "dan" }, { "username": "cid" }]));
    assert_eq!(
        (&first["totalCount"], &first["pageInfo"]["hasNextPage"]),
        (&json!(3), &json!(true))
    );
    let after = format!("first: 2, after: {}", first["pageInfo"]["endCursor"]);
    let next = data(&page(&after).await)["viewer"]["blockedUsers"].clone();
    assert_eq!(next["nodes"], json!([{ "username": "bob" }]));
    assert_eq!(next["pageInfo"]["hasPreviousPage"], true);
    assert_eq!(code(&page("first: 101").await), "BAD_USER_INPUT");
    let query = format!(
        "{{ viewer {{ mutedUsers(after: {}) {{ totalCount }} }} }}",
        first["pageInfo"]["endCursor"]
    );
    let wrong = app.graphql(&query, json!({}), Some(&token)).await;
    assert_eq!(code(&wrong), "INVALID_CURSOR");
}
