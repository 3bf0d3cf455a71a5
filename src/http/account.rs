//! `GET /account/export`: everything of the viewer's account, as a file.
//!
//! The file is read from the database while it is sent, on a connection of its own. So the whole
//! transfer is bounded in time, and so is the number of transfers.
//!
//! **Invariant:** a connection to the database and a place are free again when the file was sent, the
//! client has left, or the time is up. A file that is cut off lacks its last key, and the connection of
//! its client is closed before the end of the response.

use std::{io, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    response::Response,
};
use futures_util::stream;
use hyper::{
    StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Instant, timeout_at},
};
use tracing::Instrument;

use super::{
    auth, failure::Failure, request::Findings, request_id::RequestId, server::Connection, state,
};
use crate::{graphql::Code, service::Error, transfer::AccountFile};

/// The most accounts that a server exports at once.
pub const EXPORTS_MAX: usize = 2;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A part of the file; `None` is its end.
type Part = Option<String>;

/// The file, as an attachment.
pub(super) async fn file(
    State(state): State<Arc<state::State>>,
    request: Request,
) -> Result<Response, Failure> {
    let (head, _) = request.into_parts();
    let id = head.extensions.get::<RequestId>().expect("the middleware gives every request an id");
    let findings = head.extensions.get::<Arc<Findings>>();
    let findings = findings.expect("the middleware gives every request its findings");
    let failed = |error| Failure::of(error, id);
    state.service.admit(findings.client).map_err(failed)?;
    let credentials = auth::credentials(&head.headers)?;
    let viewer = auth::viewer(&state.service, credentials, id).await?;
    let viewer = Arc::new(viewer.ok_or_else(auth::signed_out)?);
    findings.set_viewer(viewer.id());

    // First the place: a server that is busy does not count as the export of this hour.
    let Ok(place) = Arc::clone(&state.exports).try_acquire_owned() else {
        let message = "The server is exporting other accounts.";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message)
            .with(RETRY_AFTER, "30"));
    };
    let (user, now) = (viewer.id(), state.service.now());
    let begin = |export| async move { Ok(AccountFile::begin(export, user, now).await?) };
    let file = state.service.seen_by(Some(viewer)).export_account(begin).await;
    let file = file.map_err(failed)?.ok_or_else(auth::signed_out)?;
    let disposition = format!("attachment; filename=\"{}.json\"", file.username());

    let (sender, parts) = mpsc::channel(1);
    let deadline = Instant::now() + state.timeouts.export;
    tokio::spawn(send(place, file, sender, deadline).in_current_span());
    let connection = head.extensions.get::<Arc<Connection>>();
    let connection = connection.expect("the server gives every request its connection");
    // The connection is in use while the file is sent.
    let answering = connection.pace.answering(head.version);
    let body = stream::unfold((Some(parts), answering), |(parts, answering)| async {
        let mut parts = parts?;
        match parts.recv().await {
            Some(Some(part)) => Some((Ok(Bytes::from(part)), (Some(parts), answering))),
            Some(None) => None,
            None => Some((Err(io::Error::other("the file is cut off")), (None, answering))),
        }
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, NO_STORE);
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

/// `HEAD` would count as the export of this hour.
pub(super) async fn no_head() -> Failure {
    Failure::wrong_method("This path does not take this method.").with(ALLOW, "GET")
}

/// Sends the parts of a file until its end, the deadline, a failure, or until its client has left.
async fn send(
    _place: OwnedSemaphorePermit,
    mut file: AccountFile,
    sender: mpsc::Sender<Part>,
    deadline: Instant,
) {
    let sending = async {
        loop {
            let part = file.next_part().await?;
            let is_end = part.is_none();
            if sender.send(part).await.is_err() || is_end {
                return Ok::<_, Error>(());
            }
        }
    };
    let sent = async {
        tokio::select! {
            sent = timeout_at(deadline, sending) => Some(sent),
            () = sender.closed() => None,
        }
    };
    match sent.await {
        Some(Ok(Ok(()))) | None => {}
        Some(Ok(Err(error))) => tracing::error!(%error, "the export of an account failed"),
        Some(Err(_)) => tracing::warn!("the export of an account took too long"),
    }
}
