//! GraphQL over HTTP: <https://graphql.github.io/graphql-over-http/draft/>.
//!
//! The order of checks: the media type of the reply, the rate limit of the address, whether
//! `Authorization` is repeated, the media type of the body, its size, whether the operation is valid
//! and affordable, whether the server is free to run it, the viewer, and only then the operation
//! itself. Everything before the viewer costs no SQL statement.
//!
//! A client that accepts `text/event-stream` gets subscriptions as such a stream, and everything else
//! too if it accepts nothing else. A WebSocket is upgraded here.
//!
//! **Invariant:** GET changes nothing.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use hyper::{
    Method, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::{
    auth::{self, Credentials},
    base_path::TrailingSlash,
    body,
    failure::{self, Failure},
    live::{self, sse},
    media::{self, Accepted, MediaType},
    metrics, params,
    request::{Findings, Outcome},
    request_id::RequestId,
    server::Connection,
    state,
};
use crate::{
    graphql::{Caller, Code, Operation, Reply},
    service::Viewer,
};

/// `GET /graphql` and `POST /graphql`. A browser that opens the address is redirected to GraphiQL,
/// which opens the operation in the query string.
pub(super) async fn endpoint(State(state): State<Arc<state::State>>, request: Request) -> Response {
    if live::is_upgrade(request.headers()) && request.method() == Method::GET {
        let upgraded = live::upgrade(state, request).await;
        return upgraded.unwrap_or_else(|failure| failure.into_response(MediaType::Json));
    }
    if state.playground.is_some() && is_visit(&request) {
        return to_graphiql(&request);
    }
    let accepted = Accepted::of(request.headers());
    if accepted.reply.is_none() && !accepted.stream {
        let message = "Replies are application/graphql-response+json, application/json or \
                       text/event-stream.";
        return not_acceptable(message).into_response(MediaType::Json);
    }
    let media = accepted.reply.unwrap_or(MediaType::Json);
    let (head, body) = request.into_parts();
    match answer(&state, &head, body, accepted).await {
        Ok(Answer::Reply(reply)) => response(reply, media),
        Ok(Answer::Stream(stream)) => stream,
        Err(failure) => failure.into_response(media),
    }
}

fn not_acceptable(message: &str) -> Failure {
    Failure::new(StatusCode::NOT_ACCEPTABLE, Code::BadUserInput, message)
}

/// What a request is answered with.
enum Answer {
    /// The result of the operation.
    Reply(Reply),
    /// An event stream.
    Stream(Response),
}

/// Whether a person opened this address in a browser. Clients of the API do not prefer HTML.
fn is_visit(request: &Request) -> bool {
    request.method() != Method::POST && media::names_html_first(request.headers())
}

/// Redirects to GraphiQL, relative to the path of the request: a proxy may have shortened it.
fn to_graphiql(request: &Request) -> Response {
    let is_below = request.extensions().get::<TrailingSlash>().is_some();
    let page = if is_below { "../graphiql" } else { "graphiql" };
    let target = match request.uri().query() {
        Some(query) => format!("{page}?{query}"),
        None => page.to_owned(),
    };
    (StatusCode::SEE_OTHER, [(LOCATION, target)]).into_response()
}

async fn answer(
    state: &Arc<state::State>,
    head: &Parts,
    body: Body,
    accepted: Accepted,
) -> Result<Answer, Failure> {
    let findings = head.extensions.get::<Arc<Findings>>();
    let findings = findings.expect("the middleware gives every request its findings");
    let address = findings.client;
    let refused = |reply: Reply| match accepted.reply {
        Some(_) => Answer::Reply(reply),
        None => Answer::Stream(sse::refusal(state, &reply)),
    };
    if let Err(error) = state.service.admit(address) {
        return Ok(refused(error.into()));
    }

    let is_post = head.method == Method::POST;
    let credentials = auth::credentials(&head.headers)?;
    let request = if is_post {
        body::expect_json(&head.headers)?;
        let body = body::read(body, state.limits.body_bytes_max, state.timeouts.body).await?;
        params::from_json(&body)?
    } else {
        params::from_query(head.uri.query())?
    };

    let operation = match state.api.prepare(request) {
        Ok(operation) => operation,
        Err(mut reply) => {
            if let Some(label) = reply.operation.take() {
                findings.set_operation(label);
            }
            return Ok(refused(reply));
        }
    };
    findings.set_operation(operation.label().clone());
    if operation.is_mutation() && !is_post {
        let failure = Failure::wrong_method("Mutations must be sent by POST.");
        return Err(failure.with(ALLOW, "POST"));
    }
    if operation.is_subscription() && !accepted.stream {
        let message = "A subscription needs a WebSocket, or Accept: text/event-stream.";
        return Err(not_acceptable(message));
    }

    let id = head.extensions.get::<RequestId>().expect("the middleware gives every request an id");
    let id = id.as_str().to_owned();
    if operation.is_subscription() || accepted.reply.is_none() {
        let connection = head.extensions.get::<Arc<Connection>>();
        let connection = connection.expect("the server gives every request its connection");
        let viewer = viewer(state, head, credentials, &operation).await?;
        let caller = Caller { viewer, address, request_id: id };
        return Ok(Answer::Stream(sse::answer(state, connection, (operation, caller), head).await));
    }

    // Refuse at once instead of queueing: a waiting request holds as much memory, and its client
    // gives up before its turn.
    let Ok(_permit) = state.operation_permits.try_acquire() else {
        let message = "The server has too much to do.";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message)
            .with(RETRY_AFTER, "1"));
    };
    let viewer = viewer(state, head, credentials, &operation).await?;
    let caller = Caller { viewer, address, request_id: id };
    Ok(Answer::Reply(state.api.execute(operation, caller).await))
}

/// The viewer who asks for an operation.
async fn viewer(
    state: &state::State,
    head: &Parts,
    credentials: Credentials<'_>,
    operation: &Operation,
) -> Result<Option<Viewer>, Failure> {
    let id = head.extensions.get::<RequestId>().expect("the middleware gives every request an id");
    // A client whose token has expired must be able to sign in, whatever it still sends.
    if operation.only_signs_in() {
        return Ok(None);
    }
    let viewer = auth::viewer(&state.service, credentials, id).await?;
    if let (Some(viewer), Some(findings)) = (&viewer, head.extensions.get::<Arc<Findings>>()) {
        findings.set_viewer(viewer.id());
    }
    Ok(viewer)
}

fn response(reply: Reply, media: MediaType) -> Response {
    metrics::count_operation(reply.error);

    let status = failure::status(&reply, media);
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = status;
    response.extensions_mut().insert(Outcome { code: reply.error, is_charged: reply.is_charged });
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media.header());
    if let Some(wait) = reply.retry_after {
        headers.insert(RETRY_AFTER, wait.as_secs().into());
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(auth::CHALLENGE));
    }
    response
}
