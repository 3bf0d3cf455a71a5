//! How much a bench measures.

use std::time::Duration;

/// How many users there are, and how long each measurement takes.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) users: usize,
    pub(crate) measured: Duration,
}

/// Enough to see that a bench works. Its figures mean nothing.
const SMOKE: Scale = Scale { users: 4_000, measured: Duration::from_millis(100) };

impl Scale {
    /// This scale under `cargo bench`, and a smoke run of the bench under `cargo test`; nothing when
    /// that was asked for some tests by name, or for their names.
    pub(crate) fn or_smoke(self) -> Option<Self> {
        let mut arguments = std::env::args().skip(1).peekable();
        if arguments.peek().is_none() {
            Some(SMOKE)
        } else {
            arguments.any(|argument| argument == "--bench").then_some(self)
        }
    }
}
