//! A server that is killed while an account becomes public, and while users are blocked.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use entourage::{
    domain::{
        Audience, FollowAction, FollowChange, FollowChanged, FollowLimits, FollowOutcome,
        PrivacyChange, UserId,
    },
    store::{self, Options, Store},
};
use futures_util::future::join_all;
use serde_json::json;

use super::people::{People, UNLIMITED, assert_sound, username};
use crate::support::{
    answer::{Answer, Caller},
    figures::{tell, until},
    graph::beginning,
    process::Server,
};

/// The longest wait for a number of changes.
const PATIENCE: Duration = Duration::from_mins(1);
/// The number of requests that a transaction accepts.
const TOGETHER: usize = 1_000;
const BLOCKERS: usize = 4;

const GO_PUBLIC: &str = "mutation { updatePrivacy(input: { isPrivate: false }) {
    acceptedRequests remainingRequests } }";
const BLOCK: &str = "mutation ($username: String!) {
    block(input: { user: { username: $username } }) { outcome } }";

/// The followers and the waiting requests of a user.
async fn lengths(store: &dyn Store, user: UserId) -> (usize, usize) {
    let lists = store.lists_by_ids(Audience::EVERYBODY, &[user]).await.expect("it answers");
    let own = store.own_lengths(Audience::EVERYBODY, user).await.expect("it answers");
    let size = |length: i64| usize::try_from(length).expect("not negative");
    (size(lists[&user].counts.followers), size(own.requests_received))
}

/// Kills a server twice while it accepts so many requests, and once while it blocks users.
pub(crate) async fn run(url: &str, requests: usize) {
    let people = People::make(url, requests + 1, 1).await;
    let (owner, token) = (people.ids[0], people.tokens[0].as_str());
    let store = store::connect(url, Options::default()).await.expect("it was just there");
    ask_to_follow(&*store, owner, &people.ids[1..]).await;

    let mut kept = Vec::new();
    for enough in [1, TOGETHER + 1] {
        let server = Server::at(url, &UNLIMITED);
        let caller = Caller::of(&server.address);
        let (answer, ()) = tokio::join!(caller.ask(Some(token), GO_PUBLIC, json!({})), async {
            let is_enough = async || lengths(&*store, owner).await.0 >= enough;
            until(PATIENCE, "accepted", is_enough).await;
            server.signal("KILL");
        });
        assert!(matches!(answer, Answer::Lost | Answer::Data(_)), "{answer:?}");
        drop(server);
        assert_sound(url);
        let (followers, waiting) = lengths(&*store, owner).await;
        assert_eq!(followers + waiting, requests, "none is lost");
        assert!(followers % TOGETHER == 0 || waiting == 0, "{followers}: a transaction is whole");
        kept.push(followers);
    }

    let server = Server::at(url, &UNLIMITED);
    let caller = Caller::of(&server.address);
    let (_, waiting) = lengths(&*store, owner).await;
    let answer = caller.ask(Some(token), GO_PUBLIC, json!({})).await.data();
    let rest = json!({ "acceptedRequests": waiting, "remainingRequests": 0 });
    assert_eq!(answer["updatePrivacy"], rest);
    assert_eq!(lengths(&*store, owner).await, (requests, 0));

    let blocked = block_until_killed(server, &caller, token).await;
    assert_sound(url);
    let ids: Vec<_> = blocked.iter().map(|place| people.ids[*place]).collect();
    let ties = store.ties(owner, &ids).await.expect("it answers");
    assert!(ids.iter().all(|id| ties.get(id).is_some_and(|tie| tie.is_blocking)));
    let relations = store.relations(owner, &ids, &ids).await.expect("it answers");
    assert_eq!(relations.len(), 0, "a block ends the follows");
    store.close().await;
    tell(&format!(
        "killed while an account became public, with {kept:?} of {requests} requests accepted, and \
         after {} acknowledged blocks: each is whole, and a repeated call ends it",
        blocked.len()
    ));
}

async fn ask_to_follow(store: &dyn Store, owner: UserId, others: &[UserId]) {
    let private = PrivacyChange { is_private: Some(true), ..PrivacyChange::default() };
    store.update_privacy(owner, private).await.expect("it answers");
    let action = FollowAction::Follow(FollowLimits::NONE);
    let ask = |follower| FollowChange { follower, followee: owner, at: beginning(), action };
    for others in others.chunks(500) {
        let changes: Vec<_> = others.iter().copied().map(ask).collect();
        for changed in store.change_follows(&changes).await {
            let outcome = changed.expect("it answers").outcome;
            assert_eq!(outcome, FollowChanged::Follow(Ok(FollowOutcome::Requested)));
        }
    }
}

/// Blocks one user after the other in several tasks, kills the server, and returns the places of
/// the users whose blocks were acknowledged.
async fn block_until_killed(server: Server, caller: &Caller, token: &str) -> Vec<usize> {
    let (next, acknowledged) = (AtomicUsize::new(1), Mutex::<Vec<usize>>::default());
    let block = async || {
        loop {
            let place = next.fetch_add(1, SeqCst);
            let variables = json!({ "username": username(place) });
            match caller.ask(Some(token), BLOCK, variables).await {
                Answer::Data(data) => {
                    assert_eq!(data["block"]["outcome"], "BLOCKED");
                    acknowledged.lock().expect("no task panics with it").push(place);
                }
                Answer::Lost => return,
                Answer::Refused(code) => panic!("{code}"),
            }
        }
    };
    let blocks = join_all((0..BLOCKERS).map(|_| block()));
    let kill = async {
        let count = async || acknowledged.lock().expect("no task panics with it").len() >= 40;
        until(PATIENCE, "blocked", count).await;
        server.signal("KILL");
    };
    tokio::join!(blocks, kill);
    drop(server);
    acknowledged.into_inner().expect("no task panics with it")
}
