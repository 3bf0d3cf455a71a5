//! What is in front of the server: proxies, and sites in browsers.

use std::time::Duration;

use clap::Args;

use super::{duration, list::List};
use crate::http::{BasePath, Origin, ProxyNet};

/// Proxies in front of the server, and the browsers behind them.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Proxies and browsers")]
pub struct Front {
    /// Path below which a proxy publishes the server, such as `/social`
    ///
    /// The server answers with and without it, and its pages and the paths of drawn pictures begin
    /// with it.
    #[arg(long, env = "ENTOURAGE_BASE_PATH", value_name = "PATH")]
    base_path: Option<BasePath>,

    /// Sites whose scripts may call the server, comma-separated
    ///
    /// Such as `https://app.example.com` or `capacitor://localhost`; `development` allows every port
    /// of localhost, `*` any site.
    #[arg(long, env = "ENTOURAGE_CORS_ORIGINS", value_name = "ORIGINS")]
    cors_origins: Vec<List<Origin>>,

    /// Trusted proxies, such as `10.0.0.0/8`, comma-separated
    ///
    /// For requests through them the limits per address and the log use the client in
    /// `X-Forwarded-For`.
    #[arg(long, env = "ENTOURAGE_TRUSTED_PROXIES", value_name = "NETS")]
    trusted_proxies: Vec<List<ProxyNet>>,

    /// How long a connection stays open without a request
    ///
    /// It must be longer than the proxy keeps its idle connections (60 seconds for nginx), or some
    /// requests fail with 502.
    #[arg(
        long,
        env = "ENTOURAGE_IDLE_TIMEOUT",
        value_name = "TIME",
        default_value = "75s",
        value_parser = duration
    )]
    pub idle_timeout: Duration,
}

impl Front {
    /// The path below which the server is published.
    pub fn base_path(&self) -> BasePath {
        self.base_path.clone().unwrap_or_default()
    }

    /// The sites whose scripts may call the server.
    pub fn cors_origins(&self) -> Vec<Origin> {
        List::concat(self.cors_origins.clone())
    }

    /// The trusted proxies.
    pub fn trusted_proxies(&self) -> Vec<ProxyNet> {
        List::concat(self.trusted_proxies.clone())
    }
}
