//! A server that is killed under load: acknowledged writes survive.

use std::time::{Duration, Instant};

use super::{
    people::{People, UNLIMITED, assert_sound},
    writers::{AtWork, Writer, assert_kept},
};
use crate::support::{
    answer::Caller,
    figures::{median, tell, until, worst},
    process::Server,
};

/// The longest wait for a number of follows.
const PATIENCE: Duration = Duration::from_mins(1);

/// The size of the run.
pub(crate) struct Size {
    pub(crate) writers: usize,
    pub(crate) rounds: usize,
    /// The longest time from the start of the process until it is ready.
    pub(crate) ready_within: Duration,
}

/// Kills a server repeatedly while writers are running, and restarts it.
pub(crate) async fn run(url: &str, size: Size) {
    let people = People::make(url, size.writers + 2_000, size.writers).await;
    let mut writers = Writer::all(&people);
    let mut starts = Vec::new();
    let mut acknowledged = 0;

    for round in 0..size.rounds {
        let began = Instant::now();
        let server = Server::at(url, &UNLIMITED);
        let caller = Caller::of(&server.address);
        until(PATIENCE, "ready", async || caller.status("/readyz").await == Some(200)).await;
        starts.push(began.elapsed());

        let work = AtWork::begin(writers, &caller);
        // A different moment in each round.
        let enough = 1 + round * 37 % 200;
        let progress = &work.progress;
        until(PATIENCE, "acknowledged", async || progress.total() >= enough).await;
        server.signal("KILL");
        drop(server);

        writers = work.cut_off().await;
        assert_sound(url);
        acknowledged = assert_kept(url, &people, &writers).await;
    }

    let worst = worst(&starts);
    assert!(worst <= size.ready_within, "a start took {worst:?}");
    tell(&format!(
        "killed {} times under {} writers: {acknowledged} follows acknowledged, 0 lost; ready \
         after {:.0?} (median), {worst:.0?} (worst)",
        size.rounds,
        size.writers,
        median(&starts),
    ));
}
