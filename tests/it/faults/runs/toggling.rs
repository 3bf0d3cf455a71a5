//! Two servers on one database, where many clients follow and unfollow the same users.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::SeqCst},
};

use entourage::store::{self, Options};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tokio::task::JoinSet;

use super::people::{People, UNLIMITED, assert_sound, username};
use crate::support::{answer::Caller, figures::tell, process::Server};

/// The number of users. Each follows the others, so there are pairs in both directions.
const USERS: usize = 11;
const PAIRS: usize = 100;
/// The number of clients of each server.
const CLIENTS: usize = 16;
const SERVERS: usize = 2;

const TOGGLE: &str = "mutation($username: String!, $follow: Boolean!) {
    follow(input: {user: {username: $username}}) @include(if: $follow) { outcome }
    unfollow(input: {user: {username: $username}}) @skip(if: $follow) { outcome }
}";

/// A pair, with the number of its follows minus that of its unfollows.
struct Pair {
    follower: usize,
    followee: usize,
    balance: AtomicI64,
}

/// Lets every client change this many random pairs.
pub(crate) async fn run(url: &str, changes: usize) {
    let people = Arc::new(People::make(url, USERS, USERS).await);
    let all = (0..USERS).flat_map(|a| (0..USERS).map(move |b| (a, b))).filter(|(a, b)| a != b);
    let pair = |(follower, followee)| Pair { follower, followee, balance: AtomicI64::new(0) };
    let pairs: Arc<Vec<_>> = Arc::new(all.take(PAIRS).map(pair).collect());
    let servers: Vec<_> = (0..SERVERS).map(|_| Server::at(url, &UNLIMITED)).collect();

    let clients = (0..CLIENTS * SERVERS).map(|n| {
        let caller = Caller::of(&servers[n % SERVERS].address);
        toggle(caller, Arc::clone(&people), Arc::clone(&pairs), n as u64, changes)
    });
    let changed: usize = clients.collect::<JoinSet<_>>().join_all().await.into_iter().sum();

    let store = store::connect(url, Options::default()).await.expect("it is there");
    for pair in &*pairs {
        let (follower, followee) = (people.ids[pair.follower], people.ids[pair.followee]);
        let edge = store.relations(follower, &[followee], &[]).await.expect("it answers");
        assert_eq!(pair.balance.load(SeqCst), i64::from(!edge.is_empty()), "{follower} {followee}");
    }
    store.close().await;
    assert_sound(url);
    tell(&format!(
        "{SERVERS} servers with {CLIENTS} clients each toggled {PAIRS} pairs {} times: {changed} \
         changes, each reported to exactly one client; invariants hold",
        changes * CLIENTS * SERVERS,
    ));
}

/// Makes changes, and returns how many of them were real.
async fn toggle(
    caller: Caller,
    people: Arc<People>,
    pairs: Arc<Vec<Pair>>,
    seed: u64,
    changes: usize,
) -> usize {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut real = 0;
    for _ in 0..changes {
        let pair = &pairs[random.random_range(0..PAIRS)];
        let follows = random.random_bool(0.5);
        let variables = json!({ "username": username(pair.followee), "follow": follows });
        let token = &people.tokens[pair.follower];
        let data = caller.ask(Some(token), TOGGLE, variables).await.data();

        let field = if follows { "follow" } else { "unfollow" };
        let change = match data[field]["outcome"].as_str() {
            Some("FOLLOWED") => 1,
            Some("UNFOLLOWED") => -1,
            Some("ALREADY_FOLLOWING" | "NOT_FOLLOWING") => continue,
            _ => panic!("{data}"),
        };
        pair.balance.fetch_add(change, SeqCst);
        real += 1;
    }
    real
}
