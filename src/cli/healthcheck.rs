//! `entourage healthcheck`

use std::time::Duration;

use anyhow::{Context, bail};

use crate::config::{Address, Listen};

/// Ask a running server whether it is ready: exit code 0 or 1, for containers
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    listen: Listen,
}

const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let address = reachable(&args.listen.address);
    if address.port == 0 {
        bail!("port 0 is none to ask: name the port that the server told (ENTOURAGE_LISTEN)");
    }

    // The server is on this machine: a proxy would be asked for another one.
    let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
    let asked = client.get(format!("http://{address}/readyz")).send().await;
    let reply = asked.map_err(reqwest::Error::without_url);
    let reply = reply.with_context(|| format!("no server answers on {address}"))?;

    if !reply.status().is_success() {
        let reason = reply.text().await.unwrap_or_default();
        bail!("the server on {address} is not ready: {reason}");
    }
    Ok(())
}

/// Where to ask a server that listens on every address.
fn reachable(address: &Address) -> Address {
    let host = match address.host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "[::]" => "[::1]",
        host => host,
    };
    Address { host: host.to_owned(), port: address.port }
}
