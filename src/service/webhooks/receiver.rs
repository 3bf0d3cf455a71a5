//! The receiver of the webhook: one URL of the operator, to which messages are sent one by one.
//!
//! **Invariant:** redirects are not followed, plain HTTP stays on this machine, and time and size of
//! an answer are bounded. No log and no `Debug` has more of the URL than its origin.

use std::{error::Error as _, fmt, time::Duration};

use chrono::{DateTime, Utc};
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{CONTENT_TYPE, RETRY_AFTER},
    redirect::Policy,
};
use thiserror::Error;
use url::Host;

use super::{WebhookSecrets, schedule::retry_after};

/// The longest that the receiver may take to answer.
pub(super) const TIME_MAX: Duration = Duration::from_secs(20);
/// How much of an answer is read, so that the connection can be used again.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The most characters of a failure.
const FAILURE_CHARS_MAX: usize = 200;

/// Why a URL cannot be that of a webhook. No message repeats the URL.
#[derive(Debug, Error)]
pub enum WebhookUrlError {
    /// It cannot be parsed.
    #[error("it is not a URL")]
    NotAUrl(#[from] url::ParseError),
    /// It is not https.
    #[error("it must begin with https://; http:// is for receivers on this machine only")]
    NotSecure,
    /// There is no HTTP client.
    #[error("cannot set up TLS")]
    NoTls(#[source] reqwest::Error),
}

/// The receiver.
#[derive(Clone)]
pub struct WebhookReceiver {
    url: Url,
    secrets: WebhookSecrets,
    client: Client,
}

impl WebhookReceiver {
    /// The receiver at a URL.
    ///
    /// # Errors
    /// If the URL is not https, and not http on the loopback.
    pub fn new(url: &str, secrets: WebhookSecrets) -> Result<Self, WebhookUrlError> {
        let url = Url::parse(url)?;
        let is_loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        let is_secure = url.scheme() == "https";
        if !(is_secure || is_loopback && url.scheme() == "http") {
            return Err(WebhookUrlError::NotSecure);
        }
        let client = Client::builder()
            .user_agent(concat!("entourage/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .https_only(is_secure)
            .timeout(TIME_MAX);
        let client = if is_loopback { client.no_proxy() } else { client };
        let client = client.build().map_err(WebhookUrlError::NoTls)?;
        Ok(Self { url, secrets, client })
    }

    /// Sends a message once.
    pub(super) async fn send(&self, id: &str, body: String, now: DateTime<Utc>) -> Answer {
        let timestamp = now.timestamp();
        let sent = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.secrets.sign(id, timestamp, &body))
            .body(body)
            .send()
            .await;
        match sent {
            Ok(response) => Answer::of(response, now).await,
            Err(error) => Answer::Failed { failure: failure(&error), retry_after: None },
        }
    }
}

impl fmt::Debug for WebhookReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookReceiver({})", self.url.origin().ascii_serialization())
    }
}

/// What became of a message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The receiver has taken it: 2xx.
    Taken,
    /// The receiver does not want any message: 410.
    Gone,
    /// Everything else.
    Failed {
        failure: String,
        /// How long the receiver asks to wait.
        retry_after: Option<Duration>,
    },
}

impl Answer {
    async fn of(mut response: Response, now: DateTime<Utc>) -> Self {
        let status = response.status();
        let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|header| retry_after(header, now));

        let mut left = ANSWER_BYTES_MAX;
        while let Ok(Some(chunk)) = response.chunk().await
            && chunk.len() < left
        {
            left -= chunk.len();
        }

        if status.is_success() {
            Self::Taken
        } else if status == StatusCode::GONE {
            Self::Gone
        } else if status.is_redirection() {
            let failure = format!("answered {}: redirects are not followed", status.as_u16());
            Self::Failed { failure, retry_after }
        } else {
            Self::Failed { failure: format!("answered {}", status.as_u16()), retry_after }
        }
    }
}

/// Why there was no answer, in a few words.
fn failure(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIME_MAX.as_secs());
    }
    let mut reason = error.source();
    while let Some(deeper) = reason.and_then(std::error::Error::source) {
        reason = Some(deeper);
    }
    let what = if error.is_connect() { "cannot connect" } else { "no answer" };
    let text = match reason {
        Some(reason) => format!("{what}: {reason}"),
        None => what.to_owned(),
    };
    text.chars().take(FAILURE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_the_loopback_only() {
        let secrets = WebhookSecrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let secrets = secrets.expect("a secret");
        let receiver = |url| WebhookReceiver::new(url, secrets.clone());
        for good in [
            "https://app.example/hooks",
            "http://localhost:3000/hooks",
            "http://127.0.0.2/",
            "http://[::1]:80/",
        ] {
            assert!(receiver(good).is_ok(), "{good}");
        }
        for bad in ["http://app.example/", "http://10.0.0.1/", "ftp://localhost/", "localhost", ""]
        {
            assert!(receiver(bad).is_err(), "{bad}");
        }
        let shown = format!("{:?}", receiver("https://user:pw@app.example/?key=1"));
        assert_eq!(shown, "Ok(WebhookReceiver(https://app.example))");
    }
}
