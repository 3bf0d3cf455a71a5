//! Where the key set of an identity provider is: a file, or a URL.
//!
//! **Invariant:** reading it takes a bounded time and a bounded amount of memory, whatever is
//! there.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use tokio::{fs::File, io::AsyncReadExt};

use crate::graph::{JwksError, KeySource};

/// The most bytes of a key set.
const BYTES_MAX: u64 = 1024 * 1024;
/// The longest that a server may take to send one.
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
    /// The place of this name, which is taken for a URL when it begins like one of http or https.
    ///
    /// # Errors
    /// When this machine is not prepared for TLS.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        if !name.starts_with("https://") && !name.starts_with("http://") {
            return Ok(Self(Place::File(name.into())));
        }
        let client = reqwest::Client::builder().timeout(TIME_MAX).build()?;
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

/// The bytes at a URL, or a few too many.
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
        self.text().await.map_err(|error| JwksError::Unreadable(format!("{error:#}")))
    }
}
