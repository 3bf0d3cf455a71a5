//! A PostgreSQL server that restarts, or terminates all connections, under load.

use std::time::{Duration, Instant};

use super::{
    people::{People, UNLIMITED, assert_sound},
    writers::{AtWork, Writer, assert_kept},
};
use crate::support::{
    answer::Caller,
    cluster::{Cluster, Stop},
    figures::{median, tell, until, worst},
    process::Server,
};

/// The number of concurrent writers.
const WRITERS: usize = 32;
/// The longest time until every writer is served again, once PostgreSQL answers.
const RECOVERS_WITHIN: Duration = Duration::from_secs(5);
/// The longest wait for a number of follows.
const PATIENCE: Duration = Duration::from_mins(1);

/// Disturbs PostgreSQL this many times: in turn a fast restart, a crash, and terminated connections.
pub(crate) async fn run(rounds: usize) {
    let mut cluster = Cluster::start().await;
    let people = People::make(&cluster.url, WRITERS + 3_000, WRITERS).await;
    let server = Server::at(&cluster.url, &UNLIMITED);
    let work = AtWork::begin(Writer::all(&people), &Caller::of(&server.address));
    let progress = &work.progress;
    let (mut outages, mut recoveries) = (Vec::new(), Vec::new());

    for round in 0..rounds {
        let enough = progress.total() + 100;
        until(PATIENCE, "load", async || progress.total() >= enough).await;

        let began = Instant::now();
        match round % 3 {
            0 => cluster.restart(Stop::Fast).await,
            1 => cluster.restart(Stop::Immediate).await,
            _ => cluster.terminate_backends().await,
        }
        outages.push(began.elapsed());
        let before = progress.acknowledged();
        let served = async || progress.all_are_past(&before);
        recoveries.push(until(RECOVERS_WITHIN, "all are served again", served).await);
    }

    let (codes, lost) = (progress.codes(), progress.lost());
    let writers = work.end().await;
    assert!(codes.keys().all(|code| code == "UNAVAILABLE"), "{codes:?}");
    assert_eq!(lost, 0, "connections of clients were cut");
    assert_sound(&cluster.url);
    let acknowledged = assert_kept(&cluster.url, &people, &writers).await;
    drop(server);
    tell(&format!(
        "PostgreSQL restarted {rounds} times under {WRITERS} writers, away for {:.0?} (worst): \
         {acknowledged} follows acknowledged, 0 lost; all served again after {:.0?} \
         (median), {:.0?} (worst); {} answers UNAVAILABLE, no other failure",
        worst(&outages),
        median(&recoveries),
        worst(&recoveries),
        codes.values().sum::<usize>(),
    ));
}
