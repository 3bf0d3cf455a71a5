//! `entourage backup` and `entourage restore`

use std::path::PathBuf;

use anyhow::bail;

use super::print;
use crate::{
    config::{Database, Logging},
    store::{self, SchemaState},
};

/// Copy a SQLite database to a new file, while servers run
///
/// The copy is as of one moment. Only its owner may read it. Copy PostgreSQL with `pg_dump`.
#[derive(Debug, clap::Args)]
pub(super) struct BackupArgs {
    /// File to write, which must not exist
    file: PathBuf,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    logging: Logging,
}

/// Replace a SQLite database by a backup
///
/// Stop the server first. The backup is checked, and then takes the place of the database in one
/// step. Restore PostgreSQL with `pg_restore`.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// File that `entourage backup` wrote
    file: PathBuf,
    /// Replace a database that has users, or is damaged
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    logging: Logging,
}

pub(super) async fn backup(args: BackupArgs) -> anyhow::Result<()> {
    super::log(&args.logging, "error")?;
    let BackupArgs { file, database, .. } = args;
    if database.url.sqlite_file().is_none() {
        bail!(
            "the database is on PostgreSQL: use `pg_dump --format=custom --file={} \
             \"$DATABASE_URL\"`",
            file.display()
        );
    }
    let bytes = store::backup(database.url.expose(), &file).await?;
    print(&format!("copied {} to {}: {bytes} bytes\n", place(&database), file.display()))
}

pub(super) async fn restore(args: RestoreArgs) -> anyhow::Result<()> {
    super::log(&args.logging, "error")?;
    let RestoreArgs { file, force, database, .. } = args;
    if database.url.sqlite_file().is_none() {
        bail!(
            "the database is on PostgreSQL: use `pg_restore --dbname=\"$DATABASE_URL\" --no-owner {}`",
            file.display()
        );
    }
    let restored = store::restore(database.url.expose(), &file, force).await?;
    let (bytes, place) = (restored.bytes, place(&database));
    let next = match restored.state {
        SchemaState::Older { .. } => "`entourage serve` migrates it",
        _ => "run `entourage check` next",
    };
    print(&format!("restored {place} from {}: {bytes} bytes; {next}\n", file.display()))
}

/// The file of the database, for people.
fn place(database: &Database) -> String {
    database.url.sqlite_file().map(|file| file.display().to_string()).unwrap_or_default()
}
