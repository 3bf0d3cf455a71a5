//! Servers that are killed while users follow and unfollow each other, and readers who go on from
//! their positions all the while: every acknowledged change is in the logs exactly once.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use entourage::{
    domain::{EventKind, FollowEvent, UserId},
    graphql::{decode_event, encode_event},
    store::{self, Options, Store},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tokio::{task::JoinSet, time::timeout};

use super::people::{People, UNLIMITED, assert_sound, username};
use crate::support::{
    answer::{Answer, Caller},
    figures::{tell, until},
    process::Server,
};

/// The longest wait for a number of changes, and for a server.
const PATIENCE: Duration = Duration::from_mins(1);
/// The pause of a writer whose server is gone.
const PAUSE: Duration = Duration::from_millis(20);
const READERS: usize = 3;
const SUBSCRIBERS: usize = 12;
/// How long a subscriber waits before it looks whether the run is over.
const SILENCE: Duration = Duration::from_millis(500);

const FOLLOW: &str = "mutation ($username: String!) {
    change: follow(input: { user: { username: $username } }) { outcome } }";
const SUBSCRIBE: &str = "subscription ($after: String) {
    followEvents(after: $after) { cursor kind user { username } } }";
const UNFOLLOW: &str = "mutation ($username: String!) {
    change: unfollow(input: { user: { username: $username } }) { outcome } }";

/// The size of the run.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) servers: usize,
    pub(crate) writers: usize,
    pub(crate) kills: usize,
    /// The number of changes between two kills.
    pub(crate) changes: usize,
}

/// What all writers share.
struct Shared {
    people: People,
    /// The servers, as their last start left them.
    callers: Mutex<Vec<Caller>>,
    acknowledged: AtomicUsize,
    is_over: AtomicBool,
    /// Whether every writer has finished its last change.
    is_done: AtomicBool,
}

/// For each followee of a writer, the number of follows and of unfollows.
type Changes = HashMap<usize, [usize; 2]>;

/// Kills one server after the other and restarts it.
pub(crate) async fn run(url: &str, size: Size) {
    let people = People::make(url, size.writers, size.writers).await;
    let start = || Server::at(url, &UNLIMITED);
    let mut servers: Vec<_> = (0..size.servers).map(|_| start()).collect();
    let callers = servers.iter().map(|server| Caller::of(&server.address)).collect();
    let shared = Arc::new(Shared {
        people,
        callers: Mutex::new(callers),
        acknowledged: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
        is_done: AtomicBool::new(false),
    });
    let writers: JoinSet<_> =
        (0..size.writers).map(|place| write(Arc::clone(&shared), place, size.servers)).collect();
    let readers: JoinSet<_> =
        (0..READERS).map(|_| read(Arc::clone(&shared), url.to_owned())).collect();

    let subscribers: JoinSet<_> = (0..SUBSCRIBERS.min(size.writers))
        .map(|place| subscribe(Arc::clone(&shared), place, url.to_owned(), size.servers))
        .collect();

    for kill in 0..size.kills {
        let enough = shared.acknowledged.load(SeqCst) + size.changes;
        let is_enough = async || shared.acknowledged.load(SeqCst) >= enough;
        until(PATIENCE, "acknowledged", is_enough).await;
        let place = kill % size.servers;
        servers[place].signal("KILL");
        servers[place] = start();
        let caller = Caller::of(&servers[place].address);
        shared.callers.lock().expect("no holder panics")[place] = caller;
    }
    shared.is_over.store(true, SeqCst);
    let changes = writers.join_all().await;
    shared.is_done.store(true, SeqCst);
    let logs = readers.join_all().await;
    let subscribed = subscribers.join_all().await;
    drop(servers);

    let mut ordered: Vec<_> = changes.into_iter().collect();
    ordered.sort_unstable_by_key(|(place, _)| *place);
    for logs in &logs {
        assert_complete(&shared.people.ids, &ordered, logs);
    }
    let mut connections = 0;
    for (user, seen, streams) in subscribed {
        let all: Vec<_> = (1..).take(logs[0][&user].len()).collect();
        assert_eq!(seen, all, "{user}: a subscriber missed an event");
        connections += streams;
    }
    assert_sound(url);
    let events: usize = logs[0].values().map(Vec::len).sum();
    tell(&format!(
        "{} servers, {} writers, {} kills: {} acknowledged changes, {events} events, each exactly \
         once for {READERS} readers; subscribers reconnected {connections} times and missed none",
        size.servers,
        size.writers,
        size.kills,
        shared.acknowledged.load(SeqCst),
    ));
}

/// Follows and unfollows one user after the other until the run is over. A change that was not
/// answered is repeated until it is, so each happens exactly once.
async fn write(shared: Arc<Shared>, place: usize, servers: usize) -> (usize, Changes) {
    let mut random = ChaCha8Rng::seed_from_u64(place as u64);
    let mut changes = Changes::new();
    let users = shared.people.ids.len();
    while !shared.is_over.load(SeqCst) {
        let followee = (place + random.random_range(1..users)) % users;
        for (kind, document) in [FOLLOW, UNFOLLOW].into_iter().enumerate() {
            let server = random.random_range(0..servers);
            change(&shared, place, followee, document, server).await;
            shared.acknowledged.fetch_add(1, SeqCst);
            changes.entry(followee).or_default()[kind] += 1;
        }
    }
    (place, changes)
}

async fn change(shared: &Shared, place: usize, followee: usize, document: &str, server: usize) {
    let mut is_unsure = false;
    loop {
        let caller = shared.callers.lock().expect("no holder panics")[server].clone();
        let token = Some(shared.people.tokens[place].as_str());
        let variables = json!({ "username": username(followee) });
        match caller.ask(token, document, variables).await {
            Answer::Data(data) => {
                let outcome = data["change"]["outcome"].as_str().unwrap_or_default();
                let is_done = matches!(outcome, "FOLLOWED" | "UNFOLLOWED");
                assert!(is_done || is_unsure, "{data}");
                return;
            }
            Answer::Lost | Answer::Refused(_) => is_unsure = true,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Reads all logs from their beginning, going on from one position to the next, until the writers
/// are done and nothing is left.
async fn read(shared: Arc<Shared>, url: String) -> HashMap<UserId, Vec<FollowEvent>> {
    let store = store::connect(&url, Options::default()).await.expect("it was just there");
    let ids = &shared.people.ids;
    let mut logs: HashMap<_, Vec<FollowEvent>> = ids.iter().map(|id| (*id, Vec::new())).collect();
    loop {
        let is_done = shared.is_done.load(SeqCst);
        if read_on(&*store, &mut logs).await == 0 && is_done {
            break;
        }
    }
    store.close().await;
    logs
}

/// Subscribes to the log of a writer, and reconnects with the last cursor at random moments, until
/// the writers are done and nothing is left. Returns the numbers of the events, and how many streams
/// it took.
async fn subscribe(
    shared: Arc<Shared>,
    place: usize,
    url: String,
    servers: usize,
) -> (UserId, Vec<i64>, usize) {
    let store = store::connect(&url, Options::default()).await.expect("it was just there");
    let mut random = ChaCha8Rng::seed_from_u64(1_000 + place as u64);
    let (user, token) = (shared.people.ids[place], shared.people.tokens[place].as_str());
    // Before the first event; a cursor is of a log, so an empty one has one, too.
    let mut cursor = encode_event(user, 0);
    let (mut seen, mut streams) = (Vec::new(), 0);
    loop {
        if shared.is_done.load(SeqCst) {
            let last = store.last_events(&[user]).await.expect("it answers")[&user];
            if seen.last().copied().unwrap_or_default() == last {
                break;
            }
        }
        let server = random.random_range(0..servers);
        let caller = shared.callers.lock().expect("no holder panics")[server].clone();
        let variables = json!({ "after": cursor });
        let Some(mut stream) = caller.subscribe(token, SUBSCRIBE, variables).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        streams += 1;
        for _ in 0..random.random_range(1..60) {
            let Ok(Some(next)) = timeout(SILENCE, stream.next_cursor()).await else { break };
            let number = decode_event(user, &next).expect("a cursor of this log");
            assert_eq!(number, seen.last().copied().unwrap_or_default() + 1, "{user}");
            seen.push(number);
            cursor = next;
        }
    }
    store.close().await;
    (user, seen, streams)
}

/// Reads what is new in all logs, and returns how many events that were.
async fn read_on(store: &dyn Store, logs: &mut HashMap<UserId, Vec<FollowEvent>>) -> usize {
    let last = |log: &Vec<FollowEvent>| log.last().map_or(0, |event| event.sequence);
    let places: Vec<_> = logs.iter().map(|(user, log)| (*user, last(log))).collect();
    let mut read = 0;
    for ((user, after), log) in store.events_after(&places).await.expect("it answers") {
        let numbers: Vec<_> = log.events.iter().map(|event| event.sequence).collect();
        let next: Vec<_> = (after + 1..).take(numbers.len()).collect();
        assert_eq!(numbers, next, "{user}: an event was skipped");
        read += numbers.len();
        logs.get_mut(&user).expect("asked for").extend(log.events);
    }
    read
}

/// Asserts that the logs have each change exactly once, and nothing else.
fn assert_complete(
    ids: &[UserId],
    changes: &[(usize, Changes)],
    logs: &HashMap<UserId, Vec<FollowEvent>>,
) {
    let mut found = HashMap::<(UserId, UserId, EventKind), usize>::new();
    for (user, log) in logs {
        for event in log {
            *found.entry((*user, event.other, event.kind)).or_default() += 1;
        }
    }
    for (writer, changes) in changes {
        for (followee, [follows, unfollows]) in changes {
            let (writer, followee) = (ids[*writer], ids[*followee]);
            let followed = found.remove(&(followee, writer, EventKind::Followed));
            assert_eq!(followed, Some(*follows), "{writer} -> {followee}");
            let ended = found.remove(&(writer, followee, EventKind::FollowEnded));
            assert_eq!(ended, Some(*unfollows), "{writer} -> {followee}");
        }
    }
    assert!(found.is_empty(), "events without a change: {found:?}");
}
