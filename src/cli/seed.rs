//! `entourage seed`

use std::time::Instant;

use anyhow::bail;

use super::{
    database::{self, Migrate},
    power_law::power_law,
    print, progress,
};
use crate::{
    config::{Database, Logging},
    store::LoadOutcome,
};

/// Fill an empty database with a large, reproducible graph
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Number of users
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    users: u32,
    /// Number of follows
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    follows: u64,
    /// Seed of the random generator
    #[arg(long, value_name = "N", default_value_t = 1)]
    rng_seed: u64,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    logging: Logging,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    super::log(&args.logging, "error")?;
    let begin = Instant::now();
    let graph = power_law(args.users, args.follows, args.rng_seed)?;
    let store = database::open(&args.database, Migrate::Sqlite).await?;

    let bar = progress::bar("loading");
    let loaded = store.load(graph, &progress::moves(&bar)).await;
    bar.finish_and_clear();
    match loaded? {
        LoadOutcome::Loaded => {}
        LoadOutcome::NotEmpty => {
            bail!("the database already has users: `seed` fills an empty one only");
        }
    }
    store.close().await;

    let seconds = begin.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    let rate = args.follows as f64 / seconds.max(f64::EPSILON);
    let (users, follows) = (args.users, args.follows);
    print(&format!("{users} users and {follows} follows in {seconds:.1} s, {rate:.0} follows/s\n"))
}
