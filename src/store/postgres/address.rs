//! The address of a PostgreSQL database: a URL as libpq reads it, with several hosts.
//!
//! **Invariant:** a parameter that we do not honour is refused by name, above all one that asks for
//! security. sqlx would only log a warning.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use crate::store::ConnectError;

/// Which of the hosts to use: `target_session_attrs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Wanted {
    /// The first that answers.
    Any,
    /// The first that is not a standby.
    Primary,
    /// The first that is not a standby and whose transactions are not read-only by default.
    ReadWrite,
}

/// Where a database is, and how to connect to it.
#[derive(Clone, Debug)]
pub(in crate::store) struct Address {
    /// One entry for each host, in the order of the URL; at least one.
    pub(in crate::store) hosts: Vec<PgConnectOptions>,
    pub(in crate::store) wanted: Wanted,
    /// A pooler lends a connection to the server for one transaction only: `pooler=transaction`.
    pub(in crate::store) shares_sessions: bool,
    /// Trust the certificates of the operating system: `sslrootcert=system`.
    pub(in crate::store) trusts_system: bool,
}

impl Address {
    /// The database and its hosts, for people.
    pub(in crate::store) fn place(&self) -> String {
        let hosts: Vec<_> = self.hosts.iter().map(place).collect();
        let database = self.hosts[0].get_database().unwrap_or(self.hosts[0].get_username());
        format!("{database} on {}", hosts.join(", "))
    }
}

/// A host and its port, for people.
pub(super) fn place(host: &PgConnectOptions) -> String {
    match host.get_socket() {
        Some(folder) => format!("{}:{}", folder.display(), host.get_port()),
        None => format!("{}:{}", host.get_host(), host.get_port()),
    }
}

impl FromStr for Address {
    type Err = ConnectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = Parts::split(text)?;
        let mut parameters = Parameters::default();
        let mut hosts: Vec<_> = parts.hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut ports = Vec::new();
        for (key, value) in parts.url.query_pairs() {
            match &*key {
                "host" => hosts = value.split(',').map(str::to_owned).collect(),
                "port" => ports = value.split(',').map(str::to_owned).collect(),
                key => parameters.read(key, &value)?,
            }
        }
        if !matches!(ports.len(), 0 | 1) && ports.len() != hosts.len() {
            return Err(bad("give one port, or one for each host"));
        }

        let host_options = |(number, host): (usize, &String)| {
            let port = ports.get(number).or_else(|| ports.first().filter(|_| ports.len() == 1));
            parameters.apply(parts.options(host, port.map(String::as_str))?)
        };
        let hosts = hosts.iter().enumerate().map(host_options).collect::<Result<Vec<_>, _>>()?;
        if parameters.shares_sessions && hosts.iter().any(|host| host.get_options().is_some()) {
            return Err(bad("`options` cannot be set through pooler=transaction: use ALTER ROLE"));
        }
        let default = if hosts.len() > 1 { Wanted::ReadWrite } else { Wanted::Any };
        Ok(Self {
            hosts,
            wanted: parameters.wanted.unwrap_or(default),
            shares_sessions: parameters.shares_sessions,
            trusts_system: parameters.trusts_system,
        })
    }
}

/// Stands where a URL has no host of its own: beside a user, `url` refuses that. The parameter `host`
/// replaces it.
const SOME_HOST: &str = "localhost";

/// The parts of a URL that `url` cannot read because it may name several hosts.
struct Parts<'t> {
    /// What precedes the hosts: the scheme, user and password.
    head: &'t str,
    hosts: Vec<&'t str>,
    /// The URL with the first host alone.
    url: Url,
}

impl<'t> Parts<'t> {
    fn split(text: &'t str) -> Result<Self, ConnectError> {
        let begin = text.find("://").ok_or_else(|| bad("write postgres://USER@HOST/NAME"))? + 3;
        let length = text[begin..].find(['/', '?', '#']).unwrap_or(text.len() - begin);
        let (authority, tail) = text[begin..].split_at(length);
        let user = authority.rfind('@').map_or(0, |at_sign| at_sign + 1);
        let head = &text[..begin + user];
        let hosts: Vec<_> = authority[user..].split(',').collect();
        if hosts.len() > 1 && hosts.iter().any(|host| host.is_empty()) {
            return Err(bad("one of the hosts is empty"));
        }
        let host = if hosts[0].is_empty() { SOME_HOST } else { hosts[0] };
        let url = format!("{head}{host}{tail}").parse().map_err(|e| bad(&format!("{e}")))?;
        Ok(Self { head, hosts, url })
    }

    /// The options for one host, with the parameters that sqlx knows.
    fn options(&self, host: &str, port: Option<&str>) -> Result<PgConnectOptions, ConnectError> {
        let is_in_authority = self.hosts.contains(&host);
        let text = if is_in_authority { host } else { SOME_HOST };
        let mut url: Url = format!("{}{text}{}", self.head, self.url.path())
            .parse()
            .map_err(|e| bad(&format!("{host}: {e}")))?;
        let kept = self.url.query_pairs().filter(|(key, _)| is_for_sqlx(key));
        url.query_pairs_mut().extend_pairs(kept);
        if !is_in_authority {
            url.query_pairs_mut().append_pair("host", host);
        }
        if let Some(port) = port {
            url.query_pairs_mut().append_pair("port", port);
        }
        PgConnectOptions::from_str(url.as_str()).map_err(|error| match error {
            sqlx::Error::Configuration(reason) => bad(&reason.to_string()),
            error => bad(&error.to_string()),
        })
    }
}

/// Whether nothing is missed by ignoring a parameter.
fn asks_for_nothing(key: &str, value: &str) -> bool {
    match key {
        "channel_binding" | "gssencmode" => matches!(value, "disable" | "prefer"),
        "client_encoding" => value.eq_ignore_ascii_case("utf8") || value == "auto",
        "load_balance_hosts" => value == "disable",
        "requiressl" | "sslcompression" => value == "0",
        "sslnegotiation" => value == "postgres",
        // Older versions than 1.2 are never used.
        "ssl_min_protocol_version" => matches!(value, "TLSv1" | "TLSv1.1" | "TLSv1.2"),
        // The pool has its own timeouts.
        _ => [
            "connect_timeout",
            "fallback_application_name",
            "keepalives",
            "keepalives_count",
            "keepalives_idle",
            "keepalives_interval",
            "sslsni",
            "tcp_user_timeout",
        ]
        .contains(&key),
    }
}

/// Whether sqlx reads this parameter, or we pass it on to sqlx by hand.
fn is_for_sqlx(key: &str) -> bool {
    const KEYS: [&str; 14] = [
        "sslmode",
        "ssl-mode",
        "ssl-root-cert",
        "ssl-ca",
        "sslcert",
        "ssl-cert",
        "sslkey",
        "ssl-key",
        "statement-cache-capacity",
        "hostaddr",
        "dbname",
        "user",
        "password",
        "application_name",
    ];
    KEYS.contains(&key) || key == "options" || key.starts_with("options[")
}

/// The parameters that sqlx does not know, or not well enough.
#[derive(Default)]
struct Parameters {
    wanted: Option<Wanted>,
    shares_sessions: bool,
    trusts_system: bool,
    has_mode: bool,
    root: Option<String>,
}

impl Parameters {
    fn read(&mut self, key: &str, value: &str) -> Result<(), ConnectError> {
        let refuse = |hint: &str| Err(bad(&format!("{key}={value} is not supported{hint}")));
        match (key, value) {
            ("sslrootcert" | "ssl-root-cert" | "ssl-ca", "system") => self.trusts_system = true,
            ("sslrootcert" | "ssl-root-cert" | "ssl-ca", _) => self.root = Some(value.to_owned()),
            ("sslmode" | "ssl-mode", _) => self.has_mode = true,
            ("target_session_attrs", "any") => self.wanted = Some(Wanted::Any),
            ("target_session_attrs", "primary") => self.wanted = Some(Wanted::Primary),
            ("target_session_attrs", "read-write") => self.wanted = Some(Wanted::ReadWrite),
            ("target_session_attrs", _) => {
                return refuse(": Entourage writes, so use read-write, primary or any");
            }
            ("pooler", "transaction") => self.shares_sessions = true,
            ("pooler", "session") => self.shares_sessions = false,
            ("pooler", _) => return refuse(": use transaction or session"),
            ("pgbouncer", _) => return refuse(": for transaction mode write pooler=transaction"),
            ("channel_binding", "require") => {
                return refuse(": use prefer, and sslmode=verify-full to know the server");
            }
            _ if asks_for_nothing(key, value) || is_for_sqlx(key) => {}
            // Without the value, which may be a password.
            _ => return Err(bad(&format!("{key} is not supported"))),
        }
        Ok(())
    }

    /// As in libpq, a root certificate is checked with `sslmode=require` too, and those of the
    /// operating system, which vouch for strangers as well, only with the name of the host.
    fn apply(&self, mut host: PgConnectOptions) -> Result<PgConnectOptions, ConnectError> {
        if let Some(file) = &self.root {
            host = host.ssl_root_cert(file);
            if matches!(host.get_ssl_mode(), PgSslMode::Require) {
                host = host.ssl_mode(PgSslMode::VerifyCa);
            }
        }
        if self.trusts_system {
            if self.has_mode && !matches!(host.get_ssl_mode(), PgSslMode::VerifyFull) {
                return Err(bad("sslrootcert=system requires sslmode=verify-full"));
            }
            host = host.ssl_mode(PgSslMode::VerifyFull);
        }
        Ok(host)
    }
}

fn bad(reason: &str) -> ConnectError {
    ConnectError::BadUrl(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn refusal(parameters: &str) -> String {
        let text = format!("postgres://bob:hunter2@db/name?{parameters}");
        text.parse::<Address>().expect_err(parameters).to_string()
    }

    #[test]
    fn a_url_may_name_several_hosts_in_both_ways_of_libpq() {
        for text in [
            "postgres://bob:p%40ss@one:5433,[::1]:5434/name?target_session_attrs=primary",
            "postgres://bob:p%40ss@/name?host=one,[::1]&port=5433,5434&target_session_attrs=primary",
        ] {
            let address = address(text);
            assert_eq!(address.place(), "name on one:5433, [::1]:5434", "{text}");
            assert_eq!(address.wanted, Wanted::Primary);
            for host in &address.hosts {
                assert_eq!(host.get_username(), "bob");
                assert_eq!(host.get_database(), Some("name"));
            }
        }
        assert_eq!(address("postgres://one,two:1/n").wanted, Wanted::ReadWrite);
        assert_eq!(address("postgres://one/n").wanted, Wanted::Any);
        assert_eq!(address("postgres:///n?host=/run/pg&port=7").place(), "n on /run/pg:7");
    }

    #[test]
    fn a_url_that_is_none_is_refused() {
        for text in ["postgres:one", "postgres://one,,two/n", "postgres://one:1,two:x/n"] {
            text.parse::<Address>().expect_err(text);
        }
        let ports = refusal("host=a,b&port=1,2,3");
        assert!(ports.ends_with("give one port, or one for each host"), "{ports}");
    }

    #[test]
    fn parameters_that_are_not_honoured_are_refused_by_name() {
        for parameter in [
            "gssencmode=require",
            "requirepeer=postgres",
            "sslcrl=file",
            "sslpassword=hunter2",
            "ssl_min_protocol_version=TLSv1.3",
            "require_auth=scram-sha-256",
            "channel_binding=require",
            "target_session_attrs=standby",
            "schema=public",
            "pooler=statement",
            "pgbouncer=true",
        ] {
            let line = refusal(parameter);
            let (key, _) = parameter.split_once('=').unwrap_or((parameter, ""));
            let begin = format!("DATABASE_URL cannot be read: {key}");
            assert!(line.starts_with(&begin) && line.contains("is not supported"), "{line}");
            assert!(!line.contains("hunter2"), "{line}");
        }
        address("postgres://db/n?channel_binding=prefer&gssencmode=disable&connect_timeout=3");
    }

    #[test]
    fn a_root_certificate_is_never_ignored() {
        let mode = |parameters: &str| {
            address(&format!("postgres://db/n?{parameters}")).hosts[0].get_ssl_mode()
        };
        assert!(matches!(mode("sslmode=require"), PgSslMode::Require));
        assert!(matches!(mode("sslmode=require&sslrootcert=ca.pem"), PgSslMode::VerifyCa));
        assert!(matches!(mode("sslrootcert=system"), PgSslMode::VerifyFull));
        let weak = refusal("sslrootcert=system&sslmode=require");
        assert!(weak.ends_with("sslrootcert=system requires sslmode=verify-full"), "{weak}");
    }

    #[test]
    fn a_shared_session_takes_no_options() {
        assert!(address("postgres://db/n?pooler=transaction").shares_sessions);
        let line = refusal("pooler=transaction&options=-c%20jit%3Doff");
        assert!(line.contains("use ALTER ROLE"), "{line}");
    }
}
