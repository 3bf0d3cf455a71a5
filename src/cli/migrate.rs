//! `entourage migrate`

use anyhow::bail;

use super::{database, print};
use crate::{
    config::{Database, Logging},
    store::SchemaState,
};

/// Migrate the schema of the database and exit
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Change nothing; exit code 1 if the schema is not up to date
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    logging: Logging,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    super::log(&args.logging, "error")?;
    let store = database::connect(&args.database, !args.check).await?;
    let state = store.schema_state().await?;

    let message = match state {
        SchemaState::Current => "the schema is up to date\n",
        SchemaState::Empty | SchemaState::Older { .. } if !args.check => {
            store.migrate().await?;
            "migrated the schema\n"
        }
        state => bail!("{}", database::complaint(state)),
    };

    store.close().await;
    print(message)
}
