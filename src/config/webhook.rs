//! The host's webhook.

use std::path::PathBuf;

use clap::Args;

use super::Secret;

/// The host's webhook, off by default.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Webhook")]
pub struct Webhook {
    /// URL that new follows and follow requests are sent to
    ///
    /// It is https, or http on this machine. Deliveries are signed as Standard Webhooks 1.0.0 has it,
    /// and retried for three days.
    #[arg(
        long,
        env = "ENTOURAGE_WEBHOOK_URL",
        value_name = "URL",
        hide_env_values = true,
        requires = "webhook_secret_file"
    )]
    pub webhook_url: Option<Secret>,

    /// File with the secret that signs them
    ///
    /// `whsec_` and the base64 of 24 to 64 bytes. A second line is the old secret, which also signs
    /// until receivers have the new one.
    #[arg(
        long,
        env = "ENTOURAGE_WEBHOOK_SECRET_FILE",
        value_name = "FILE",
        requires = "webhook_url"
    )]
    pub webhook_secret_file: Option<PathBuf>,
}
