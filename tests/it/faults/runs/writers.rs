//! Writers: users who follow one user after another and remember every answer.

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
use crate::support::{
    answer::{Answer, Caller},
    follow::counts_of,
};
use entourage::domain::Audience;

pub(crate) const FOLLOW: &str = "mutation($username: String!) {
    follow(input: {user: {username: $username}}) { outcome }
}";

/// A user who continues with the next followee only after the last follow was acknowledged.
#[derive(Debug)]
pub(crate) struct Writer {
    place: usize,
    token: String,
    /// The place of the next followee; the follows before it are acknowledged.
    next: usize,
    /// Whether the next follow was requested before, with an unknown result.
    is_unsure: bool,
}

/// The answers that all writers have seen so far.
#[derive(Debug)]
pub(crate) struct Progress {
    /// For each writer, the number of acknowledged follows.
    acknowledged: Vec<AtomicUsize>,
    /// For each writer, the number of refused requests.
    refused: Vec<AtomicUsize>,
    codes: Mutex<BTreeMap<String, usize>>,
    longest: Mutex<Duration>,
    lost: AtomicUsize,
    is_over: AtomicBool,
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
            is_over: AtomicBool::new(false),
        }
    }

    /// The number of acknowledged follows of each writer.
    pub(crate) fn acknowledged(&self) -> Vec<usize> {
        self.acknowledged.iter().map(|n| n.load(SeqCst)).collect()
    }

    /// The number of acknowledged follows of all writers.
    pub(crate) fn total(&self) -> usize {
        self.acknowledged().into_iter().sum()
    }

    /// Whether each writer has had a follow acknowledged since then.
    pub(crate) fn all_are_past(&self, before: &[usize]) -> bool {
        self.acknowledged().iter().zip(before).all(|(now, before)| now > before)
    }

    /// The number of writers who were refused at least once.
    pub(crate) fn refused(&self) -> usize {
        self.refused.iter().filter(|n| n.load(SeqCst) > 0).count()
    }

    /// How often each error code was returned.
    pub(crate) fn codes(&self) -> BTreeMap<String, usize> {
        self.codes.lock().expect("no holder panics").clone()
    }

    /// The longest wait for an answer.
    pub(crate) fn longest(&self) -> Duration {
        *self.longest.lock().expect("no holder panics")
    }

    /// The number of connections that were cut.
    pub(crate) fn lost(&self) -> usize {
        self.lost.load(SeqCst)
    }

    fn waited(&self, wait: Duration) {
        let mut longest = self.longest.lock().expect("no holder panics");
        *longest = wait.max(*longest);
    }

    fn was_refused(&self, place: usize, code: String) {
        self.refused[place].fetch_add(1, SeqCst);
        *self.codes.lock().expect("no holder panics").entry(code).or_default() += 1;
    }
}

impl Writer {
    /// One writer for each token. They follow the users without tokens.
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

    /// Follows until the run ends or the server is gone.
    async fn work(mut self, server: Caller, progress: Arc<Progress>) -> Self {
        while !progress.is_over.load(SeqCst) {
            let variables = json!({ "username": username(self.next) });
            let began = Instant::now();
            let answer = server.ask(Some(&self.token), FOLLOW, variables).await;
            match answer {
                Answer::Data(data) => {
                    let outcome = data["follow"]["outcome"].as_str().unwrap_or_default();
                    let is_true =
                        outcome == "FOLLOWED" || (outcome == "ALREADY_FOLLOWING" && self.is_unsure);
                    assert!(is_true, "{self:?} was answered {data}");
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

/// Running writers, each in its own task.
pub(crate) struct AtWork {
    tasks: JoinSet<Writer>,
    pub(crate) progress: Arc<Progress>,
}

impl AtWork {
    /// Starts the writers.
    pub(crate) fn begin(writers: Vec<Writer>, server: &Caller) -> Self {
        let progress = Arc::new(Progress::of(writers.len()));
        let work = |writer: Writer| writer.work(server.clone(), Arc::clone(&progress));
        Self { tasks: writers.into_iter().map(work).collect(), progress }
    }

    /// Waits until all writers have lost the server.
    pub(crate) async fn cut_off(self) -> Vec<Writer> {
        self.tasks.join_all().await
    }

    /// Stops the writers after their current requests.
    pub(crate) async fn end(self) -> Vec<Writer> {
        self.progress.is_over.store(true, SeqCst);
        self.tasks.join_all().await
    }
}

/// Asserts that every acknowledged follow exists, and no follow that was not requested. Returns the
/// number of acknowledged follows.
pub(crate) async fn assert_kept(url: &str, people: &People, writers: &[Writer]) -> usize {
    let store = store::connect(url, Options::default()).await.expect("it is there");
    let counts =
        counts_of(store.lists_by_ids(Audience::EVERYBODY, &people.ids).await.expect("it answers"));
    let mut acknowledged = 0;
    for writer in writers {
        let id = people.ids[writer.place];
        let acknowledged_ids = &people.ids[people.tokens.len()..writer.next];
        let kept = store.relations(id, acknowledged_ids, &[]).await.expect("it answers").len();
        assert_eq!(kept, acknowledged_ids.len(), "{writer:?}: an acknowledged follow is lost");

        let follows = usize::try_from(counts[&id].following).expect("not negative");
        let unacknowledged = follows - acknowledged_ids.len();
        assert!(unacknowledged <= usize::from(writer.is_unsure), "{writer:?} follows {follows}");
        acknowledged += acknowledged_ids.len();
    }
    store.close().await;
    acknowledged
}
