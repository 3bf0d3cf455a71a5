//! `entourage check`

use std::fmt::Write as _;

use anyhow::bail;

use super::{
    database::{self, Migrate},
    print, progress,
};
use crate::{
    config::{Database, Logging},
    domain::{Audience, UserSearch},
};

/// Recount what is stored twice, and report differences
///
/// Recounts every counter, compares both tables of follows, of follow requests and of blocks, looks
/// for follows and requests beside a block and for rows of users who do not exist, and compares
/// names with what users are searched by. The exit code is 1 if anything differs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Repair the differences; safe while a server runs
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    logging: Logging,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    super::log(&args.logging, "error")?;
    let store = database::open(&args.database, Migrate::Never).await?;
    let bar = progress::bar("comparing");
    let drift = store.find_drift(&progress::moves(&bar)).await?;
    bar.finish_and_clear();

    let mut found = String::new();
    for difference in &drift {
        writeln!(found, "{difference}")?;
    }
    print(&found)?;
    if drift.is_empty() {
        let users = store.count_users(Audience::EVERYBODY, &UserSearch::default()).await?;
        store.close().await;
        return print(&format!("OK: {users} users, 0 differences\n"));
    }
    if !args.repair {
        bail!("{} found: run `entourage check --repair`", differences(drift.len()));
    }

    let changed = store.repair(&drift).await?;
    let left = store.find_drift(&|_| ()).await?;
    if !left.is_empty() {
        bail!("{} left after the repair: run `entourage check` again", differences(left.len()));
    }
    store.close().await;
    print(&format!("repaired {}, {changed} rows changed\n", differences(drift.len())))
}

fn differences(n: usize) -> String {
    if n == 1 { "1 difference".to_owned() } else { format!("{n} differences") }
}
