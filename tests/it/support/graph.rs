//! Graphs as text: `alice -> bob carol` creates three users and two follows.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use entourage::{
    domain::{FollowLimits, NewUser, UserId, Username},
    store::{CreateOutcome, Store},
};

use super::follow::{FOLLOWED, FollowOne};

/// The time of the first follow of a drawn graph; each further one is a second later.
pub(crate) fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 0).expect("in range")
}

/// Creates the users and follows of a text, in its order: a line names a user and, after the arrow,
/// the users they follow. Ids start at 1, in the order of first mention.
pub(crate) async fn draw(store: &dyn Store, text: &str) -> HashMap<String, UserId> {
    let mut users = HashMap::new();
    let mut followed_at = beginning();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (follower, followees) = line.split_once("->").unwrap_or((line, ""));
        let follower = user(store, &mut users, follower.trim()).await;
        for followee in followees.split_whitespace() {
            let followee = user(store, &mut users, followee).await;
            let outcome = store
                .follow(follower, followee, followed_at, FollowLimits::NONE)
                .await
                .expect("it works");
            assert_eq!(outcome, FOLLOWED, "{line}");
            followed_at += TimeDelta::seconds(1);
        }
    }
    users
}

async fn user(store: &dyn Store, users: &mut HashMap<String, UserId>, name: &str) -> UserId {
    if let Some(id) = users.get(name) {
        return *id;
    }
    let id = UserId(i64::try_from(users.len()).expect("few users") + 1);
    let username = Username::parse(name).expect("a username");
    let new = NewUser::bare(id, username, beginning());
    assert_eq!(store.create_user(&new).await.expect("it works"), CreateOutcome::Created);
    users.insert(name.to_owned(), id);
    id
}
