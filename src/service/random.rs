//! Randomness, passed in so that a test can choose it.

use std::fmt::Debug;

/// Where the program takes randomness from.
pub trait Random: Debug + Send + Sync {
    /// 32 bits that nobody can foresee.
    fn next_u32(&self) -> u32;
}

/// The randomness of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "the one place that draws from the machine")]
    fn next_u32(&self) -> u32 {
        rand::random()
    }
}
