//! What stands between this program and the server: nothing, or a pooler that lends sessions.
//!
//! A pooler in session mode looks like a server. One in transaction mode may run each transaction in
//! another session of the server, so a setting or a `LISTEN` would be somebody else's. Settings are
//! then left to the role. Prepared statements work if the pooler knows them (PgBouncer since 1.21).

use sqlx::{PgConnection, Row, raw_sql};

use crate::store::{ConnectError, statement::query};

statements! {
    // Sent as plain text, which every pooler passes on.
    SESSION_ID = "SELECT pg_backend_pid()";
    BEGIN_ALONE = "BEGIN";
    END_ALONE = "COMMIT";
    PREPARED = "SELECT 1 AS prepared";
}

/// How often two connections compare their sessions. A pooler that is busy seldom lends both of them
/// the same session.
const ROUNDS: u32 = 4;

/// Checks that what stands between suits the URL. Both connections are of the same host.
///
/// # Errors
/// [`ConnectError::Unusable`] says what to set.
pub(super) async fn check(
    first: &mut PgConnection,
    second: &mut PgConnection,
    shares_sessions: bool,
) -> Result<(), ConnectError> {
    let refuse = |reason: &str| Err(ConnectError::Unusable(reason.to_owned()));
    if !share_sessions(first, second).await? {
        return Ok(());
    }
    let begun = raw_sql(BEGIN_ALONE).execute(&mut *first).await;
    if begun.is_err() || raw_sql(END_ALONE).execute(&mut *first).await.is_err() {
        return refuse(
            "the pooler in front of the database is in statement mode, which has no transactions: \
             set pool_mode = session, or transaction and add ?pooler=transaction to DATABASE_URL",
        );
    }
    if !shares_sessions {
        return refuse(
            "the pooler in front of the database is in transaction mode: add ?pooler=transaction to \
             DATABASE_URL, or set pool_mode = session",
        );
    }
    // Both prepare it under the same name: one collides with the other if the pooler does not give
    // each client names of its own.
    for connection in [first, second] {
        for _ in 0..ROUNDS {
            if query(PREPARED).execute(&mut *connection).await.is_err() {
                return refuse(
                    "the pooler in front of the database does not support prepared statements in \
                     transaction mode: use PgBouncer 1.21 or newer with max_prepared_statements = \
                     200, or set pool_mode = session",
                );
            }
        }
    }
    Ok(())
}

/// Whether two open connections run in the same session of the server, or one of them in several.
async fn share_sessions(
    first: &mut PgConnection,
    second: &mut PgConnection,
) -> Result<bool, ConnectError> {
    let (one, other) = (session(first).await?, session(second).await?);
    for _ in 1..ROUNDS {
        if one == other {
            break;
        }
        if session(first).await? != one || session(second).await? != other {
            return Ok(true);
        }
    }
    // A server without sessions of that kind answers with a constant below zero.
    Ok(one == other && one > 0)
}

async fn session(connection: &mut PgConnection) -> Result<i32, ConnectError> {
    let read = async { raw_sql(SESSION_ID).fetch_one(connection).await?.try_get(0) };
    read.await.map_err(|error: sqlx::Error| super::connect::failed(&error))
}
