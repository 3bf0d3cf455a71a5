//! HTTP: the wire format around an operation.

mod account_export;
mod attacks;
mod authentication;
mod base_path;
mod connections;
mod endpoint;
mod live;
mod log;
mod negotiation;
mod outages;
mod overload;
mod persisted;
mod playground;
mod proxies;
mod routes;
mod webhooks;

use reqwest::{Response, header::HeaderMap};
use serde_json::Value;

use crate::support::app::TYPENAME;

/// A response, read to its end.
struct Read {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Read {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await.expect("the body is text");
        Self { status, headers, body }
    }

    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {}", self.body));
        value.to_str().expect("it is text")
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    /// The code of the first error of a reply without data.
    fn code(&self) -> String {
        let body = self.json();
        let error = &body["errors"][0];
        assert!(body.get("data").is_none(), "{body}");
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        error["extensions"]["code"].as_str().expect("errors have codes").to_owned()
    }
}

/// Sends a request and reads the response.
async fn send(request: reqwest::RequestBuilder) -> Read {
    Read::of(request.send().await.expect("the server answers")).await
}
