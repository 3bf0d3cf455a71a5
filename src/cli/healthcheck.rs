//! `entourage healthcheck`

use std::time::Duration;

use anyhow::{Context, bail};

use crate::config::{Address, Listen};

/// Check that a running server is ready: exit code 0 or 1, for containers
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    listen: Listen,
}

const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let address = reachable(&args.listen.address);
    if address.port == 0 {
        bail!(
            "port 0 cannot be checked: set ENTOURAGE_LISTEN to the port in the banner of the server"
        );
    }

    // The server is on this machine; a proxy would resolve the address on another. Without TLS no
    // certificates are needed, which a small image may lack.
    let client =
        reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(TIMEOUT).build()?;
    let asked = client.get(format!("http://{address}/readyz")).send().await;
    let reply = asked.map_err(reqwest::Error::without_url);
    let reply = reply.with_context(|| format!("no server answers at {address}"))?;

    if !reply.status().is_success() {
        let reason = reply.text().await.unwrap_or_default();
        bail!("the server at {address} is not ready: {reason}");
    }
    Ok(())
}

/// A concrete address of a server that listens on all of them.
fn reachable(address: &Address) -> Address {
    let host = match address.host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "[::]" => "[::1]",
        host => host,
    };
    Address { host: host.to_owned(), port: address.port }
}
