//! The scale of a bench.

use std::time::Duration;

/// The number of users and the duration of each measurement.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) users: usize,
    pub(crate) measured: Duration,
}

/// Just enough to see that a bench works; its figures mean nothing.
const SMOKE: Scale = Scale { users: 4_000, measured: Duration::from_millis(100) };

impl Scale {
    /// This scale under `cargo bench`, a smoke run under `cargo test`, and `None` if `cargo test` was
    /// called with a filter or to list tests.
    pub(crate) fn or_smoke(self) -> Option<Self> {
        let mut arguments = std::env::args().skip(1).peekable();
        if arguments.peek().is_none() {
            Some(SMOKE)
        } else {
            arguments.any(|argument| argument == "--bench").then_some(self)
        }
    }
}
