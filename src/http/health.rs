//! Health: `/healthz` (the process is alive) and `/readyz` (it can serve).

use std::{fmt::Display, sync::Arc, time::Duration};

use axum::extract::State;
use hyper::StatusCode;
use tokio::time::timeout;

use super::state;
use crate::store::SchemaState;

/// How long the database may take to answer the probe.
const PROBE_TIME_MAX: Duration = Duration::from_secs(2);

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: 200 if the database answers, its schema is the one this program expects and the
/// server is not shutting down. Else 503 with one word: `draining`, `database` or `schema`.
pub(super) async fn ready(State(state): State<Arc<state::State>>) -> (StatusCode, &'static str) {
    if *state.draining.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    let probe = async {
        state.store.ping().await?;
        state.store.schema_state().await
    };
    match timeout(PROBE_TIME_MAX, probe).await {
        Ok(Ok(SchemaState::Current)) => (StatusCode::OK, "ready\n"),
        Ok(Ok(
            found @ (SchemaState::Empty
            | SchemaState::Older { .. }
            | SchemaState::Newer { .. }
            | SchemaState::Foreign),
        )) => unready("schema\n", found),
        Ok(Err(error)) => unready("database\n", error),
        Err(elapsed) => unready("database\n", elapsed),
    }
}

fn unready(word: &'static str, cause: impl Display) -> (StatusCode, &'static str) {
    tracing::warn!(%cause, "not ready");
    (StatusCode::SERVICE_UNAVAILABLE, word)
}
