//! A server under mixed load for a long time, on each engine.
//!
//! The run takes `TEST_SOAK_SECONDS`, by default ten minutes. Both engines run at the same time, to
//! save time.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tokio::{task::JoinSet, time::interval};

use crate::{
    runs::people::{People, UNLIMITED, assert_sound, username},
    support::{
        answer::Caller,
        database::{Database, Engine},
        figures::{percentile, tell, worst},
        process::Server,
    },
};

const SECONDS: u64 = 600;
/// The number of clients, each with its own user.
const CLIENTS: usize = 8;
const USERS: usize = 2_000;
/// How often the memory of the process is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(1);
/// By how much the memory may grow after the first tenth of the run, in percent.
const GROWTH_MAX: u64 = 10;

const PROFILE: &str = "query($username: String!) { user(username: $username) { username name
    followers(first: 20) { totalCount nodes { username viewerIsFollowing } }
    following(first: 10) { totalCount nodes { username } } } }";
const USERS_OF_A_PAGE: &str = "{ users(first: 50) { nodes { username
    followers(first: 10) { totalCount nodes { username } } } } }";
const FOLLOW: &str = "mutation($username: String!) {
    follow(input: {user: {username: $username}}) { outcome } }";
const UNFOLLOW: &str = "mutation($username: String!) {
    unfollow(input: {user: {username: $username}}) { outcome } }";
const SIGN_UP: &str = "mutation($username: String!) {
    signUp(input: {username: $username, password: \"a good one\"}) { token } }";
const SIGN_IN: &str = "mutation($username: String!) {
    signIn(input: {username: $username, password: \"a good one\"}) { token } }";
const FOLLOWING: &str = "{ viewer { user { following { totalCount } } } }";

/// The counters of all clients of a server.
#[derive(Debug, Default)]
struct Counted {
    requests: AtomicU64,
    sign_ins: AtomicUsize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak() {
    #[expect(clippy::disallowed_methods, reason = "the duration is configured this way")]
    let seconds = std::env::var("TEST_SOAK_SECONDS");
    let seconds = seconds.map_or(SECONDS, |text| text.parse().expect("a number of seconds"));
    let time = Duration::from_secs(seconds);
    let [sqlite, postgres] = [Engine::Sqlite, Engine::Postgres].map(|engine| async move {
        Database::closed(engine).await.run(async |database| on(database, time).await).await;
    });
    tokio::join!(sqlite, postgres);
}

async fn on(database: &Database, time: Duration) {
    let people = People::make(&database.url, USERS, 1).await;
    let server = Server::start(database, &[&UNLIMITED[..], &["--sign-up", "open"]].concat());
    let caller = Caller::of(&server.address);
    let counted = Arc::<Counted>::default();
    let until = Instant::now() + time;
    let clients: JoinSet<_> =
        (0..CLIENTS).map(|n| client(caller.clone(), Arc::clone(&counted), n, until)).collect();

    let mut memory = Vec::new();
    let mut looks = interval(MEASURE_EVERY);
    while Instant::now() < until {
        looks.tick().await;
        memory.push(resident_mib(server.id()));
    }
    let waits: Vec<Vec<Duration>> = clients.join_all().await;
    assert_sound(&database.url);
    let users = caller.ask(None, "{ users { totalCount } }", json!({})).await.data();
    assert_eq!(users["users"]["totalCount"], people.ids.len() + CLIENTS);

    let tenth = memory.len() / 10;
    let typical = |some: &[u64]| {
        let mut sorted = some.to_vec();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    };
    let early = typical(&memory[tenth..=2 * tenth]);
    let late = typical(&memory[memory.len() - tenth - 1..]);
    let waits = waits.concat();
    tell(&format!(
        "{:?}, {CLIENTS} clients for {time:?}: {} requests, {} sign-ins among them, none failed, \
         counts exact; p99 {:.0?}, worst {:.0?}; resident memory {early} MiB after a tenth of the \
         time, {late} MiB at the end, {} MiB at most",
        database.engine(),
        counted.requests.load(SeqCst),
        counted.sign_ins.load(SeqCst),
        percentile(&waits, 99),
        worst(&waits),
        memory.iter().max().expect("it was measured"),
    ));
    assert!(late * 100 <= early * (100 + GROWTH_MAX), "memory grows: {memory:?}");
}

/// Reads, follows, unfollows and signs in until it is time to stop, and returns the latency of each
/// request. No other client changes the follows of its user, so it knows every answer.
async fn client(
    server: Caller,
    counted: Arc<Counted>,
    number: usize,
    until: Instant,
) -> Vec<Duration> {
    let me = format!("soak{number}");
    let signed_up = server.ask(None, SIGN_UP, json!({ "username": me })).await.data();
    let mut token = signed_up["signUp"]["token"].as_str().expect("a token").to_owned();
    let mut random = ChaCha8Rng::seed_from_u64(number as u64);
    let mut follows = vec![false; USERS];
    let mut waits = Vec::new();

    while Instant::now() < until {
        let about = random.random_range(0..USERS);
        let username = json!({ "username": username(about) });
        let began = Instant::now();
        match random.random_range(0..200) {
            0 => {
                let data = server.ask(None, SIGN_IN, json!({ "username": me })).await.data();
                data["signIn"]["token"].as_str().expect("a token").clone_into(&mut token);
                counted.sign_ins.fetch_add(1, SeqCst);
            }
            1..=60 => {
                let (document, field, outcome) = if follows[about] {
                    (UNFOLLOW, "unfollow", "UNFOLLOWED")
                } else {
                    (FOLLOW, "follow", "FOLLOWED")
                };
                let data = server.ask(Some(&token), document, username).await.data();
                assert_eq!(data[field]["outcome"], outcome);
                follows[about] = !follows[about];
            }
            61..=70 => {
                let data = server.ask(Some(&token), USERS_OF_A_PAGE, json!({})).await.data();
                assert_eq!(data["users"]["nodes"].as_array().map(Vec::len), Some(50));
            }
            _ => {
                let data = server.ask(Some(&token), PROFILE, username.clone()).await.data();
                assert_eq!(data["user"]["username"], username["username"]);
            }
        }
        waits.push(began.elapsed());
        counted.requests.fetch_add(1, SeqCst);
    }
    let data = server.ask(Some(&token), FOLLOWING, json!({})).await.data();
    let expected = follows.iter().filter(|follows| **follows).count();
    assert_eq!(data["viewer"]["user"]["following"]["totalCount"], expected);
    waits
}

/// The resident memory of a process.
fn resident_mib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs, on Linux");
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("there is such a line");
    let kib = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
    kib / 1024
}
