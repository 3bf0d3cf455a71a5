//! Waiting for what a server needs: its database.

use std::time::Duration;

use tokio::{net::TcpListener, time::sleep};

use crate::{
    app,
    http::BasePath,
    store::{self, ConnectError},
};

/// How long to wait between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// Where the server listens, and the path below which a proxy publishes it.
pub(super) struct Place<'a> {
    pub(super) listener: &'a TcpListener,
    pub(super) base_path: BasePath,
}

/// Tries until it succeeds or fails for good. While it fails because something is away, the listener
/// answers that the server is not ready; each new reason is logged once. Without `waits` the first
/// failure is final.
pub(super) async fn until_done<T>(
    place: &Place<'_>,
    waits: bool,
    attempt: impl AsyncFn() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut error = match attempt().await {
        Err(error) if waits && may_pass(&error) => error,
        result => return result,
    };
    let retries = async {
        let mut last_reason = String::new();
        loop {
            let reason = format!("{error:#}");
            if reason != last_reason {
                tracing::warn!(%reason, "not ready: waiting");
                last_reason = reason;
            }
            sleep(PAUSE).await;
            error = match attempt().await {
                Err(error) if may_pass(&error) => error,
                result => return result,
            };
        }
    };
    app::not_ready_during(place.listener, place.base_path.clone(), retries).await?
}

/// Whether a later attempt may succeed with the same configuration.
fn may_pass(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let connect = cause.downcast_ref::<ConnectError>().is_some_and(ConnectError::may_pass);
        let store = matches!(cause.downcast_ref(), Some(store::Error::Unavailable(_)));
        connect || store
    })
}
