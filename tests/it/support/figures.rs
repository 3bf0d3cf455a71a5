//! Figures that a run measures, for whoever reads along, and waiting with a bound.

use std::time::{Duration, Instant};

/// How often something that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Prints a line; with `--nocapture` it is seen.
#[expect(clippy::print_stdout, reason = "the harness shows or keeps what is printed in this way")]
pub(crate) fn tell(line: &str) {
    println!("\n    {line}");
}

/// The middle one of some durations.
pub(crate) fn median(durations: &[Duration]) -> Duration {
    percentile(durations, 50)
}

/// The duration that so many percent do not exceed.
pub(crate) fn percentile(durations: &[Duration], percent: usize) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// The longest one of some durations.
pub(crate) fn worst(durations: &[Duration]) -> Duration {
    durations.iter().copied().max().unwrap_or_default()
}

/// Waits until something is so, and tells how long that took. Fails when it takes too long.
pub(crate) async fn until(
    bound: Duration,
    what: &str,
    mut is_so: impl AsyncFnMut() -> bool,
) -> Duration {
    let began = Instant::now();
    let mut looks = tokio::time::interval(LOOK_EVERY);
    while !is_so().await {
        assert!(began.elapsed() < bound, "{what}: not within {bound:?}");
        looks.tick().await;
    }
    began.elapsed()
}
