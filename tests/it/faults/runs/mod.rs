//! The fault runs: each has a size, so that the tests run a short form and `tests/faults` a long one.
//!
//! A server is a process here, as an operator starts it. Each run prints its figures.

pub(crate) mod crowd;
pub(crate) mod events;
pub(crate) mod full_disk;
pub(crate) mod hang_ups;
pub(crate) mod import_beside;
pub(crate) mod imports;
pub(crate) mod kill;
pub(crate) mod nth_call;
pub(crate) mod people;
pub(crate) mod privacy;
pub(crate) mod restarts;
pub(crate) mod starts;
pub(crate) mod toggling;
pub(crate) mod writers;

/// Makes a test of each case on each engine, on an empty database without other connections. A case
/// is `async fn case(database: &Database)`.
macro_rules! on_both_engines {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            use crate::support::database::{Database, Engine};
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                Database::closed(Engine::Sqlite).await.run(async |db| super::$case(db).await).await;
            })+
        }
        mod postgres {
            use crate::support::database::{Database, Engine};
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                Database::closed(Engine::Postgres).await.run(async |db| super::$case(db).await).await;
            })+
        }
    };
}
pub(crate) use on_both_engines;
