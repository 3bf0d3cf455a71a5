//! What is done to a server, and how it has to come through: each run with a size, so that a short
//! form is one of the tests and a long one of the fault runs.
//!
//! A server is a process here, as an operator starts it. Each run prints its figures.

pub(crate) mod crowd;
pub(crate) mod full_disk;
pub(crate) mod hang_ups;
pub(crate) mod kill;
pub(crate) mod nth_call;
pub(crate) mod people;
pub(crate) mod restarts;
pub(crate) mod starts;
pub(crate) mod toggling;
pub(crate) mod writers;

/// Makes a test of each case on each engine, on a database without a table that nobody else has
/// open. A case is `async fn case(database: &Database)`.
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
