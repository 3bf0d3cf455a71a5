//! Health: `/healthz` (the process is alive) and `/readyz` (it can serve).

use std::{borrow::Cow, fmt::Display, sync::Arc, time::Duration};

use axum::extract::State;
use hyper::StatusCode;
use tokio::time::timeout;

use super::state;
use crate::store::SchemaState;

/// How long the database may take to answer the probe.
const PROBE_TIME_MAX: Duration = Duration::from_secs(2);

type Answer = (StatusCode, Cow<'static, str>);

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: 200 if the database answers, its schema is the one this program expects and the
/// server is not shutting down, and the keys of all identity providers are loaded. Else 503 with
/// one line: `draining`, `database`, `schema`, `provider` or `provider NAME`.
pub(super) async fn ready(State(state): State<Arc<state::State>>) -> Answer {
    if *state.draining.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n".into());
    }
    let probe = async {
        state.store.ping().await?;
        state.store.schema_state().await
    };
    match timeout(PROBE_TIME_MAX, probe).await {
        Ok(Ok(SchemaState::Current)) => match state.service.missing_provider() {
            Some(provider) => {
                unready(format!("{provider}\n"), format!("the keys of the {provider} are missing"))
            }
            None => (StatusCode::OK, "ready\n".into()),
        },
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

fn unready(line: impl Into<Cow<'static, str>>, cause: impl Display) -> Answer {
    tracing::warn!(%cause, "not ready");
    (StatusCode::SERVICE_UNAVAILABLE, line.into())
}
