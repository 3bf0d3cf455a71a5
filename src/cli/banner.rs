//! The banner of a server that is ready: its addresses, and how to sign in.

use std::{fmt, net::SocketAddr};

use super::demo;
use crate::{config::DatabaseUrl, http::BasePath};

/// What the server offers to browsers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pages {
    /// The example app and GraphiQL.
    Built,
    /// A page that says how to build them.
    NotBuilt,
    /// Nothing.
    Off,
}

/// A server that is ready.
pub(super) struct Banner<'a> {
    pub(super) database: &'a DatabaseUrl,
    /// The bound address, with the actual port.
    pub(super) address: SocketAddr,
    /// The path below which a proxy publishes the server.
    pub(super) base_path: BasePath,
    pub(super) pages: Pages,
    /// The listener of the metrics, if they have their own.
    pub(super) metrics: Option<SocketAddr>,
    pub(super) sign_up: bool,
    /// Whether `--demo` left the database alone because it had users.
    pub(super) was_not_empty: bool,
    /// The demo accounts that can sign in.
    pub(super) demo_accounts: Vec<demo::Account>,
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { database, address, base_path, .. } = self;
        writeln!(f, "Entourage {} serves {database}\n", env!("CARGO_PKG_VERSION"))?;
        match self.pages {
            Pages::Built => {
                writeln!(f, "  app       http://{address}{base_path}/")?;
                writeln!(f, "  GraphiQL  http://{address}{base_path}/graphiql")?;
            }
            Pages::NotBuilt => {
                writeln!(f, "  pages     not built: see http://{address}{base_path}/")?;
            }
            Pages::Off => {}
        }
        writeln!(f, "  GraphQL   http://{address}{base_path}/graphql")?;
        if let Some(metrics) = self.metrics {
            writeln!(f, "  metrics   http://{metrics}/metrics")?;
        }
        writeln!(f)?;

        if self.was_not_empty {
            writeln!(f, "The database already has users: --demo changed nothing.")?;
        }
        if !self.demo_accounts.is_empty() {
            self.accounts(f)?;
        }
        self.sign_in(f)?;
        writeln!(f, "\nStop with Ctrl-C.")
    }
}

impl Banner<'_> {
    fn accounts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Demo accounts")?;
        if self.sign_up {
            write!(f, ", all with the password {:?}", demo::PASSWORD)?;
        }
        writeln!(f, ":\n")?;
        for (username, remark) in &self.demo_accounts {
            writeln!(f, "  {username:<10} {remark}")?;
        }
        writeln!(f)
    }

    fn sign_in(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The second one may follow, and has no followers yet.
        let accounts = &self.demo_accounts;
        let someone = accounts.get(1).or(accounts.first()).map(|(username, _)| *username);
        match (self.sign_up, someone) {
            (false, someone) => {
                let someone = someone.unwrap_or("NAME");
                writeln!(f, "Sign-up is closed: `entourage token {someone}` prints a bearer token.")
            }
            (true, None) => {
                writeln!(f, "Create an account with `signUp`, or sign in with `signIn`.")
            }
            (true, Some(someone)) => writeln!(
                f,
                "Sign in, then send the token as `authorization: Bearer TOKEN`:\n\n  \
                 curl -s http://{}{}/graphql -H 'content-type: application/json' -d '{{\"query\": \
                 \"mutation {{ signIn(input: {{username: \\\"{someone}\\\", password: \
                 \\\"{}\\\"}}) {{ token }} }}\"}}'",
                self.address,
                self.base_path,
                demo::PASSWORD
            ),
        }
    }
}
