//! The outcome of a request under faults: data, an error code, or a lost connection.

use std::time::Duration;

use reqwest::{
    Client, RequestBuilder, Response,
    header::{ACCEPT, CONTENT_TYPE},
};
use serde_json::{Value, json};

/// The longest that a client waits, longer than every limit of the server.
const PATIENCE: Duration = Duration::from_mins(1);

/// The outcome of a request.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// The data of an operation without errors.
    Data(Value),
    /// The code of the first error.
    Refused(String),
    /// The connection failed, or was lost before the answer.
    Lost,
}

impl Answer {
    /// Sends a request. Every answer must be JSON, and every error must have a code.
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        let Ok(response) = request.send().await else { return Self::Lost };
        let Ok(body) = response.bytes().await else { return Self::Lost };
        let mut reply: Value = serde_json::from_slice(&body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&body)));
        let Some(error) = reply.get("errors") else { return Self::Data(reply["data"].take()) };
        let code = error[0]["extensions"]["code"].as_str();
        Self::Refused(code.unwrap_or_else(|| panic!("no code: {reply}")).to_owned())
    }

    /// The data of an operation that must succeed.
    #[track_caller]
    pub(crate) fn data(self) -> Value {
        match self {
            Self::Data(data) => data,
            Self::Refused(_) | Self::Lost => panic!("not answered: {self:?}"),
        }
    }
}

/// A stream of server-sent events.
pub(crate) struct EventStream {
    response: Response,
    unread: String,
}

impl EventStream {
    /// The cursor of the next event; `None` at the end of the stream.
    pub(crate) async fn next_cursor(&mut self) -> Option<String> {
        loop {
            while let Some(end) = self.unread.find("\n\n") {
                let event: String = self.unread.drain(..end + 2).collect();
                assert!(!event.contains("\"errors\""), "{event}");
                if let Some(cursor) = event.lines().find_map(|line| line.strip_prefix("id: ")) {
                    return Some(cursor.to_owned());
                }
            }
            let more = self.response.chunk().await.ok()??;
            self.unread += std::str::from_utf8(&more).expect("whole characters");
        }
    }
}

/// A client of a server, with reused connections.
#[derive(Clone)]
pub(crate) struct Caller {
    client: Client,
    url: String,
}

impl Caller {
    /// A client of the server at `127.0.0.1:PORT`.
    pub(crate) fn of(address: &str) -> Self {
        let client = Client::builder().timeout(PATIENCE).build().expect("nothing is special");
        Self { client, url: format!("http://{address}") }
    }

    /// Sends an operation.
    pub(crate) async fn ask(&self, token: Option<&str>, query: &str, variables: Value) -> Answer {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = self.client.post(format!("{}/graphql", self.url));
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        Answer::to(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
        .await
    }

    /// Subscribes, as server-sent events; `None` if the server is gone.
    pub(crate) async fn subscribe(
        &self,
        token: &str,
        query: &str,
        variables: Value,
    ) -> Option<EventStream> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = self.client.post(format!("{}/graphql", self.url));
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        let request = request.header(ACCEPT, "text/event-stream").bearer_auth(token);
        let response = request.send().await.ok()?;
        assert_eq!(response.status(), 200);
        Some(EventStream { response, unread: String::new() })
    }

    /// The status of a path; `None` without an answer.
    pub(crate) async fn status(&self, path: &str) -> Option<u16> {
        let response = self.client.get(format!("{}{path}", self.url)).send().await;
        Some(response.ok()?.status().as_u16())
    }
}
