//! What the operator is told once a server is ready: where it is, and how to sign in.

use std::{fmt, net::SocketAddr};

use super::demo;
use crate::config::DatabaseUrl;

/// What it has for browsers.
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
    /// Where it listens, with the port that was picked.
    pub(super) address: SocketAddr,
    pub(super) pages: Pages,
    /// Where its metrics are, if not on the same listener.
    pub(super) metrics: Option<SocketAddr>,
    pub(super) sign_up: bool,
    /// Whether the database had users, and so was not filled as was asked for.
    pub(super) was_not_empty: bool,
    /// Whether the accounts of the demo graph are there.
    pub(super) has_demo_accounts: bool,
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { database, address, .. } = self;
        writeln!(f, "Entourage {} serves {database}\n", env!("CARGO_PKG_VERSION"))?;
        match self.pages {
            Pages::Built => {
                writeln!(f, "  app       http://{address}/")?;
                writeln!(f, "  GraphiQL  http://{address}/graphiql")?;
            }
            Pages::NotBuilt => {
                writeln!(f, "  pages     not built: http://{address}/ tells how")?;
            }
            Pages::Off => {}
        }
        writeln!(f, "  GraphQL   http://{address}/graphql")?;
        if let Some(metrics) = self.metrics {
            writeln!(f, "  metrics   http://{metrics}/metrics")?;
        }
        writeln!(f)?;

        if self.was_not_empty {
            writeln!(f, "The database had users already: --demo left it as it was.")?;
        }
        if self.has_demo_accounts {
            self.accounts(f)?;
        }
        self.sign_in(f)?;
        writeln!(f, "\nStop with Ctrl-C.")
    }
}

impl Banner<'_> {
    fn accounts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accounts of the demo graph")?;
        if self.sign_up {
            write!(f, ", all with the password {:?}", demo::PASSWORD)?;
        }
        writeln!(f, ":\n")?;
        for (username, remark) in demo::GUIDE {
            writeln!(f, "  {username:<10} {remark}")?;
        }
        writeln!(f)
    }

    fn sign_in(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let someone = if self.has_demo_accounts { demo::GUIDE[1].0 } else { "NAME" };
        match (self.sign_up, self.has_demo_accounts) {
            (false, _) => {
                writeln!(f, "Sign-up is closed: `entourage token {someone}` prints a bearer token.")
            }
            (true, false) => {
                writeln!(f, "Make an account with `signUp`, or sign in to one with `signIn`.")
            }
            (true, true) => writeln!(
                f,
                "Sign in to one, and send the token with `authorization: Bearer TOKEN`:\n\n  \
                 curl -s http://{}/graphql -H 'content-type: application/json' -d '{{\"query\": \
                 \"mutation {{ signIn(input: {{username: \\\"{someone}\\\", password: \
                 \\\"{}\\\"}}) {{ token }} }}\"}}'",
                self.address,
                demo::PASSWORD
            ),
        }
    }
}
