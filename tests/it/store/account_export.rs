//! The file of an account: what is in it, in which order, and as of which moment.

use std::{collections::BTreeSet, sync::Arc};

use entourage::{
    domain::{
        Day, ExternalId, Follow, FollowAction, FollowEvent, FollowLimits, FollowPosition, Mute,
        NewUser, OwnItem, User, UserId,
    },
    store::{Error, Export, ExportedAccount, ExportedList, Graph, Result, Store},
    transfer::AccountFile,
};
use serde_json::{Value, json};

use super::{
    ALICE, BOB, CAROL, DAVE, NOBODY, all_kinds_of_edges, at, cases, change, create, follow,
    make_private, mute, new_user,
};

cases! {
    the_file_of_an_account_has_all_that_its_owner_sees,
    the_file_does_not_say_who_blocks_its_owner,
    long_lists_are_whole_and_read_in_parts,
    the_file_is_as_of_one_moment,
    a_missing_user_has_no_file,
}

/// The parts of the file of an account.
async fn parts(store: &dyn Store, user: UserId) -> Vec<String> {
    let export = store.export().await.unwrap();
    let mut file = AccountFile::begin(export, user, at(1_000)).await.unwrap().expect("a user");
    let mut parts = Vec::new();
    while let Some(part) = file.next_part().await.unwrap() {
        parts.push(part);
    }
    parts
}

async fn file(store: &dyn Store, user: UserId) -> Value {
    serde_json::from_str(&parts(store, user).await.concat()).expect("it is JSON")
}

fn time(micros: i64) -> String {
    format!("2025-06-15T15:06:40.{micros:06}Z")
}

fn entry(id: &str, username: &str, micros: i64) -> Value {
    json!({ "id": id, "username": username, "since": time(micros) })
}

const KEYS: [&str; 14] = [
    "format",
    "exportedAt",
    "counts",
    "account",
    "privacy",
    "usage",
    "following",
    "followers",
    "requestsSent",
    "requestsReceived",
    "blocks",
    "mutes",
    "events",
    "complete",
];

/// Makes alice with an entry in each of her lists.
async fn alice_with_all(store: &dyn Store) {
    let alice = NewUser {
        name: Some("Alice \"A\"".to_owned()),
        bio: Some("two\nlines".to_owned()),
        external_id: Some(ExternalId::parse("h|1").expect("a good id")),
        password_hash: Some("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA".to_owned()),
        ..new_user(ALICE, "alice")
    };
    store.create_user(&alice).await.unwrap();
    let bob = NewUser {
        external_id: Some(ExternalId::parse("h|2").expect("a good id")),
        ..new_user(BOB, "Bob")
    };
    store.create_user(&bob).await.unwrap();
    for (id, name) in [(CAROL, "carol"), (DAVE, "dave"), (UserId(6), "erin")] {
        create(store, id, name).await;
    }
    follow(store, BOB, ALICE, 1).await;
    make_private(store, ALICE).await;
    make_private(store, BOB).await;
    make_private(store, DAVE).await;
    let ask = FollowAction::Follow(FollowLimits::NONE);
    change(store, CAROL, ALICE, ask, 2).await;
    change(store, ALICE, DAVE, ask, 3).await;
    follow(store, ALICE, CAROL, 4).await;
    change(store, ALICE, UserId(6), FollowAction::Block { limit: 99 }, 5).await;
    mute(store, ALICE, BOB, 6).await;
    let until = Mute { until: Some(at(60)) };
    store.mute(ALICE, CAROL, until, at(7), 99).await.unwrap();
}

async fn the_file_of_an_account_has_all_that_its_owner_sees(store: &dyn Store) {
    alice_with_all(store).await;
    let file = file(store, ALICE).await;
    let (bob, carol) = (("VXNlcjoy", "Bob"), ("VXNlcjoz", "carol"));
    let with_until = |mut entry: Value, until: Value| {
        entry["until"] = until;
        entry
    };
    let event = |number: i64, kind: &str, user: (&str, &str), micros: i64| {
        json!({
            "number": number, "kind": kind, "cause": "USER", "at": time(micros),
            "isRepeat": false, "user": { "id": user.0, "username": user.1 },
        })
    };
    let expected = json!({
        "format": "entourage-account/1",
        "exportedAt": time(1_000),
        "counts": {
            "following": 1, "followers": 1, "requestsSent": 1, "requestsReceived": 1, "blocks": 1,
            "mutes": 2, "events": 2,
        },
        "account": {
            "id": "VXNlcjox", "username": "alice", "externalId": "h|1", "name": "Alice \"A\"",
            "bio": "two\nlines", "avatarUrl": null, "role": "user", "standing": "active",
            "createdAt": time(1),
        },
        "privacy": {
            "isPrivate": true, "acceptsFollowed": false, "followers": null, "following": null,
        },
        "usage": { "followsToday": 2, "following": 1, "requestsSent": 1 },
        "following": [entry(carol.0, carol.1, 4)],
        // Bob is private, and his external id is not Alice's to see.
        "followers": [entry(bob.0, bob.1, 1)],
        "requestsSent": [entry("VXNlcjo0", "dave", 3)],
        "requestsReceived": [entry(carol.0, carol.1, 2)],
        "blocks": [entry("VXNlcjo2", "erin", 5)],
        "mutes": [
            with_until(entry(carol.0, carol.1, 7), json!(time(60))),
            with_until(entry(bob.0, bob.1, 6), Value::Null),
        ],
        "events": [event(1, "FOLLOWED", bob, 1), event(2, "REQUESTED", carol, 2)],
        "complete": true,
    });
    assert_eq!(file, expected);
    let keys: Vec<_> = file.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, KEYS);
}

async fn the_file_does_not_say_who_blocks_its_owner(store: &dyn Store) {
    all_kinds_of_edges(store).await;
    let erin = UserId(6);
    // Alice blocks erin back, has muted her, and had her as a follower.
    change(store, ALICE, erin, FollowAction::Block { limit: 99 }, 20).await;
    mute(store, ALICE, erin, 21).await;
    let text = parts(store, ALICE).await.concat();
    assert!(!text.contains("erin") && !text.contains("VXNlcjo2"), "{text}");
    let file: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!((&file["counts"]["blocks"], &file["counts"]["mutes"]), (&json!(0), &json!(1)));
    assert_eq!(file["blocks"], json!([]));
    // Carol mutes Alice, and nothing says that.
    assert_eq!(file["mutes"].as_array().expect("a list").len(), 1);

    change(store, erin, ALICE, FollowAction::Unblock, 22).await;
    let file = self::file(store, ALICE).await;
    assert_eq!(file["counts"]["blocks"], json!(1));
    assert_eq!(file["blocks"], json!([entry("VXNlcjo2", "erin", 20)]));
}

async fn long_lists_are_whole_and_read_in_parts(store: &dyn Store) {
    const FOLLOWERS: i64 = 2_345;
    let followers = || (2..FOLLOWERS + 2).map(UserId);
    // Many follows at the same time, so that pages end between them.
    let since = |user: UserId| user.0 % 7;
    let name = |user: UserId| format!("u{}", user.0);
    let graph = Graph {
        users: (1..FOLLOWERS + 2).map(|id| new_user(UserId(id), &name(UserId(id)))).collect(),
        follows: followers()
            .map(|follower| Follow { follower, followee: ALICE, followed_at: at(since(follower)) })
            .collect(),
    };
    store.load(graph, &|_| ()).await.unwrap();

    let parts = parts(store, ALICE).await;
    let longest = parts.iter().map(String::len).max().expect("there are parts");
    assert!(parts.len() > 10 && longest < 200_000, "{} parts of {longest} bytes", parts.len());
    let file: Value = serde_json::from_str(&parts.concat()).expect("it is JSON");
    assert_eq!(file["counts"]["followers"], json!(FOLLOWERS));
    let model: BTreeSet<_> = followers().map(|user| (since(user), user)).collect();
    let model = model.into_iter().rev().map(|(micros, user)| (name(user), time(micros)));
    let model: Vec<_> = model.collect();
    let listed = file["followers"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let listed: Vec<_> =
        listed.map(|entry| (text(&entry["username"]), text(&entry["since"]))).collect();
    assert!(listed == model, "newest first, and by id");
    assert_eq!(file["complete"], json!(true));
}

async fn the_file_is_as_of_one_moment(store: &dyn Store) {
    all_kinds_of_edges(store).await;
    let before = file(store, ALICE).await;
    let export = store.export().await.unwrap();
    let file = AccountFile::begin(export, ALICE, at(1_000)).await.unwrap();
    let mut file = file.expect("a user");
    let mut text = file.next_part().await.unwrap().expect("a part");
    follow(store, CAROL, ALICE, 30).await;
    store.delete_user(BOB, at(31)).await.unwrap();
    while let Some(part) = file.next_part().await.unwrap() {
        text += &part;
    }
    assert_eq!(serde_json::from_str::<Value>(&text).expect("it is JSON"), before);
    drop(file);
    assert_ne!(self::file(store, ALICE).await, before);
}

async fn a_missing_user_has_no_file(store: &dyn Store) {
    create(store, UserId(1_000), "next").await;
    let export = store.export().await.unwrap();
    assert!(AccountFile::begin(export, NOBODY, at(0)).await.unwrap().is_none());
}

/// An export whose database fails at a call, and has missing users.
struct Failing {
    account: ExportedAccount,
    calls: usize,
}

#[async_trait::async_trait]
impl Export for Failing {
    async fn users(&mut self) -> Result<Vec<(Arc<User>, String)>> {
        Ok(Vec::new())
    }

    async fn follows(&mut self) -> Result<Vec<Follow>> {
        Ok(Vec::new())
    }

    async fn account(&mut self, _: UserId, _: Day) -> Result<Option<ExportedAccount>> {
        Ok(Some(self.account.clone()))
    }

    async fn entries(
        &mut self,
        _: UserId,
        _: ExportedList,
        _: Option<FollowPosition>,
    ) -> Result<Vec<(OwnItem, Option<Arc<User>>)>> {
        self.calls = self.calls.checked_sub(1).ok_or(Error::Unavailable("a test".into()))?;
        let item = OwnItem { user: BOB, since: at(0), until: None };
        Ok(vec![(item, self.calls.is_multiple_of(2).then(|| Arc::clone(&self.account.user)))])
    }

    async fn events(&mut self, _: UserId, _: i64) -> Result<Vec<(FollowEvent, Option<Arc<User>>)>> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_file_whose_database_fails_has_no_end() {
    let account = ExportedAccount {
        user: Arc::new(User::bare(ALICE, "alice", at(0))),
        role: "user".to_owned(),
        privacy: entourage::domain::Privacy::PUBLIC,
        usage: entourage::domain::FollowUsage::default(),
        lengths: entourage::domain::OwnLengths::default(),
        events: 0,
    };
    let export = Box::new(Failing { account, calls: 4 });
    let mut file = AccountFile::begin(export, ALICE, at(0)).await.unwrap().expect("a user");
    let mut text = String::new();
    let error = loop {
        match file.next_part().await {
            Ok(part) => text += &part.expect("it fails before its end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(!text.contains("complete"), "{text}");
    // Missing users leave no gap: closed by hand, it is JSON.
    let file: Value = serde_json::from_str(&(text + "]}")).expect("it is JSON");
    assert_eq!(file["following"].as_array().expect("a list").len(), 2);
}
