//! Servers go on answering writers while an import writes into their database.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::{JoinSet, spawn_blocking};

use super::{
    imports,
    people::{UNLIMITED, assert_sound},
};
use crate::support::{
    answer::Caller,
    database::{Database, Engine},
    figures::{percentile, tell},
    process::{Server, at, said},
};

/// How many users, the last ones, each writer blocks.
const BLOCKED: usize = 9;

const BLOCK: &str = "mutation($username: String!) {
    block(input: {user: {username: $username}}) { outcome }
}";

/// Each change is made and undone, so that a run of any length has pairs left.
const CHANGE: &str = "mutation($username: String!) {
    follow(input: {user: {username: $username}}) { outcome }
    unfollow(input: {user: {username: $username}}) { outcome }
}";

/// The size of the run.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// At least the writers and those whom they block.
    pub(crate) users: usize,
    /// The rows of the import.
    pub(crate) follows: usize,
    pub(crate) writers: usize,
    /// The requests of each writer before the import begins.
    pub(crate) before: usize,
}

/// How long each request took.
pub(crate) struct Waits {
    pub(crate) before: Vec<Duration>,
    pub(crate) beside: Vec<Duration>,
}

/// A user who follows and unfollows others.
struct Writer {
    server: Caller,
    token: String,
    /// Those whom they may follow: the first users.
    others: usize,
    random: ChaCha8Rng,
}

impl Writer {
    /// Blocks the last users.
    async fn block(&self, users: usize) {
        for place in users - BLOCKED..users {
            let variables = json!({ "username": username(place) });
            let data = self.server.ask(Some(&self.token), BLOCK, variables).await.data();
            assert_eq!(data["block"]["outcome"], "BLOCKED");
        }
    }

    /// Makes one request, and returns how long it took.
    async fn change(&mut self) -> Duration {
        let variables = json!({ "username": username(self.random.random_range(0..self.others)) });
        let began = Instant::now();
        let data = self.server.ask(Some(&self.token), CHANGE, variables).await.data();
        let took = began.elapsed();
        // The pair may be the writer with themselves, which is an answer too.
        assert!(data["follow"].is_object() && data["unfollow"].is_object(), "{data}");
        took
    }
}

/// The name of a user who is not among the rejected rows of the file, by their place.
fn username(place: usize) -> String {
    format!("user_{}", place + place / 99 + 1)
}

/// Fails if a request fails, if the import does, or if an edge across a block is there afterwards.
pub(crate) async fn run(database: &Database, size: Size) -> Waits {
    let (url, folder) = (&database.url, TempDir::new().expect("a folder"));
    let files = imports::Size { users: size.users, follows: size.follows, kills: 0 };
    imports::write_files(folder.path(), files);
    said(at(url, &["migrate"]));
    let users = imports::start(url, folder.path(), "users", &[]).wait().expect("it ends");
    assert!(users.success());

    let servers = if database.engine() == Engine::Sqlite { 1 } else { 2 };
    let servers: Vec<_> = (0..servers).map(|_| Server::at(url, &UNLIMITED)).collect();
    let writers = writers(url, &servers, size).await;
    let (writers, before) = work(writers, move |made| made < size.before).await;

    let mut import = imports::start(url, folder.path(), "follows", &[]);
    let is_over = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&is_over);
    let import = spawn_blocking(move || {
        let status = import.wait();
        flag.store(true, SeqCst);
        status.expect("it ends")
    });
    let (_, beside) = work(writers, move |_| !is_over.load(SeqCst)).await;
    assert!(import.await.expect("no panic").success());
    drop(servers);
    assert_sound(url);

    let waits = Waits { before, beside };
    let [p99_before, p99_beside] = [&waits.before, &waits.beside].map(|w| percentile(w, 99));
    tell(&format!(
        "{} rows imported beside {} writers: {} requests, none failed; 99th percentile {p99_before:.1?} \
         before, {p99_beside:.1?} beside",
        size.follows,
        size.writers,
        waits.beside.len(),
    ));
    waits
}

/// The writers, each of whom has blocked some users.
async fn writers(url: &str, servers: &[Server], size: Size) -> Vec<Writer> {
    let names: Vec<_> = (0..size.writers).map(username).collect();
    let mut arguments = vec!["token", "--ttl", "1d"];
    arguments.extend(names.iter().map(String::as_str));
    let taken = size.users - size.users / 100;
    let mut writers = Vec::new();
    for (n, token) in said(at(url, &arguments)).lines().enumerate() {
        let server = Caller::of(&servers[n % servers.len()].address);
        let random = ChaCha8Rng::seed_from_u64(n as u64);
        let writer = Writer { server, token: token.to_owned(), others: taken - BLOCKED, random };
        writer.block(taken).await;
        writers.push(writer);
    }
    writers
}

/// Lets all writers make requests side by side for as long as a condition on the number of theirs
/// holds. Returns them, and how long each request took.
async fn work(
    writers: Vec<Writer>,
    goes_on: impl Fn(usize) -> bool + Clone + Send + 'static,
) -> (Vec<Writer>, Vec<Duration>) {
    let tasks = writers.into_iter().map(|mut writer| {
        let goes_on = goes_on.clone();
        async move {
            let mut waits = Vec::new();
            while goes_on(waits.len()) {
                waits.push(writer.change().await);
            }
            (writer, waits)
        }
    });
    let done = tasks.collect::<JoinSet<_>>().join_all().await;
    let (writers, waits): (_, Vec<_>) = done.into_iter().unzip();
    (writers, waits.concat())
}
