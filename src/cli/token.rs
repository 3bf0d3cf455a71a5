//! `entourage token`

use std::time::Duration;

use chrono::TimeDelta;
use clap::builder::PossibleValuesParser;

use super::{
    database::{self, Migrate},
    print,
    signing::Signer,
    user,
};
use crate::{
    config::{self, Database, Logging, Signing},
    domain::Permission,
};

/// Print a bearer token for each user, one per line, in order
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Usernames
    #[arg(required = true, value_name = "NAME")]
    usernames: Vec<String>,
    /// Lifetime of the tokens
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = config::duration)]
    ttl: Duration,
    /// Restrict the tokens to these permissions, comma-separated
    #[arg(
        long,
        value_name = "PERMISSION",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(Permission::ALL.map(Permission::scope))
    )]
    scope: Vec<String>,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    signing: Signing,
    #[command(flatten)]
    logging: Logging,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    super::log(&args.logging, "error")?;
    let signer = Signer::load(&args.signing, &args.database.url)?;
    let store = database::open(&args.database, Migrate::Never).await?;
    let service = database::service(&store, signer.into_tokens()?);
    let ttl = TimeDelta::from_std(args.ttl)?;
    let scope = (!args.scope.is_empty()).then(|| args.scope.join(" "));

    let mut tokens = String::new();
    for username in &args.usernames {
        let token = service.operator().token(&user::key(username)?, scope.as_deref(), ttl).await?;
        tokens += &token.ok_or_else(|| user::no_such_user(username))?;
        tokens.push('\n');
    }

    store.close().await;
    print(&tokens)
}
