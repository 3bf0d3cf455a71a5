//! Follows per second, in batches and one transaction each, on both engines:
//! `tests/postgres.sh cargo bench --locked --bench writes`.
//!
//! Many concurrent callers follow one user after another: random users, or all of them the same
//! celebrity. The store is called as the server calls it, without HTTP. SQLite waits for the disk at
//! each commit, as it always does; the PostgreSQL of `tests/postgres.sh` does not, so the ratios are
//! larger on a server that does. `cargo test` makes a short run with few users, as a smoke test.

#[path = "support/scale.rs"]
mod scale;

use std::{
    error::Error,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use entourage::{
    domain::{
        FollowAction, FollowChange, FollowChanged, FollowLimits, FollowOutcome, NewUser, UserId,
        Username,
    },
    store::{self, Graph, Metered, Options, Store},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scale::Scale;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::timeout};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Each user follows a celebrity once, so that run may end before its time.
const SCALE: Scale = Scale { users: 200_000, measured: Duration::from_secs(4) };
const CALLERS: u64 = 64;
/// Longer than any follow takes, unless something is stuck.
const PATIENCE: Duration = Duration::from_mins(1);
const LIMITS: FollowLimits =
    FollowLimits { per_day: 1_000_000, total: 1_000_000, pair_changes_per_day: 10 };

/// The users to follow.
#[derive(Clone, Copy)]
enum Targets {
    Random,
    One(UserId),
}

#[tokio::main]
async fn main() -> Result<()> {
    let Some(scale) = SCALE.or_smoke() else { return Ok(()) };
    let folder = TempDir::new()?;
    let sqlite = format!("sqlite://{}", folder.path().join("bench.db").display());
    measure("SQLite", &sqlite, scale).await?;
    measure("PostgreSQL", &make_postgres_database().await?, scale).await
}

/// An empty database on the server of `tests/postgres.sh`.
async fn make_postgres_database() -> Result<String> {
    #[expect(clippy::disallowed_methods, reason = "the script passes its server this way")]
    let server = std::env::var("TEST_POSTGRES_URL")
        .map_err(|_| "TEST_POSTGRES_URL is not set: run with tests/postgres.sh")?;
    let mut connection = PgConnection::connect(&server).await?;
    for statement in [
        "DROP DATABASE IF EXISTS entourage_bench_writes WITH (FORCE)",
        "CREATE DATABASE entourage_bench_writes",
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
    }
    let mut url = url::Url::parse(&server)?;
    url.set_path("entourage_bench_writes");
    Ok(url.to_string())
}

async fn measure(engine: &str, url: &str, scale: Scale) -> Result<()> {
    let users = i64::try_from(scale.users)?;
    let store = store::connect(url, Options::default()).await?;
    store.migrate().await?;
    let users = (1..=users).map(|id| {
        let name = Username::parse(&format!("user{id:06}")).expect("a good name");
        NewUser::bare(UserId(id), name, beginning())
    });
    store.load(Graph { users: users.collect(), follows: Vec::new() }, &|_| {}).await?;

    say(&format!(
        "\n{engine}\n{:<42} {:>9} {:>9} {:>9} {:>11}\n",
        "", "follows/s", "p50 ms", "p99 ms", "statements"
    ))?;
    for (name, callers, targets, batched) in [
        ("one caller, a transaction each", 1, Targets::Random, false),
        ("one caller, in batches", 1, Targets::Random, true),
        ("64 callers, a transaction each", CALLERS, Targets::Random, false),
        ("64 callers, in batches", CALLERS, Targets::Random, true),
        ("64 callers, a transaction each, celebrity", CALLERS, Targets::One(UserId(1)), false),
        ("64 callers, in batches, celebrity", CALLERS, Targets::One(UserId(2)), true),
    ] {
        say(&format!("{name:<42} {}\n", drive(&store, scale, callers, targets, batched).await?))?;
    }
    let drift = store.find_drift(&|_| {}).await?;
    store.close().await;
    if drift.is_empty() { Ok(()) } else { Err("the counts are wrong".into()) }
}

fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 0).expect("in range")
}

/// Follows for a while; returns the follows per second and their latencies.
async fn drive(
    store: &Arc<dyn Store>,
    scale: Scale,
    callers: u64,
    targets: Targets,
    batched: bool,
) -> Result<String> {
    static RUN: AtomicU64 = AtomicU64::new(0);
    let run = RUN.fetch_add(1, Ordering::Relaxed);
    let users = i64::try_from(scale.users)?;
    let store = Metered::new(Arc::clone(store));
    let statements = store.statements();
    let store: Arc<dyn Store> = Arc::new(store);
    let next = Arc::new(AtomicI64::new(users));

    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let (store, next) = (Arc::clone(&store), Arc::clone(&next));
        let mut random = ChaCha8Rng::seed_from_u64(run << 32 | caller);
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while begin.elapsed() < scale.measured {
                let follower = next.fetch_sub(1, Ordering::Relaxed);
                let followee = match targets {
                    // All users follow the celebrity by now.
                    Targets::One(_) if follower <= 0 => break,
                    Targets::One(celebrity) => celebrity,
                    Targets::Random => UserId(random.random_range(1..=users)),
                };
                let follower = UserId(follower.rem_euclid(users) + 1);
                if follower == followee {
                    continue;
                }
                let now = beginning() + TimeDelta::from_std(begin.elapsed())?;
                let asked = Instant::now();
                let action = FollowAction::Follow(LIMITS);
                let change = FollowChange { follower, followee, at: now, action };
                let follow = async {
                    if batched {
                        store.change_follow(change).await
                    } else {
                        store.change_follows(&[change]).await.remove(0)
                    }
                };
                let outcome = timeout(PATIENCE, follow).await??.outcome;
                if outcome == FollowChanged::Follow(Ok(FollowOutcome::Followed)) {
                    latencies.push(asked.elapsed());
                }
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(latencies)
        });
    }
    let mut latencies: Vec<Duration> = Vec::new();
    while let Some(finished) = tasks.join_next().await {
        latencies.extend(finished??);
    }
    let seconds = begin.elapsed().as_secs_f64();
    latencies.sort_unstable();
    if latencies.is_empty() {
        return Err("no follow was made".into());
    }
    let percentile = |percent: usize| {
        let place = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
        latencies.get(place).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0)
    };
    #[expect(clippy::cast_precision_loss, reason = "numbers for people to read")]
    let (follows, statements) = (latencies.len() as f64, statements.total() as f64);
    Ok(format!(
        "{:>9.0} {:>9.2} {:>9.2} {:>11.2}",
        follows / seconds,
        percentile(50),
        percentile(99),
        statements / follows
    ))
}

fn say(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{text}")?;
    Ok(out.flush()?)
}
