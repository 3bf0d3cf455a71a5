//! GraphQL over HTTP: <https://graphql.github.io/graphql-over-http/draft/>.
//!
//! The order is: what the client takes, whether its address has sent too much already, what it
//! sends, how much of it, whether it is GraphQL that we can run, who sends it, and only then the
//! operation. Whatever comes before the viewer costs no statement.
//!
//! **Invariant:** GET changes nothing.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    http::request::Parts,
    response::{IntoResponse, Redirect, Response},
};
use hyper::{
    Method, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::{
    auth, body,
    client::Peer,
    failure::Failure,
    media::{self, MediaType},
    metrics, params,
    request::{FirstError, RequestId},
};
use crate::graphql::{Caller, Code, Reply};

/// `GET /graphql` and `POST /graphql`. Somebody who opens it in a browser is shown GraphiQL.
pub(super) async fn endpoint(State(state): State<Arc<super::State>>, request: Request) -> Response {
    if state.playground.is_some() && is_visit(&request) {
        return Redirect::to("/graphiql").into_response();
    }
    let media = match MediaType::negotiate(request.headers()) {
        Ok(media) => media,
        Err(failure) => return failure.into_response(MediaType::Json),
    };
    let (head, body) = request.into_parts();
    match answer(&state, &head, body).await {
        Ok(reply) => response(reply, media),
        Err(failure) => failure.into_response(media),
    }
}

/// Whether this is an address that a person opened, and not an operation.
fn is_visit(request: &Request) -> bool {
    let asks_nothing = request.uri().query().is_none_or(str::is_empty);
    request.method() != Method::POST && asks_nothing && media::names_html(request.headers())
}

async fn answer(state: &super::State, head: &Parts, body: Body) -> Result<Reply, Failure> {
    let peer = head.extensions.get::<Peer>();
    let address = peer.map(|peer| peer.client(&head.headers, &state.proxies));
    if let Err(error) = state.service.admit(address) {
        return Ok(error.into());
    }

    let is_post = head.method == Method::POST;
    let token = auth::bearer(&head.headers)?;
    let request = if is_post {
        media::expect_json(&head.headers)?;
        let body = body::read(body, state.limits.body_bytes_max, state.timeouts.body).await?;
        params::from_json(&body)?
    } else {
        params::from_query(head.uri.query())?
    };

    let operation = match state.api.prepare(request) {
        Ok(operation) => operation,
        Err(reply) => return Ok(reply),
    };
    if operation.is_mutation() && !is_post {
        let message = "Mutations must be sent by POST.";
        return Err(Failure::new(StatusCode::METHOD_NOT_ALLOWED, Code::BadUserInput, message)
            .with(ALLOW, "POST"));
    }

    // Whoever comes when all places are taken is better told at once than kept waiting: those who
    // wait take as much memory, and their clients give up before their turn.
    let Ok(_place) = state.places.try_acquire() else {
        let message = "The server has too much to do.";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message)
            .with(RETRY_AFTER, "1"));
    };

    let id = head.extensions.get::<RequestId>().expect("every request is given an id");
    let viewer = match token {
        Some(token) => Some(auth::viewer(&state.service, token, id).await?),
        None => None,
    };
    let caller = Caller { viewer, address, request_id: id.as_str().to_owned() };
    Ok(state.api.execute(operation, caller).await)
}

fn response(reply: Reply, media: MediaType) -> Response {
    let status = status(&reply, media);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, media.header());
    if let Some(wait) = reply.retry_after {
        headers.insert(RETRY_AFTER, seconds(wait).into());
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(auth::CHALLENGE));
    }

    metrics::count_operation(reply.error);
    let mut response = Response::new(Body::from(reply.body));
    response.extensions_mut().insert(FirstError(reply.error));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The status of a reply. With `application/json` any well-formed request is answered with 200,
/// as clients of that media type expect; the newer one tells why nothing was executed.
fn status(reply: &Reply, media: MediaType) -> StatusCode {
    let (MediaType::GraphqlResponse, Some(code)) = (media, reply.refused) else {
        return StatusCode::OK;
    };
    match code {
        Code::BadUserInput
        | Code::InvalidCursor
        | Code::ParseFailed
        | Code::ValidationFailed
        | Code::QueryTooLarge
        | Code::QueryTooDeep
        | Code::QueryTooWide
        | Code::CostLimitExceeded => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Timeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// A wait in whole seconds, never too short.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: Code) -> Reply {
        let body = b"{}".to_vec();
        Reply { body, refused: Some(code), error: Some(code), retry_after: None }
    }

    #[test]
    fn only_the_graphql_media_type_tells_by_status_why_nothing_was_executed() {
        let cases = [
            (Code::ParseFailed, 400),
            (Code::CostLimitExceeded, 400),
            (Code::Unauthenticated, 401),
            (Code::Forbidden, 403),
            (Code::RateLimited, 429),
            (Code::Internal, 500),
            (Code::Unavailable, 503),
            (Code::Timeout, 504),
        ];
        for (code, expected) in cases {
            assert_eq!(status(&refusal(code), MediaType::GraphqlResponse), expected, "{code:?}");
            assert_eq!(status(&refusal(code), MediaType::Json), 200, "{code:?}");
        }
    }

    #[test]
    fn an_executed_operation_is_200_whatever_its_errors_are() {
        let reply = Reply { refused: None, ..refusal(Code::Internal) };
        assert_eq!(status(&reply, MediaType::GraphqlResponse), 200);
    }

    #[test]
    fn a_client_is_told_when_to_come_again_in_whole_seconds() {
        let wait = Some(Duration::from_millis(1_200));
        let reply = Reply { retry_after: wait, ..refusal(Code::RateLimited) };
        let response = response(reply, MediaType::GraphqlResponse);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
    }
}
