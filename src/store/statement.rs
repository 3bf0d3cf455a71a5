//! The statements that are sent, counted where they are made.
//!
//! Every statement of the engines is made by one of these functions, which count it for the method
//! of the store that runs. The transaction control of sqlx (`BEGIN`, `COMMIT`, `ROLLBACK`), its
//! preparation of a connection, and migrations are not counted.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sqlx::{
    Database, FromRow,
    query::{Query, QueryAs, QueryScalar},
};

use super::calls::Calls;

tokio::task_local! {
    static METER: Meter;
}

/// The number of statements that were sent to a store. Clones are handles on the same number.
#[derive(Clone, Debug, Default)]
pub struct Statements(Arc<AtomicU64>);

impl Statements {
    /// The number so far.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts statements for a method of a store. It follows work into tasks of its own, and the
/// statement that several callers share counts for the first of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Option<Metered>);

#[derive(Clone, Debug)]
struct Metered {
    method: &'static str,
    statements: Statements,
    calls: Calls,
}

impl Meter {
    pub(crate) fn new(method: &'static str, statements: &Statements, calls: Calls) -> Self {
        Self(Some(Metered { method, statements: statements.clone(), calls }))
    }

    /// The meter of the running method; one that counts nothing outside of any.
    pub(crate) fn current() -> Self {
        METER.try_with(Clone::clone).unwrap_or_default()
    }

    /// Counts the statements that `work` sends.
    pub(crate) async fn measure<F: Future>(self, work: F) -> F::Output {
        METER.scope(self, work).await
    }
}

fn count() {
    let count = |meter: &Meter| {
        let Some(Metered { method, statements, calls }) = &meter.0 else { return };
        statements.0.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("entourage_store_statements_total", "method" => *method).increment(1);
        calls.add_statement(method);
    };
    METER.try_with(count).unwrap_or_default();
}

/// [`sqlx::query()`], counted.
pub(crate) fn query<DB: Database>(sql: &'static str) -> Query<'static, DB, DB::Arguments> {
    count();
    sqlx::query(sql)
}

/// [`sqlx::query()`] for the preparation of a connection, which belongs to no method: not counted.
pub(crate) fn preparation<DB: Database>(sql: &'static str) -> Query<'static, DB, DB::Arguments> {
    sqlx::query(sql)
}

/// [`sqlx::query_as()`], counted.
pub(crate) fn query_as<DB, O>(sql: &'static str) -> QueryAs<'static, DB, O, DB::Arguments>
where
    DB: Database,
    O: for<'r> FromRow<'r, DB::Row>,
{
    count();
    sqlx::query_as(sql)
}

/// [`sqlx::query_scalar()`], counted.
pub(crate) fn query_scalar<DB, O>(sql: &'static str) -> QueryScalar<'static, DB, O, DB::Arguments>
where
    DB: Database,
    (O,): for<'r> FromRow<'r, DB::Row>,
{
    count();
    sqlx::query_scalar(sql)
}
