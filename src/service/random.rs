//! Randomness, injected so that tests can choose it.

use std::fmt::Debug;

/// A source of randomness.
pub trait Random: Debug + Send + Sync {
    /// 32 unpredictable bits.
    fn next_u32(&self) -> u32;
}

/// The thread-local generator, seeded by the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "the one place that uses the global generator")]
    fn next_u32(&self) -> u32 {
        rand::random()
    }
}
