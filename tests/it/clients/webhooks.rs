//! The receiver of `docs/webhooks.md`, which verifies what the server signs.

use std::{
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

use chrono::{DateTime, TimeDelta, Utc};
use entourage::{
    domain::{
        Clock, FollowAction, FollowChange, FollowLimits, NewUser, SystemClock, UserId, Username,
    },
    service::{WebhookReceiver, WebhookSecrets},
};
use serde_json::Value;

use super::file;
use crate::support::{
    clock::ByHand,
    database::{Database, Engine},
    hooks::{OLD_SECRET, SECRET, service},
};

/// The script, which is killed on drop.
struct Script {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Script {
    fn start(secret: &str) -> Self {
        let mut node = Command::new("node");
        node.arg(file("webhooks/receiver.mjs")).env("WEBHOOK_SECRET", secret);
        let mut process = node.stdout(Stdio::piped()).spawn().expect("there is Node");
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        Self { process, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("it runs").expect("text")
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn the_receiver_of_the_page_verifies_messages() {
    let mut script = Script::start(SECRET);
    let url = script.line();
    let database = Database::migrated(Engine::Sqlite).await;
    let store = database.store_with_webhooks().await;
    let now = SystemClock.now();
    for (id, name) in (1..).zip(["alice", "bob", "carol"]) {
        let username = Username::parse(name).expect("a username");
        let user = NewUser::bare(UserId(id), username, now);
        store.create_user(&user).await.expect("the store works");
    }
    // A server with these secrets takes a follow of alice and delivers what is due.
    let deliver = async |secrets: &[&str], now: DateTime<Utc>, followee| {
        let action = FollowAction::Follow(FollowLimits::NONE);
        let (follower, followee) = (UserId(1), UserId(followee));
        let change = FollowChange { follower, followee, at: now, action };
        store.change_follow(change).await.expect("the store works");
        let secrets = WebhookSecrets::parse(&secrets.join("\n")).expect("secrets");
        let receiver = WebhookReceiver::new(&url, secrets).expect("a URL of the loopback");
        service(&store, &ByHand::new(now), receiver).deliver_webhooks().await;
        store.webhook_backlog().await.expect("the store works").waiting
    };

    let late = now - TimeDelta::minutes(10);
    assert_eq!(deliver(&[OLD_SECRET], now, 2).await, 1, "another secret is refused");
    assert_eq!(deliver(&[SECRET], late, 3).await, 2, "an old message is refused");
    let soon = now + TimeDelta::seconds(30);
    assert_eq!(deliver(&[OLD_SECRET, SECRET], soon, 3).await, 0, "one of two secrets is enough");

    let mut names: Vec<_> = (0..2)
        .map(|_| {
            let message: Value = serde_json::from_str(&script.line()).expect("JSON");
            assert_eq!(message["type"], "follow.created");
            message["data"]["followee"]["username"].as_str().map(str::to_owned)
        })
        .collect();
    names.sort();
    assert_eq!(names, [Some("bob".to_owned()), Some("carol".to_owned())]);
    store.close().await;
}
