//! GraphQL over HTTP: <https://graphql.github.io/graphql-over-http/draft/>.
//!
//! The order of checks: the media type of the reply, the rate limit of the address, whether
//! `Authorization` is repeated, the media type of the body, its size, whether the operation is valid
//! and affordable, whether the server is free to run it, the viewer, and only then the operation
//! itself. Everything before the viewer costs no SQL statement.
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
    auth,
    base_path::TrailingSlash,
    body,
    failure::{self, Failure},
    media::{self, MediaType},
    metrics, params,
    request::{Findings, Outcome},
    request_id::RequestId,
    state,
};
use crate::graphql::{Caller, Code, Reply};

/// `GET /graphql` and `POST /graphql`. A browser that opens the address is redirected to GraphiQL,
/// which opens the operation in the query string.
pub(super) async fn endpoint(State(state): State<Arc<state::State>>, request: Request) -> Response {
    if state.playground.is_some() && is_visit(&request) {
        return to_graphiql(&request);
    }
    let Some(media) = MediaType::negotiate(request.headers()) else {
        let message = "Replies are application/graphql-response+json or application/json.";
        let failure = Failure::new(StatusCode::NOT_ACCEPTABLE, Code::BadUserInput, message);
        return failure.into_response(MediaType::Json);
    };
    let (head, body) = request.into_parts();
    match answer(&state, &head, body).await {
        Ok(reply) => response(reply, media),
        Err(failure) => failure.into_response(media),
    }
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

async fn answer(state: &state::State, head: &Parts, body: Body) -> Result<Reply, Failure> {
    let findings = head.extensions.get::<Arc<Findings>>();
    let findings = findings.expect("the middleware gives every request its findings");
    let address = findings.client;
    if let Err(error) = state.service.admit(address) {
        return Ok(error.into());
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
            return Ok(reply);
        }
    };
    findings.set_operation(operation.label().clone());
    if operation.is_mutation() && !is_post {
        let failure = Failure::wrong_method("Mutations must be sent by POST.");
        return Err(failure.with(ALLOW, "POST"));
    }

    // Refuse at once instead of queueing: a waiting request holds as much memory, and its client
    // gives up before its turn.
    let Ok(_permit) = state.operation_permits.try_acquire() else {
        let message = "The server has too much to do.";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message)
            .with(RETRY_AFTER, "1"));
    };

    let id = head.extensions.get::<RequestId>().expect("the middleware gives every request an id");
    // A client whose token has expired must be able to sign in, whatever it still sends.
    let viewer = if operation.only_signs_in() {
        None
    } else {
        auth::viewer(&state.service, credentials, id).await?
    };
    if let Some(viewer) = &viewer {
        findings.set_viewer(viewer.id());
    }
    let caller = Caller { viewer, address, request_id: id.as_str().to_owned() };
    Ok(state.api.execute(operation, caller).await)
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
