//! Figures of a run, printed for the reader, and bounded waiting.

use std::{
    str::FromStr,
    time::{Duration, Instant},
};

use tokio::time::{interval, timeout};

use super::watchdog;

/// How often a condition is polled.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Prints a line, visible with `--nocapture`.
#[expect(clippy::print_stdout, reason = "the harness shows or keeps what is printed in this way")]
pub(crate) fn tell(line: &str) {
    println!("\n    {line}");
}

/// How many of something a test does: as this variable says, or so many.
pub(crate) fn number_of<N: FromStr>(variable: &str, default: N) -> N {
    #[expect(clippy::disallowed_methods, reason = "a longer run is asked for in this way")]
    let number = std::env::var(variable).ok();
    if number.is_some() {
        watchdog::call_off();
    }
    number.and_then(|number| number.parse().ok()).unwrap_or(default)
}

/// The median.
pub(crate) fn median(durations: &[Duration]) -> Duration {
    percentile(durations, 50)
}

/// The duration that `percent` of all do not exceed.
pub(crate) fn percentile(durations: &[Duration], percent: usize) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// The maximum.
pub(crate) fn worst(durations: &[Duration]) -> Duration {
    durations.iter().copied().max().unwrap_or_default()
}

/// Waits until a condition holds and returns how long that took. Fails if it takes too long.
pub(crate) async fn until(
    bound: Duration,
    what: &str,
    mut is_so: impl AsyncFnMut() -> bool,
) -> Duration {
    let began = Instant::now();
    let mut looks = interval(LOOK_EVERY);
    let looking = async {
        while !is_so().await {
            looks.tick().await;
        }
    };
    timeout(bound, looking).await.unwrap_or_else(|_| panic!("{what}: not within {bound:?}"));
    began.elapsed()
}
