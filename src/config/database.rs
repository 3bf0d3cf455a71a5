//! The database and its connection pool, and for how long events are kept.

use std::time::Duration;

use clap::{Args, value_parser};

use super::{DatabaseUrl, DatabaseUrlParser, duration};
use crate::store;

/// The database and its connection pool.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Database")]
pub struct Database {
    /// URL of the database
    ///
    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/NAME`.
    #[arg(
        long = "database-url",
        env = "DATABASE_URL",
        value_name = "URL",
        default_value = "sqlite://entourage.db",
        hide_env_values = true,
        value_parser = DatabaseUrlParser
    )]
    pub url: DatabaseUrl,

    /// Second address of a PostgreSQL database, past its pooler
    ///
    /// It is used for `LISTEN`, migrations and long work. With `?pooler=transaction` and without this
    /// address, names of users may be one second old, events of other servers come up to a second
    /// late, and migrations are refused.
    #[arg(
        long = "database-direct-url",
        env = "ENTOURAGE_DATABASE_DIRECT_URL",
        value_name = "URL",
        hide_env_values = true,
        value_parser = DatabaseUrlParser
    )]
    direct_url: Option<DatabaseUrl>,

    /// Pool size
    ///
    /// Two more connections are used for `LISTEN`, and two for exports of accounts.
    #[arg(
        long = "database-connections-max",
        env = "ENTOURAGE_DATABASE_CONNECTIONS_MAX",
        value_name = "N",
        default_value = "16",
        value_parser = value_parser!(u32).range(2..=10_000)
    )]
    connections_max: u32,

    /// Longest wait for a pooled connection
    ///
    /// An operation that waits longer is answered with `UNAVAILABLE`.
    #[arg(
        long = "database-acquire-timeout",
        env = "ENTOURAGE_DATABASE_ACQUIRE_TIMEOUT",
        value_name = "TIME",
        default_value = "5s",
        value_parser = duration
    )]
    acquire_timeout: Duration,

    /// Longest statement on PostgreSQL
    #[arg(
        long = "database-statement-timeout",
        env = "ENTOURAGE_DATABASE_STATEMENT_TIMEOUT",
        value_name = "TIME",
        default_value = "10s",
        value_parser = duration
    )]
    statement_timeout: Duration,

    /// How long events are kept, or 0
    ///
    /// Subscribers that were away for longer have to load their lists again. Of one user, events
    /// beyond the last 10,000 may go after an hour. With 0 there are no events and no
    /// subscriptions.
    #[arg(
        long = "events-kept",
        env = "ENTOURAGE_EVENTS_KEPT",
        value_name = "TIME",
        default_value = "30d",
        value_parser = time_kept
    )]
    pub events_kept: Duration,

    /// Whether changes are written to the outbox of the host's webhook: only by a server that has one.
    #[arg(skip)]
    pub writes_webhooks: bool,
}

impl Database {
    /// The second address, with its password.
    pub fn direct(&self) -> Option<&str> {
        self.direct_url.as_ref().map(DatabaseUrl::expose)
    }

    /// The settings of the pool.
    pub const fn options(&self) -> store::Options {
        store::Options {
            connections_max: self.connections_max,
            acquire_timeout: self.acquire_timeout,
            statement_timeout: self.statement_timeout,
            shared_lookups: true,
            events_are_kept: !self.events_kept.is_zero(),
            writes_webhooks: self.writes_webhooks,
        }
    }
}

/// Parses for how long something is kept: 0, or at least an hour.
fn time_kept(text: &str) -> Result<Duration, &'static str> {
    const RULE: &str = "write 0, or a time of at least 1h, such as 30d";
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let time = duration(text)?;
    if time < Duration::from_hours(1) { Err(RULE) } else { Ok(time) }
}
