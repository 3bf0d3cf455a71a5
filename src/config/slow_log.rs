//! Which operations are logged as slow.

use std::{str::FromStr, time::Duration};

use clap::Args;

use super::duration;

/// The log of slow operations.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logging")]
pub struct SlowLog {
    /// Log operations that take at least so long
    ///
    /// `off` logs none. The line is a warning, with the calls of the database that the operation
    /// made: their number, statements and time.
    #[arg(long, env = "ENTOURAGE_SLOW_OPERATION", value_name = "TIME|off", default_value = "1s")]
    pub slow_operation: SlowOperation,
}

/// A time, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowOperation(Option<Duration>);

impl SlowOperation {
    /// The shortest time that is slow; `None` if it is off.
    pub const fn limit(self) -> Option<Duration> {
        self.0
    }
}

impl FromStr for SlowOperation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self(None));
        }
        let time = duration(text).map_err(|rule| format!("{rule}; or write off"))?;
        Ok(Self(Some(time)))
    }
}
