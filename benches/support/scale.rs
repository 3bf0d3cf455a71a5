//! How much a bench measures.

use std::time::Duration;

/// How many users there are, and how long each measurement takes.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) users: usize,
    pub(crate) measured: Duration,
}

/// Enough to see that a bench works. Its figures mean nothing.
const SMOKE: Scale = Scale { users: 4_000, measured: Duration::from_millis(60) };

impl Scale {
    /// This scale under `cargo bench`, and a smoke run of the bench under `cargo test`.
    pub(crate) fn or_smoke(self) -> Self {
        if std::env::args().any(|argument| argument == "--bench") { self } else { SMOKE }
    }
}
