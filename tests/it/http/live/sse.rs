//! GraphQL over server-sent events, in the mode of distinct connections:
//! <https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>.

use std::time::Duration;

use entourage::{
    app::Settings,
    domain::Limits,
    graphql::DocumentRules,
    http::{Patience, Timeouts},
};
use reqwest::{
    Method, RequestBuilder, Response,
    header::{ACCEPT, CONTENT_TYPE},
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    EVENTS,
    client::{Socket, handshake_at},
    follow, from_now, patient,
};
use crate::support::{
    app::{TestApp, settings},
    nginx::Nginx,
};

/// An event of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: String,
    pub(super) id: Option<String>,
}

impl Event {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }
}

/// A stream that is read by event.
pub(super) struct Stream {
    response: Response,
    text: String,
    pub(super) comments: usize,
}

impl Stream {
    pub(super) async fn open(request: RequestBuilder) -> Self {
        let stream = Self::at(request).await;
        assert_eq!(stream.response.headers()["x-accel-buffering"], "no");
        stream
    }

    /// The same behind a proxy, which may take headers away.
    async fn at(request: RequestBuilder) -> Self {
        let response = request.header(ACCEPT, "text/event-stream").send().await.expect("answered");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        Self { response, text: String::new(), comments: 0 }
    }

    /// The next event; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let mut parsed = Event::default();
                let mut is_event = false;
                for line in event.lines() {
                    let (field, value) = line.split_once(':').expect("a field");
                    let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
                    match field {
                        "event" => parsed.name = value,
                        "data" => parsed.data += &value,
                        "id" => parsed.id = Some(value),
                        "" => {
                            self.comments += 1;
                            continue;
                        }
                        _ => panic!("unknown field: {line}"),
                    }
                    is_event = true;
                }
                if is_event {
                    return Some(parsed);
                }
                continue;
            }
            let chunk = timeout(Duration::from_secs(30), self.response.chunk()).await;
            let chunk = chunk.expect("something comes").expect("the connection is not lost")?;
            self.text += str::from_utf8(&chunk).expect("text");
        }
    }

    pub(super) async fn event(&mut self) -> Event {
        self.next().await.expect("an event")
    }
}

fn post(app: &TestApp, query: &str, token: Option<&str>) -> RequestBuilder {
    let request = app.post(json!({ "query": query }).to_string());
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

#[tokio::test]
async fn events_are_streamed_with_their_cursors_as_ids() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.sign_up("ada").await, app.sign_up("bob").await);
    let mut stream = Stream::open(post(&app, EVENTS, Some(&ada))).await;
    follow(&app, &bob, "ada").await;
    let event = stream.event().await;
    assert_eq!(event.name, "next");
    let answer = event.json();
    let followed = &answer["data"]["followEvents"];
    assert_eq!(followed["user"]["username"], "bob", "{answer}");
    assert_eq!(followed["cursor"].as_str(), event.id.as_deref());

    // A browser connects again with the id of the last event.
    let eve = app.sign_up("eve").await;
    follow(&app, &eve, "ada").await;
    let id = event.id.expect("an id");
    let again = post(&app, EVENTS, Some(&ada)).header("last-event-id", id.clone());
    let first = Stream::open(again).await.event().await;
    assert_eq!(first.json()["data"]["followEvents"]["user"]["username"], "eve");
    // The argument wins.
    let after = EVENTS.replace("followEvents", &format!("followEvents(after: \"{id}\")"));
    let again = post(&app, &after, Some(&ada)).header("last-event-id", "x");
    let first = Stream::open(again).await.event().await;
    assert_eq!(first.json()["data"]["followEvents"]["user"]["username"], "eve");
}

#[tokio::test]
async fn a_query_is_one_next_and_then_complete() {
    let app = TestApp::start().await;
    app.sign_up("ada").await;
    let query = "{ user(username: \"ada\") { username } }";
    let url = format!("/graphql?query={query}");
    for request in [post(&app, query, None), app.request(Method::GET, &url)] {
        let mut stream = Stream::open(request).await;
        let event = stream.event().await;
        assert_eq!(event.name, "next");
        assert_eq!(event.json(), json!({ "data": { "user": { "username": "ada" } } }));
        let complete = Event { name: "complete".to_owned(), ..Event::default() };
        assert_eq!(stream.next().await, Some(complete));
        assert_eq!(stream.next().await, None);
    }
}

#[tokio::test]
async fn a_refused_operation_is_a_next_with_errors() {
    let app = TestApp::start().await;
    let ada = app.sign_up("ada").await;
    for (query, token, code) in [
        ("{", None, "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", None, "GRAPHQL_VALIDATION_FAILED"),
        (EVENTS, None, "UNAUTHENTICATED"),
        ("subscription { followEvents(after: \"x\") { kind } }", Some(&*ada), "INVALID_CURSOR"),
    ] {
        let mut stream = Stream::open(post(&app, query, token)).await;
        let event = stream.event().await;
        assert_eq!(event.name, "next");
        let answer = event.json();
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{answer}");
        assert_eq!(stream.event().await.name, "complete");
        assert_eq!(stream.next().await, None);
    }
}

#[tokio::test]
async fn a_bad_token_is_a_401_before_any_stream() {
    let app = TestApp::start().await;
    let request = post(&app, EVENTS, Some("x")).header(ACCEPT, "text/event-stream");
    assert_eq!(request.send().await.expect("answered").status(), 401);
}

#[tokio::test]
async fn a_mutation_is_not_streamed_by_get() {
    let app = TestApp::start().await;
    let url = "/graphql?query=mutation { signOutEverywhere { userErrors { message } } }";
    let request = app.request(Method::GET, url).header(ACCEPT, "text/event-stream");
    assert_eq!(request.send().await.expect("answered").status(), 405);
}

#[tokio::test]
async fn a_subscription_needs_a_client_that_names_streams() {
    let app = TestApp::start().await;
    let ada = app.sign_up("ada").await;
    for accept in ["application/json", "application/graphql-response+json", "*/*", "text/*"] {
        let request = post(&app, EVENTS, Some(&ada)).header(ACCEPT, accept);
        let response = request.send().await.expect("answered");
        assert_eq!(response.status(), 406, "{accept}");
    }
    let request = app.request(Method::GET, &format!("/graphql?query={EVENTS}"));
    assert_eq!(request.bearer_auth(&ada).send().await.expect("answered").status(), 406);

    let both = "application/json, text/event-stream";
    for (query, media) in [
        (EVENTS, "text/event-stream"),
        ("{ viewer { id } }", "application/json; charset=utf-8"),
        ("{ nothing }", "application/json; charset=utf-8"),
    ] {
        let request = post(&app, query, Some(&ada)).header(ACCEPT, both);
        let response = request.send().await.expect("answered");
        assert_eq!(response.headers()[CONTENT_TYPE], media, "{query}");
    }
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive_by_comments() {
    let app = patient(Patience { ping: Duration::from_millis(30), ..Patience::default() }).await;
    let (ada, bob) = (app.sign_up("ada").await, app.sign_up("bob").await);
    let mut stream = Stream::open(post(&app, EVENTS, Some(&ada))).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    follow(&app, &bob, "ada").await;
    stream.event().await;
    assert!(stream.comments > 0);
}

#[tokio::test]
async fn a_stream_ends_when_its_viewer_signs_out() {
    let app = TestApp::start().await;
    let ada = app.sign_up("ada").await;
    let mut stream = Stream::open(post(&app, EVENTS, Some(&ada))).await;
    let query = "mutation { signOutEverywhere { userErrors { message } } }";
    app.graphql(query, json!({}), Some(&ada)).await;
    // Within 30 seconds.
    let event = timeout(Duration::from_secs(40), stream.event()).await.expect("in time");
    assert_eq!(event.json()["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    assert_eq!(stream.event().await.name, "complete");
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_stream_is_no_idle_connection() {
    let short = Duration::from_millis(100);
    let live = Patience { ping: Duration::from_millis(50), ..Patience::default() };
    let timeouts = Timeouts { headers: short, idle: short, live, ..Timeouts::default() };
    let app = TestApp::with(Settings { timeouts, ..settings() }).await;
    let (ada, bob) = (app.sign_up("ada").await, app.sign_up("bob").await);
    let mut stream = Stream::open(post(&app, EVENTS, Some(&ada))).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    follow(&app, &bob, "ada").await;
    assert_eq!(stream.event().await.name, "next");
}

#[tokio::test]
async fn sockets_and_streams_pass_through_a_proxy() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.sign_up("ada").await, app.sign_up("bob").await);
    let nginx = Nginx::start(app.address, "keepalive 4;", "proxy_pass http://entourage/;").await;
    let headers = [("sec-websocket-protocol", "graphql-transport-ws")];
    let handshake = handshake_at(nginx.address, "/social/graphql", &headers).await;
    let mut socket = handshake.expect("upgraded").0.initialised(&ada).await;
    socket.subscribe("1", &from_now(&app, &ada).await).await;
    assert!(socket.ping().await.is_empty());
    let body = json!({ "query": EVENTS }).to_string();
    let request = reqwest::Client::new().post(nginx.url("/social/graphql")).bearer_auth(&ada);
    let mut stream = Stream::at(request.header(CONTENT_TYPE, "application/json").body(body)).await;

    follow(&app, &bob, "ada").await;
    assert_eq!(super::event(&socket.message().await)["user"]["username"], "bob");
    let event = stream.event().await.json();
    assert_eq!(event["data"]["followEvents"]["user"]["username"], "bob");
}

#[tokio::test]
async fn only_trusted_documents_run_where_nothing_else_does() {
    let mut documents = DocumentRules::default();
    documents.only_trusted = true;
    documents.trust_texts([EVENTS], &Limits::default());
    let app = TestApp::with(Settings { documents, ..settings() }).await;
    let ada = app.sign_up("ada").await;
    let mut socket = Socket::ready(&app, &ada).await;
    socket.subscribe("1", &EVENTS.replace("isRepeat", "")).await;
    let message = socket.message().await;
    assert_eq!(message["payload"][0]["extensions"]["code"], "PERSISTED_QUERY_ONLY", "{message}");
    socket.subscribe("1", EVENTS).await;
    assert!(socket.ping().await.is_empty());
}
