//! Follows per second, in groups and one transaction each, on both engines:
//! `tests/postgres.sh cargo bench --locked --bench writes`.
//!
//! Many callers follow at once, each somebody new as soon as the last call is answered: random
//! users, or all of them one celebrity. The store is called as the server calls it, without HTTP.
//! SQLite waits for the disk at each commit, as it always does; the PostgreSQL of
//! `tests/postgres.sh` does not, so against a server that does the ratios are larger. `cargo test`
//! takes a short look with few users, to see that it works.

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
    store::{self, BatchPermit, FollowQueue, Graph, Metered, Options, Store},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scale::Scale;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::timeout};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Whoever follows a celebrity does it once, so that run may be over before its time.
const SCALE: Scale = Scale { users: 200_000, measured: Duration::from_secs(4) };
const CALLERS: u64 = 64;
/// No follow takes this long, unless something is stuck.
const PATIENCE: Duration = Duration::from_mins(1);
const LIMITS: FollowLimits =
    FollowLimits { per_day: 1_000_000, total: 1_000_000, pair_changes_per_day: 10 };

/// Whom everybody follows.
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
    #[expect(clippy::disallowed_methods, reason = "this is how the script tells its server")]
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
    for (name, callers, targets, grouped) in [
        ("one caller, a transaction each", 1, Targets::Random, false),
        ("one caller, in groups", 1, Targets::Random, true),
        ("64 callers, a transaction each", CALLERS, Targets::Random, false),
        ("64 callers, in groups", CALLERS, Targets::Random, true),
        ("64 callers, a transaction each, celebrity", CALLERS, Targets::One(UserId(1)), false),
        ("64 callers, in groups, celebrity", CALLERS, Targets::One(UserId(2)), true),
    ] {
        say(&format!("{name:<42} {}\n", drive(&store, scale, callers, targets, grouped).await?))?;
    }
    let drift = store.find_drift(&|_| {}).await?;
    store.close().await;
    if drift.is_empty() { Ok(()) } else { Err("the counts are wrong".into()) }
}

fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 0).expect("in range")
}

/// Follows for a while, and tells how many there were a second and how long they took.
async fn drive(
    store: &Arc<dyn Store>,
    scale: Scale,
    callers: u64,
    targets: Targets,
    grouped: bool,
) -> Result<String> {
    static RUN: AtomicU64 = AtomicU64::new(0);
    let run = RUN.fetch_add(1, Ordering::Relaxed);
    let users = i64::try_from(scale.users)?;
    let store = Metered::new(Arc::clone(store));
    let statements = store.statements();
    let store: Arc<dyn Store> = Arc::new(store);
    let groups = FollowQueue::new(Arc::clone(&store));
    let next = Arc::new(AtomicI64::new(users));

    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let (store, groups, next) = (Arc::clone(&store), groups.clone(), Arc::clone(&next));
        let mut random = ChaCha8Rng::seed_from_u64(run << 32 | caller);
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while begin.elapsed() < scale.measured {
                let follower = next.fetch_sub(1, Ordering::Relaxed);
                let followee = match targets {
                    // Everybody follows the celebrity by now.
                    Targets::One(_) if follower <= 0 => break,
                    Targets::One(celebrity) => celebrity,
                    Targets::Random => UserId(random.random_range(1..=users)),
                };
                let follower = UserId(follower.rem_euclid(users) + 1);
                if follower == followee {
                    continue;
                }
                let at = beginning() + TimeDelta::from_std(begin.elapsed())?;
                let asked = Instant::now();
                let follow = async {
                    if grouped {
                        groups
                            .follow(follower, followee, at, LIMITS)
                            .await
                            .map(|changed| changed.outcome)
                    } else {
                        let action = FollowAction::Follow(LIMITS);
                        let change = FollowChange { follower, followee, at, action };
                        let mut written =
                            store.change_follows(&[change], BatchPermit::default()).await;
                        match written.outcomes.pop().expect("a change has an outcome")? {
                            FollowChanged::Follow(outcome) => Ok(outcome),
                            FollowChanged::Unfollow(_) => panic!("not the answer to a follow"),
                        }
                    }
                };
                if timeout(PATIENCE, follow).await?? == FollowOutcome::Followed {
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
        return Err("nobody has followed anybody".into());
    }
    let percentile = |percent: usize| {
        let at = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
        latencies.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0)
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
