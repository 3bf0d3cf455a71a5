//! `entourage events`

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{on, on_both_engines, refused, said};
use crate::support::{database::Database, graph::draw};

on_both_engines! {
    a_log_is_printed_as_lines_of_json,
    a_log_goes_on_after_a_cursor,
    further_events_are_printed_as_they_come,
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

async fn a_log_is_printed_as_lines_of_json(database: &Database) {
    database.store().migrate().await.expect("migrates");
    draw(database.store(), "bob -> ada\ncid -> ada").await;

    let printed = lines(&said(on(database, &["events", "ada"])));

    assert_eq!(printed.len(), 2);
    let mut first = printed[0].clone();
    assert!(first["cursor"].take().is_string());
    let expected = json!({
        "cursor": null, "kind": "FOLLOWED", "cause": "USER", "at": first["at"], "isRepeat": false,
        "user": { "id": "VXNlcjox", "username": "bob" },
    });
    assert_eq!(first, expected);
    assert_eq!(said(on(database, &["events", "bob"])), "");
    refused(&on(database, &["events", "zoe"]), 1, "no such user: \"zoe\"");
}

async fn a_log_goes_on_after_a_cursor(database: &Database) {
    database.store().migrate().await.expect("migrates");
    draw(database.store(), "bob -> ada\ncid -> ada\ndee -> ada").await;
    let all = lines(&said(on(database, &["events", "ada"])));
    let cursor = |place: usize| all[place]["cursor"].as_str().expect("a cursor").to_owned();

    let rest = said(on(database, &["events", "ada", "--after", &cursor(0)]));
    assert_eq!(lines(&rest), all[1..]);
    let bad = on(database, &["events", "bob", "--after", &cursor(0)]);
    refused(&bad, 1, &format!("{:?} is not a cursor of the events of bob", cursor(0)));

    database.execute("DELETE FROM follow_events WHERE sequence <= 2").await;
    assert_eq!(lines(&said(on(database, &["events", "ada"]))), all[2..]);
    let expired = on(database, &["events", "ada", "--after", &cursor(0)]);
    let advice = format!(
        "the log no longer has the events after this cursor: to print those that are kept, pass \
         --after {}",
        cursor(1)
    );
    refused(&expired, 1, &advice);
    assert_eq!(lines(&said(on(database, &["events", "ada", "--after", &cursor(1)]))), all[2..]);
}

async fn further_events_are_printed_as_they_come(database: &Database) {
    database.store().migrate().await.expect("migrates");
    draw(database.store(), "bob -> ada").await;
    let mut process = Command::new(env!("CARGO_BIN_EXE_entourage"))
        .args(["events", "ada", "--follow"])
        .env_clear()
        .env("DATABASE_URL", &database.url)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let output = BufReader::new(process.stdout.take().expect("it is piped"));
    let mut output = output.lines().map(|line| lines(&line.expect("text"))[0]["kind"].clone());
    assert_eq!(output.next(), Some(json!("FOLLOWED")));

    assert_eq!(said(on(database, &["user", "delete", "bob"])), "deleted bob\n");

    assert_eq!(output.next(), Some(json!("FOLLOWER_LOST")));
    process.kill().expect("it runs");
    process.wait().expect("it ends");
}
