//! `entourage webhooks`, and the webhook of `entourage serve`.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{KEY, Server, complaint, on, on_both_engines, refused, run, said};
use crate::support::{
    database::Database,
    hooks::{Receiver, SECRET},
};

on_both_engines! {
    parked_messages_are_listed_and_resent,
    a_server_sends_what_is_resent,
}

const TWO: &str = "two messages of alice, who follows bob, and of a deleted user";

/// Users, and two parked messages.
async fn with_two_parked(database: &Database) {
    database.store().migrate().await.expect("migrates");
    for name in ["alice", "bob"] {
        on(database, &["user", "add", name, "--no-password"]).success();
    }
    for (id, kind, follower, failure) in [
        ("msg_1", 0, "(SELECT id FROM users WHERE username = 'alice')", "'answered 503'"),
        ("msg_2", 1, "7", "'cannot connect'"),
    ] {
        let followee = "(SELECT id FROM users WHERE username = 'bob')";
        let at = if super::is_sqlite(database) {
            "1750000000000000"
        } else {
            "to_timestamp(1750000000)"
        };
        let values = format!("('{id}', {kind}, {follower}, {followee}, {at}, 10, NULL, {failure})");
        database
            .execute(&format!(
                "INSERT INTO webhooks \
                 (id, kind, follower_id, followee_id, at, attempts, due_at, failure) VALUES {values}"
            ))
            .await;
    }
}

async fn parked_messages_are_listed_and_resent(database: &Database) {
    database.store().migrate().await.expect("migrates");
    let none =
        on(database, &["webhooks", "list"]).success().stdout("").stderr("no message is parked\n");
    drop(none);
    with_two_parked(database).await;

    let table = said(on(database, &["webhooks", "list"]));
    let rows: Vec<_> = table.lines().collect();
    assert_eq!(rows.len(), 3, "{TWO}: {table}");
    assert!(rows[0].starts_with("ID "), "{table}");
    assert!(rows[1].starts_with("msg_1   "), "{table}");
    assert!(rows[1].ends_with("        10  alice -> bob: answered 503"), "{table}");
    assert!(rows[1].contains("  follow.created    2025-06-15T15:06:40Z  "), "{table}");
    assert!(rows[2].ends_with("  (deleted) -> bob: cannot connect"), "{table}");

    let lines = said(on(database, &["webhooks", "list", "--json"]));
    let messages: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(messages.len(), 2, "{TWO}: {lines}");
    assert_eq!(messages[0]["id"], "msg_1");
    assert_eq!(messages[0]["follower"]["username"], "alice");
    let deleted = json!({ "id": "VXNlcjo3", "username": null, "externalId": null });
    assert_eq!(messages[1]["follower"], deleted);
    let but = ("follow.requested", 10, "cannot connect", "2025-06-15T15:06:40.000000Z");
    assert_eq!(messages[1]["type"], but.0);
    assert_eq!(messages[1]["attempts"], but.1);
    assert_eq!(messages[1]["failure"], but.2);
    assert_eq!(messages[1]["timestamp"], but.3);

    let unknown = on(database, &["webhooks", "resend", "msg_1", "msg_3", "msg_4"]);
    refused(&unknown, 1, "nothing is sent: no parked message msg_3, msg_4");
    let resent = said(on(database, &["webhooks", "resend", "msg_1", "msg_1"]));
    assert_eq!(resent, "1 message is sent again\n");
    let again = on(database, &["webhooks", "resend", "msg_1"]);
    refused(&again, 1, "nothing is sent: no parked message msg_1");
    let all = said(on(database, &["webhooks", "resend", "--all"]));
    assert_eq!(all, "1 message is sent again\n");
    let all = said(on(database, &["webhooks", "resend", "--all"]));
    assert_eq!(all, "0 messages are sent again\n");
    complaint(&on(database, &["webhooks", "resend"]), 2);
    complaint(&on(database, &["webhooks", "resend", "msg_1", "--all"]), 2);
}

async fn a_server_sends_what_is_resent(database: &Database) {
    with_two_parked(database).await;
    let receiver = Receiver::start().await;
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("secret");
    fs::write(&file, format!("{SECRET}\r\n")).expect("writes");
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("ENTOURAGE_JWT_SECRET", KEY),
        ("ENTOURAGE_WEBHOOK_URL", &receiver.url),
        ("ENTOURAGE_WEBHOOK_SECRET_FILE", file.to_str().expect("text")),
    ];
    let server = Server::with(None, &[], &variables);
    said(on(database, &["webhooks", "resend", "--all"]));

    let received = receiver.wait_for(1).await;
    assert_eq!(received[0].id(), "msg_1");
    assert_eq!(received[0].header("webhook-signature"), received[0].expected_signature(SECRET));
    assert!(!server.log().contains(&receiver.url), "the URL may be a secret: {}", server.log());
}

#[test]
fn a_webhook_that_cannot_work_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("good"), SECRET).expect("writes");
    fs::write(folder.join("bad"), "hunter2").expect("writes");
    let serve = |url: &str, file: &str| {
        let variables = [("ENTOURAGE_WEBHOOK_URL", url), ("ENTOURAGE_WEBHOOK_SECRET_FILE", file)];
        run(folder, ["serve", "--listen", "127.0.0.1:0"], &variables)
    };

    let not_secure = "ENTOURAGE_WEBHOOK_URL: it must begin with https://; http:// is for receivers \
                      on this machine only";
    refused(&serve("http://app.example/?key=hunter2", "good"), 1, not_secure);
    let no_url = "ENTOURAGE_WEBHOOK_URL: it is not a URL: relative URL without a base";
    refused(&serve("hunter2", "good"), 1, no_url);
    let bad = "ENTOURAGE_WEBHOOK_SECRET_FILE bad: line 1 is not `whsec_` and the base64 of 24 to 64 \
               bytes";
    refused(&serve("https://app.example/", "bad"), 1, bad);
    let missing = complaint(&serve("https://app.example/", "missing"), 1);
    assert!(missing.starts_with("ENTOURAGE_WEBHOOK_SECRET_FILE missing: "), "{missing}");
    for (url, file) in [("https://app.example/", ""), ("", "good")] {
        complaint(&serve(url, file), 2);
    }
    assert!(!folder.join("entourage.db").exists(), "a start that is refused creates nothing");
}
