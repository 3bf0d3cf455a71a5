//! The configuration: flags and environment variables, parsed once.
//!
//! Each group below belongs to one or more commands. An invalid value is refused here, before
//! anything is opened, with the flag and its variable in the message.
//!
//! **Invariant:** only this module reads the environment: values through clap, and names to report
//! those that are misspelt.
//!
//! **Invariant:** `Debug` shows no secret and no database password.

mod command;
mod database;
mod front;
mod limits;
mod list;
mod provider;
mod slow_log;
mod unknown;
mod webhook;

use std::{ffi::OsStr, fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::{
    Args, ValueEnum,
    builder::{BoolishValueParser, TypedValueParser},
    error::ErrorKind,
};

use self::list::List;
pub use self::{
    command::prepare,
    database::Database,
    front::Front,
    limits::LimitArgs,
    provider::Provider,
    slow_log::SlowLog,
    unknown::{unknown_variables, variables},
    webhook::Webhook,
};
use crate::store;

/// The keys that sign and verify our own tokens.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Tokens")]
pub struct Signing {
    /// Key that signs our own tokens (HS256), at least 32 bytes
    ///
    /// Prefer the file or the variable: other users of the machine can read arguments.
    #[arg(
        long,
        env = "ENTOURAGE_JWT_SECRET",
        value_name = "KEY",
        hide_env_values = true,
        conflicts_with = "jwt_secret_file"
    )]
    pub jwt_secret: Option<Secret>,

    /// File with that key
    ///
    /// A trailing line break is ignored. If neither is given on SQLite, the key is generated in
    /// `entourage.secret` next to the database.
    #[arg(long, env = "ENTOURAGE_JWT_SECRET_FILE", value_name = "FILE")]
    pub jwt_secret_file: Option<PathBuf>,

    /// File with a second key, which verifies tokens and signs none
    ///
    /// With it the key is replaced while servers run: see `docs/deploy.md`.
    #[arg(long, env = "ENTOURAGE_JWT_SECOND_SECRET_FILE", value_name = "FILE")]
    pub jwt_second_secret_file: Option<PathBuf>,
}

/// Where the server listens.
#[derive(Args, Clone, Debug)]
pub struct Listen {
    /// Address to listen on
    ///
    /// Port 0 picks a free one.
    #[arg(
        long = "listen",
        env = "ENTOURAGE_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8000"
    )]
    pub address: Address,
}

/// Features of the server.
#[derive(Args, Clone, Debug)]
pub struct Service {
    /// Fill an empty database with a small demo graph
    ///
    /// Its accounts are printed.
    #[arg(long, env = "ENTOURAGE_DEMO", value_parser = BoolishValueParser::new())]
    pub demo: bool,

    /// Whether to wait at startup for what does not answer
    ///
    /// That is a database server or an identity provider; meanwhile `/readyz` says no. While it waits for
    /// a provider alone, the server answers what needs no token of that provider. A wrong password, role
    /// or database name is never waited for.
    #[arg(
        long,
        env = "ENTOURAGE_WAIT",
        value_name = "on|off",
        default_value = "on",
        hide_possible_values = true
    )]
    pub wait: Switch,

    /// Migrate a PostgreSQL database first; SQLite is always migrated
    #[arg(long, env = "ENTOURAGE_MIGRATE", value_parser = BoolishValueParser::new())]
    pub migrate: bool,

    /// Whether anybody can sign up.
    #[command(flatten)]
    pub sign_up: SignUpArg,

    /// Whether the server is a subgraph of a federation
    ///
    /// If so, gateways of Apollo Federation 2 look up users by `id` and `externalId`, and everybody who
    /// sees a user sees `User.externalId`.
    #[arg(
        long,
        env = "ENTOURAGE_FEDERATION",
        value_name = "on|off",
        default_value = "off",
        hide_possible_values = true
    )]
    pub federation: Switch,

    /// Whether the limits over time apply
    ///
    /// They are on sign-ins, follows and cost. Limits per request always apply.
    #[arg(
        long,
        env = "ENTOURAGE_RATE_LIMITS",
        value_name = "on|off",
        default_value = "on",
        hide_possible_values = true
    )]
    pub rate_limits: Switch,

    /// Whether to serve the pages
    ///
    /// They are the example app at `/` and GraphiQL at `/graphiql`.
    #[arg(
        long,
        env = "ENTOURAGE_PLAYGROUND",
        value_name = "on|off",
        default_value = "on",
        hide_possible_values = true
    )]
    pub playground: Switch,

    /// Whether errors suggest names of the schema
    ///
    /// They are at the end of messages: "Did you mean ...".
    #[arg(
        long,
        env = "ENTOURAGE_SUGGESTIONS",
        value_name = "on|off",
        default_value = "on",
        hide_possible_values = true
    )]
    pub suggestions: Switch,

    /// Serve `/metrics` on this address only [default: with the API]
    #[arg(long, env = "ENTOURAGE_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<Address>,

    /// How long `/readyz` reports `draining` first [default: not at all]
    ///
    /// Then the server stops accepting connections: set the time that a load balancer takes to
    /// notice.
    #[arg(
        long,
        env = "ENTOURAGE_SHUTDOWN_NOTICE",
        value_name = "TIME",
        value_parser = duration
    )]
    pub shutdown_notice: Option<Duration>,
}

/// Whether accounts with a password can be used.
#[derive(Args, Clone, Copy, Debug)]
pub struct SignUpArg {
    /// Whether anybody can sign up [default: open on SQLite, else closed]
    ///
    /// `open`: `signUp`, `signIn` and `changePassword` exist. `closed`: none of them does, so
    /// passwords are of no use.
    #[arg(
        long,
        env = "ENTOURAGE_SIGN_UP",
        value_name = "open|closed",
        hide_possible_values = true
    )]
    sign_up: Option<SignUp>,
}

impl SignUpArg {
    /// Whether sign-up is open: by default on SQLite only.
    pub fn is_open(self, database: &DatabaseUrl) -> bool {
        let default = match database.sqlite_file() {
            Some(_) => SignUp::Open,
            None => SignUp::Closed,
        };
        self.sign_up.unwrap_or(default) == SignUp::Open
    }
}

/// The documents that clients may send, and those that they may name.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Documents")]
pub struct Documents {
    /// Whether clients may register documents by their hash
    ///
    /// Then a client sends the hash alone (Apollo's automatic persisted queries).
    #[arg(
        long,
        env = "ENTOURAGE_APQ",
        value_name = "on|off",
        default_value = "on",
        hide_possible_values = true
    )]
    pub apq: Switch,

    /// Manifests of trusted documents, comma-separated
    ///
    /// As Apollo, Relay or graphql-codegen write them. Clients may send the ids of these documents.
    #[arg(long = "documents", env = "ENTOURAGE_DOCUMENTS", value_name = "FILES")]
    manifests: Vec<List<PathBuf>>,

    /// Run trusted documents only
    ///
    /// They are those of the manifests and of the pages for the browser. Introspection requires the
    /// permission `ADMIN`.
    #[arg(
        long = "documents-only",
        env = "ENTOURAGE_DOCUMENTS_ONLY",
        value_parser = BoolishValueParser::new()
    )]
    pub only: bool,
}

impl Documents {
    /// The files of the manifests.
    pub fn manifests(&self) -> Vec<PathBuf> {
        List::concat(self.manifests.clone())
    }
}

/// What is logged to stderr.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logging")]
pub struct Logging {
    /// Log filter [default: info for serve, else error]
    ///
    /// Such as `info` or `entourage=debug`.
    #[arg(long = "log", env = "RUST_LOG", value_name = "FILTER", value_parser = log_filter)]
    pub filter: Option<String>,

    /// Log format [default: pretty on a terminal, else json]
    #[arg(
        long = "log-format",
        env = "ENTOURAGE_LOG_FORMAT",
        value_name = "pretty|json",
        hide_possible_values = true
    )]
    pub format: Option<LogFormat>,
}

/// The format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// For machines: one object on a line.
    Json,
}

/// Whether anybody can create an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SignUp {
    /// `signUp`, `signIn` and `changePassword` exist.
    Open,
    /// Accounts come from the identity provider or the command line only.
    Closed,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// A secret, redacted in `Debug`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The URL of a database. It may contain a password, so `Display` and `Debug` leave that out.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The URL with its password, for the store.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The file of a SQLite database.
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        store::sqlite_file(&self.0)
    }
}

/// Parses the URL. Unlike clap's own errors, this one does not repeat the value.
#[derive(Clone, Debug)]
struct DatabaseUrlParser;

impl TypedValueParser for DatabaseUrlParser {
    type Value = DatabaseUrl;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        let refuse = |message: String| {
            clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        };
        let variable = argument.and_then(clap::Arg::get_env).and_then(OsStr::to_str);
        let variable = variable.unwrap_or("DATABASE_URL");
        let text = value.to_str().ok_or_else(|| refuse(format!("{variable} is not UTF-8")))?;
        store::check_url(text)
            .map_err(|error| refuse(error.to_string().replace("DATABASE_URL", variable)))?;
        Ok(DatabaseUrl(text.to_owned()))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&store::place(&self.0))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

/// A host and a port to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A host name or an IP address; IPv6 in brackets.
    pub host: String,
    /// The port; 0 picks a free one.
    pub port: u16,
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "write HOST:PORT, such as 127.0.0.1:8000, 0.0.0.0:80 or [::1]:8000";
        let (host, port) = text.rsplit_once(':').ok_or(RULE)?;
        let is_plain = !host.contains([':', '/', '[', ']', ' ']);
        let is_socket = text.parse::<SocketAddr>().is_ok();
        if host.is_empty() || !(is_plain || is_socket) {
            return Err(RULE);
        }
        Ok(Self { host: host.to_owned(), port: port.parse().map_err(|_| RULE)? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Parses a time such as `500ms`, `10s`, `15m`, `1h` or `7d`: above zero, at most ten years.
///
/// # Errors
/// If the text is not such a time; the message says how to write one.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    const RULE: &str = "write a number with ms, s, m, h or d, such as 10s; at most 3650d";
    const LONGEST: Duration = Duration::from_hours(3_650 * 24);
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or(RULE)?;
    let (number, unit) = text.split_at(unit_at);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(RULE),
    };
    let ms = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_ms));
    let time = Duration::from_millis(ms.ok_or(RULE)?);
    if time.is_zero() || time > LONGEST { Err(RULE) } else { Ok(time) }
}

/// Checks a log filter when the command line is parsed, not when logging starts.
fn log_filter(text: &str) -> Result<String, String> {
    tracing_subscriber::EnvFilter::try_new(text).map_err(|e| e.to_string())?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::domain::Limits;

    #[derive(Debug, Parser)]
    struct Everything {
        #[command(flatten)]
        database: Database,
        #[command(flatten)]
        signing: Signing,
        #[command(flatten)]
        limits: LimitArgs,
    }

    #[test]
    fn defaults_match_those_of_the_layers_that_use_them() {
        let all = Everything::parse_from(["entourage"]);
        let (ours, theirs) = (all.database.options(), store::Options::default());

        assert_eq!(all.limits.limits(), Ok(Limits::default()));
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let all = Everything::parse_from([
            "entourage",
            "--database-url=postgres://bob:hunter2@db.example/follows?password=hunter2",
            "--jwt-secret=hunter2",
        ]);

        let shown = format!("{all:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("PostgreSQL, follows on db.example"), "{shown}");
    }

    #[test]
    fn times_have_a_unit_and_are_above_zero() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1h"), Ok(Duration::from_hours(1)));
        for bad in ["", "5", "s", "0s", "-1s", "1.5s", "1 s", "99999999999999999999d", "4000d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for good in ["127.0.0.1:0", "[::1]:8000", "localhost:80"] {
            assert_eq!(good.parse::<Address>().expect("good").to_string(), good);
        }
        for bad in ["", "8000", ":8000", "localhost", "::1:80", "http://x:80", "x:70000"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
