//! Users who follow one after another, and know what they were told of it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use entourage::store::{self, Options};
use serde_json::json;
use tokio::task::JoinSet;

use super::people::{People, username};
use crate::support::answer::{Answer, Caller};
use entourage::domain::Audience;

pub(crate) const FOLLOW: &str = "mutation($username: String!) {
    follow(input: {user: {username: $username}}) { outcome }
}";

/// Somebody who goes on to the next user only when told that the last one is followed.
#[derive(Debug)]
pub(crate) struct Writer {
    place: usize,
    token: String,
    /// Whom they follow next; those before are acknowledged.
    next: usize,
    /// Whether the next one was asked for already, and nobody knows what came of it.
    is_unsure: bool,
}

/// What those at work have seen so far.
#[derive(Debug)]
pub(crate) struct Progress {
    /// For each of them, how many follows were acknowledged.
    acknowledged: Vec<AtomicUsize>,
    /// For each of them, how often they were refused.
    refused: Vec<AtomicUsize>,
    codes: Mutex<BTreeMap<String, usize>>,
    longest: Mutex<Duration>,
    lost: AtomicUsize,
    is_enough: AtomicBool,
}

impl Progress {
    fn of(writers: usize) -> Self {
        let zeros = || (0..writers).map(|_| AtomicUsize::new(0)).collect();
        Self {
            acknowledged: zeros(),
            refused: zeros(),
            codes: Mutex::default(),
            longest: Mutex::default(),
            lost: AtomicUsize::new(0),
            is_enough: AtomicBool::new(false),
        }
    }

    /// How many follows were acknowledged to each.
    pub(crate) fn acknowledged(&self) -> Vec<usize> {
        self.acknowledged.iter().map(|n| n.load(SeqCst)).collect()
    }

    /// How many were, in all.
    pub(crate) fn total(&self) -> usize {
        self.acknowledged().into_iter().sum()
    }

    /// Whether every one of them has been told of a follow since then.
    pub(crate) fn all_are_past(&self, before: &[usize]) -> bool {
        self.acknowledged().iter().zip(before).all(|(now, before)| now > before)
    }

    /// How many were refused at least once.
    pub(crate) fn refused(&self) -> usize {
        self.refused.iter().filter(|n| n.load(SeqCst) > 0).count()
    }

    /// How often each code came.
    pub(crate) fn codes(&self) -> BTreeMap<String, usize> {
        self.codes.lock().expect("nobody panics with it").clone()
    }

    /// The longest that anybody waited for an answer.
    pub(crate) fn longest(&self) -> Duration {
        *self.longest.lock().expect("nobody panics with it")
    }

    /// How many connections broke off.
    pub(crate) fn lost(&self) -> usize {
        self.lost.load(SeqCst)
    }

    fn waited(&self, wait: Duration) {
        let mut longest = self.longest.lock().expect("nobody panics with it");
        *longest = wait.max(*longest);
    }

    fn was_refused(&self, place: usize, code: String) {
        self.refused[place].fetch_add(1, SeqCst);
        *self.codes.lock().expect("nobody panics with it").entry(code).or_default() += 1;
    }
}

impl Writer {
    /// One for each token. They follow the users who have none.
    pub(crate) fn all(people: &People) -> Vec<Self> {
        let first = people.tokens.len();
        let writer = |(place, token): (usize, &String)| Self {
            place,
            token: token.clone(),
            next: first,
            is_unsure: false,
        };
        people.tokens.iter().enumerate().map(writer).collect()
    }

    /// Follows until told that it is enough, or until the server is gone.
    async fn work(mut self, server: Caller, progress: Arc<Progress>) -> Self {
        while !progress.is_enough.load(SeqCst) {
            let variables = json!({ "username": username(self.next) });
            let began = Instant::now();
            let answer = server.ask(Some(&self.token), FOLLOW, variables).await;
            match answer {
                Answer::Data(data) => {
                    let outcome = data["follow"]["outcome"].as_str().unwrap_or_default();
                    let is_true =
                        outcome == "FOLLOWED" || (outcome == "ALREADY_FOLLOWING" && self.is_unsure);
                    assert!(is_true, "{self:?} was told {data}");
                    (self.next, self.is_unsure) = (self.next + 1, false);
                    progress.acknowledged[self.place].fetch_add(1, SeqCst);
                }
                Answer::Refused(code) => {
                    self.is_unsure = true;
                    progress.was_refused(self.place, code);
                }
                Answer::Lost => {
                    self.is_unsure = true;
                    progress.lost.fetch_add(1, SeqCst);
                    break;
                }
            }
            progress.waited(began.elapsed());
        }
        self
    }
}

/// Writers at work, each in a task of its own.
pub(crate) struct AtWork {
    tasks: JoinSet<Writer>,
    pub(crate) progress: Arc<Progress>,
}

impl AtWork {
    /// Sets them to work.
    pub(crate) fn begin(writers: Vec<Writer>, server: &Caller) -> Self {
        let progress = Arc::new(Progress::of(writers.len()));
        let work = |writer: Writer| writer.work(server.clone(), Arc::clone(&progress));
        Self { tasks: writers.into_iter().map(work).collect(), progress }
    }

    /// Waits until the server is gone for all of them.
    pub(crate) async fn cut_off(self) -> Vec<Writer> {
        self.tasks.join_all().await
    }

    /// Tells them that it is enough, and waits for what is under way.
    pub(crate) async fn end(self) -> Vec<Writer> {
        self.progress.is_enough.store(true, SeqCst);
        self.tasks.join_all().await
    }
}

/// Fails unless every follow that was acknowledged is there, and none that nobody asked for.
/// Tells how many there are.
pub(crate) async fn assert_kept(url: &str, people: &People, writers: &[Writer]) -> usize {
    let store = store::connect(url, Options::default()).await.expect("it is there");
    let counts = store.counts_by_ids(Audience::Everybody, &people.ids).await.expect("it answers");
    let mut acknowledged = 0;
    for writer in writers {
        let id = people.ids[writer.place];
        let told = &people.ids[people.tokens.len()..writer.next];
        let kept = store.relations(id, told, &[]).await.expect("it answers").len();
        assert_eq!(kept, told.len(), "{writer:?}: an acknowledged follow is lost");

        let follows = usize::try_from(counts[&id].following).expect("not negative");
        let more = follows - told.len();
        assert!(more <= usize::from(writer.is_unsure), "{writer:?} follows {follows}");
        acknowledged += told.len();
    }
    store.close().await;
    acknowledged
}
