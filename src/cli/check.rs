//! `entourage check`

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use anyhow::bail;

use super::{
    database::{self, Migrate},
    print, progress,
};
use crate::{
    config::{Database, Logging},
    domain::{Audience, Drift, UserSearch},
};

/// The most differences that are printed without `--verbose`.
const SHOWN_MAX: usize = 20;
/// How often differences are repaired: writes that meet a repair may leave some.
const ROUNDS_MAX: usize = 3;

/// Recount what is stored twice, and report differences
///
/// Recounts every counter, compares both tables of follows, of follow requests and of blocks, looks
/// for follows and requests beside a block and for rows of users who do not exist, compares names with
/// what users are searched by, and looks for usernames, external ids and times that break the rules.
/// The exit code is 1 if anything differs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Repair the differences; safe while a server runs
    #[arg(long)]
    repair: bool,
    /// Print every difference, not only the first 20
    #[arg(long)]
    verbose: bool,
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

    print(&listed(&drift, args.verbose)?)?;
    if drift.is_empty() {
        let users = store.count_users(Audience::EVERYBODY, &UserSearch::default()).await?;
        store.close().await;
        return print(&format!("OK: {users} users, 0 differences\n"));
    }
    if !args.repair {
        bail!("{} found: run `entourage check --repair`", differences(drift.len()));
    }

    let repairable = |left: &[Drift]| left.iter().filter(|found| found.is_repairable()).count();
    let (mut left, mut repaired, mut changed) = (drift, 0, 0);
    for _ in 0..ROUNDS_MAX {
        repaired += repairable(&left);
        let bar = progress::spinner("repairing");
        changed += store.repair(&left).await?;
        bar.finish_and_clear();
        let bar = progress::bar("comparing again");
        left = store.find_drift(&progress::moves(&bar)).await?;
        bar.finish_and_clear();
        if repairable(&left) == 0 {
            break;
        }
    }
    store.close().await;
    if repairable(&left) > 0 {
        let left = differences(repairable(&left));
        bail!("{left} left after the repair: run `entourage check` again");
    }
    print(&format!("repaired {}, {changed} rows changed\n", differences(repaired)))?;
    if !left.is_empty() {
        bail!("{} left that only you can correct", differences(left.len()));
    }
    Ok(())
}

/// The differences, as lines; if there are many, the first ones and a summary of all.
fn listed(drift: &[Drift], is_verbose: bool) -> Result<String, fmt::Error> {
    let shown = if is_verbose { drift.len() } else { SHOWN_MAX };
    let mut text = String::new();
    for difference in drift.iter().take(shown) {
        writeln!(text, "{difference}")?;
    }
    if drift.len() > shown {
        let mut kinds = BTreeMap::<_, usize>::new();
        for difference in drift {
            *kinds.entry(difference.kind()).or_default() += 1;
        }
        let more = drift.len() - shown;
        writeln!(text, "and {more} more, which --verbose prints; in all:")?;
        for (kind, count) in kinds {
            writeln!(text, "{count:>10}  {kind}")?;
        }
    }
    Ok(text)
}

fn differences(n: usize) -> String {
    if n == 1 { "1 difference".to_owned() } else { format!("{n} differences") }
}
