//! The address of the client, which the limits per address count.
//!
//! It is the peer of the connection, unless that is a trusted proxy. Then it is the last address in
//! `X-Forwarded-For` that is not a trusted proxy: everything before it was sent by the client and
//! may be forged.

use std::{net::IpAddr, str::FromStr};

use hyper::header::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// The address or network of a trusted proxy, such as `10.0.0.0/8` or `192.0.2.7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyNet(IpNet);

impl FromStr for ProxyNet {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let net = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        net.map(Self).map_err(|_| "write an address or a network, such as 192.0.2.7 or 10.0.0.0/8")
    }
}

impl Peer {
    /// The address of the client that sent this request.
    pub(super) fn client(self, headers: &HeaderMap, proxies: &[ProxyNet]) -> IpAddr {
        let is_trusted =
            |address: &IpAddr| proxies.iter().any(|ProxyNet(net)| net.contains(address));
        let mut client = self.0.to_canonical();
        let hops = headers.get_all(FORWARDED_FOR).iter().filter_map(|hops| hops.to_str().ok());
        let hops: Vec<_> = hops.flat_map(|hops| hops.split(',')).map(str::trim).collect();
        let mut hops = hops.into_iter().rev();
        while is_trusted(&client) {
            // No readable hop is left: the last trusted proxy counts as the client.
            let Some(hop) = hops.next().and_then(address) else { break };
            client = hop;
        }
        client
    }
}

/// The address of a hop, which may have a port.
fn address(hop: &str) -> Option<IpAddr> {
    let parsed = hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip());
    parsed.or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn client(peer: &str, forwarded_for: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for hops in forwarded_for {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(hops));
        }
        let proxies = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"];
        let proxies = proxies.map(|net| net.parse().expect("a network"));
        Peer(peer.parse().expect("an address")).client(&headers, &proxies).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_may_name_the_client() {
        assert_eq!(client("198.51.100.1", &["203.0.113.5"]), "198.51.100.1");
        assert_eq!(client("10.1.2.3", &["203.0.113.5"]), "203.0.113.5");
        assert_eq!(client("::ffff:10.1.2.3", &["203.0.113.5"]), "203.0.113.5");
    }

    #[test]
    fn the_last_address_that_is_not_a_proxy_is_the_client() {
        assert_eq!(client("10.1.2.3", &["1.1.1.1, 203.0.113.5, 192.0.2.7"]), "203.0.113.5");
        assert_eq!(client("10.1.2.3", &["1.1.1.1", "203.0.113.5,10.9.9.9"]), "203.0.113.5");
        assert_eq!(client("10.1.2.3", &["203.0.113.5:4711"]), "203.0.113.5");
        assert_eq!(client("2001:db8::1", &["[2001:db9::5]:4711"]), "2001:db9::5");
    }

    #[test]
    fn without_a_readable_hop_the_last_proxy_is_the_client() {
        assert_eq!(client("10.1.2.3", &[]), "10.1.2.3");
        assert_eq!(client("10.1.2.3", &["203.0.113.5, unknown"]), "10.1.2.3");
        assert_eq!(client("10.1.2.3", &["nonsense, 192.0.2.7"]), "192.0.2.7");
    }
}
