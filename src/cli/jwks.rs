//! Loads the key set of an identity provider from a file or a URL.
//!
//! **Invariant:** size and time are bounded, whatever the other end sends.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use tokio::{fs::File, io::AsyncReadExt};

use crate::service::{JwksError, KeySource};

/// The most bytes of a key set.
const BYTES_MAX: u64 = 1024 * 1024;
/// The longest that a server may take to send a key set.
const TIME_MAX: Duration = Duration::from_secs(5);

/// A file or a URL with a key set.
#[derive(Clone, Debug)]
pub struct JwksPlace(Place);

#[derive(Clone, Debug)]
enum Place {
    File(PathBuf),
    Url { url: String, client: reqwest::Client },
}

impl JwksPlace {
    /// A URL if the name starts with `http://` or `https://`, else a file.
    ///
    /// # Errors
    /// If TLS cannot be set up on this machine.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        Self::within(name, TIME_MAX)
    }

    fn within(name: &str, time_max: Duration) -> anyhow::Result<Self> {
        if !name.starts_with("https://") && !name.starts_with("http://") {
            return Ok(Self(Place::File(name.into())));
        }
        // Never follow a redirect from https to http: somebody in between could add keys.
        let is_safe = name.starts_with("https://");
        let client = reqwest::Client::builder().timeout(time_max).https_only(is_safe).build()?;
        Ok(Self(Place::Url { url: name.to_owned(), client }))
    }

    async fn text(&self) -> anyhow::Result<String> {
        let bytes = match &self.0 {
            Place::File(path) => {
                let mut bytes = Vec::new();
                File::open(path).await?.take(BYTES_MAX + 1).read_to_end(&mut bytes).await?;
                bytes
            }
            Place::Url { url, client } => {
                fetch(client, url).await.map_err(reqwest::Error::without_url)?
            }
        };
        ensure!(bytes.len() as u64 <= BYTES_MAX, "the key set is larger than {BYTES_MAX} bytes");
        String::from_utf8(bytes).context("the key set is not text")
    }
}

/// The bytes at a URL. Stops reading once they exceed the limit.
async fn fetch(client: &reqwest::Client, url: &str) -> reqwest::Result<Vec<u8>> {
    let mut reply = client.get(url).send().await?.error_for_status()?;
    let mut bytes = Vec::new();
    while bytes.len() as u64 <= BYTES_MAX
        && let Some(chunk) = reply.chunk().await?
    {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[async_trait]
impl KeySource for JwksPlace {
    async fn read(&self) -> Result<String, JwksError> {
        self.text().await.map_err(|error| match self.0 {
            Place::File(_) => JwksError::Unreadable(format!("{error:#}")),
            Place::Url { .. } => JwksError::Unreachable(format!("{error:#}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread,
    };

    use super::*;

    /// The message of a place that cannot be read.
    async fn refusal(name: &str, time_max: Duration) -> String {
        let place = JwksPlace::within(name, time_max).expect("a place");
        place.read().await.expect_err("it cannot be read").to_string()
    }

    /// A server that writes to its first client until the client hangs up.
    fn endless(line: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
        thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            let _ = client.read(&mut [0; 4_096]);
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            while client.write_all(line).is_ok() {}
        });
        url
    }

    #[tokio::test]
    async fn a_key_set_that_is_too_large_is_refused() {
        let too_large = "the key set is larger than 1048576 bytes";
        assert_eq!(refusal("/dev/zero", TIME_MAX).await, too_large);
        assert_eq!(refusal(&endless(&[b' '; 16_384]), TIME_MAX).await, too_large);
    }

    #[tokio::test]
    async fn a_silent_server_times_out() {
        // The kernel completes the connection; the server never accepts it.
        let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/", silent.local_addr().expect("it is bound"));
        let refusal = refusal(&url, Duration::from_millis(50)).await;
        assert!(refusal.contains("timed out"), "{refusal}");
        assert!(!refusal.contains("127.0.0.1"), "the message repeats the URL: {refusal}");
    }

    #[tokio::test]
    async fn a_key_set_that_is_not_text_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("keys");
        std::fs::write(&file, [0xff]).expect("writes");
        let refusal = refusal(file.to_str().expect("text"), TIME_MAX).await;
        assert!(refusal.starts_with("the key set is not text: "), "{refusal}");
    }
}
