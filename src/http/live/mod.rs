//! Connections that stay open: WebSockets with `graphql-transport-ws`, and event streams.
//!
//! Both serve every kind of operation, by the same steps as a plain request. `seats` bounds how many
//! there are, `operation` opens what is asked for.
//!
//! A WebSocket is that of `async-graphql-axum` (`library`), in a driver (`driver`, `messages`) that keeps
//! the rules of the protocol which the library breaks: the time limit for `connection_init`, a subscribe
//! before the acknowledgement, ids in use, every kind of malformed message, the message `error`, limits
//! and codes. This file upgrades a request. It uses nothing of `library`, so that another could take its
//! place behind the driver.
//!
//! An event stream (`sse`) is GraphQL over server-sent events, in the mode of distinct connections.

mod driver;
mod frames;
mod library;
mod messages;
mod operation;
mod seats;
mod session;
pub(super) mod sse;
mod times;

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, WebSocketUpgrade, ws::WebSocket},
    response::Response,
};
use hyper::{
    HeaderMap, StatusCode,
    header::{RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use tokio::time::Instant;
use tracing::{Instrument, Span, field, info};

use self::{
    driver::{Driver, Opened},
    seats::{Full, Seat},
};
pub use self::{seats::Seats, times::Patience};
use super::{
    auth, cors,
    failure::Failure,
    request::{Findings, milliseconds},
    request_id::RequestId,
    server::Connection,
    state,
};
use crate::graphql::Code;

/// The size of the buffers of a socket, in bytes. An idle socket keeps them.
const BUFFER_BYTES: usize = 4 * 1024;
/// What a socket may hold that the client has not taken: the buffer and the message after it.
const WRITTEN_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Room for the envelope of a request.
const ENVELOPE_BYTES: usize = 1024;

/// Whether the client asks for a WebSocket.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Upgrades a request to a WebSocket, if it may have one.
///
/// # Errors
/// Status 400 for what is no handshake or does not offer the protocol, 403 for a page of another site,
/// 429 and 503 without a place.
pub(super) async fn upgrade(
    state: Arc<state::State>,
    request: Request,
) -> Result<Response, Failure> {
    let (mut head, _) = request.into_parts();
    let extensions = &head.extensions;
    let findings = extensions.get::<Arc<Findings>>().map(Arc::clone);
    let id = extensions.get::<RequestId>().cloned();
    let connection = extensions.get::<Arc<Connection>>().map(Arc::clone);
    let client = findings.and_then(|findings| findings.client);
    let (Some(id), Some(connection)) = (id, connection) else {
        unreachable!("the middleware gives every request its id, and the server its connection");
    };

    if state.service.admit(client).is_err() {
        return Err(too_many("Too many requests from this address."));
    }
    if !cors::may_open_socket(&head.headers, &state.cors_origins) {
        let message = "Pages of this origin may not open WebSockets here: the server's operator can \
                       add the origin to ENTOURAGE_CORS_ORIGINS.";
        return Err(Failure::new(StatusCode::FORBIDDEN, Code::Forbidden, message));
    }
    let given = auth::credentials(&head.headers)?.into();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut head, &()).await;
    let upgrade = upgrade.map_err(|_| {
        let failure = Failure::bad_request("This is not a WebSocket handshake of version 13.");
        failure.with(SEC_WEBSOCKET_VERSION, "13")
    })?;
    let upgrade = upgrade.protocols([frames::PROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        let message = "The WebSocket must offer the protocol graphql-transport-ws.";
        return Err(Failure::bad_request(message));
    }
    let seat = state.seats.for_socket(client).map_err(|full| match full {
        Full::Address => too_many("Too many WebSockets from this address."),
        Full::Server | Full::Viewer => {
            let message = "The server has too many WebSockets.";
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message)
                .with(RETRY_AFTER, "1")
        }
    })?;

    let message_bytes_max = state.limits.body_bytes_max + ENVELOPE_BYTES;
    let upgrade = upgrade
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_write_buffer_size(WRITTEN_BYTES_MAX)
        .max_message_size(message_bytes_max)
        .max_frame_size(message_bytes_max);
    let opened = Opened { state, connection, client, request_id: id.as_str().to_owned(), given };
    let span = Span::current();
    Ok(upgrade.on_upgrade(move |socket| serve(opened, socket, seat).instrument(span)))
}

/// Serves a socket, and logs how it ended.
async fn serve(opened: Opened, socket: WebSocket, seat: Seat) {
    let (client, began) = (opened.client, Instant::now());
    let end = Driver::new(opened, socket).run().await;
    drop(seat);

    let code = end.close.map(|close| close.code);
    let reason = end.close.map_or(end.reason, |close| close.reason);
    metrics::counter!("entourage_sockets_closed_total", "reason" => reason).increment(1);
    info!(
        close = code,
        reason,
        operations = end.operations,
        client = client.map(field::display),
        ms = milliseconds(began.elapsed()),
        "a WebSocket ended",
    );
}

fn too_many(message: &str) -> Failure {
    Failure::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, message).with(RETRY_AFTER, "60")
}
