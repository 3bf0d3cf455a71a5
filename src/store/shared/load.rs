//! Loading a whole graph: counted, and in the order of the keys of the tables, so that every index
//! grows at its end.

use std::collections::BTreeMap;

use sqlx::{Pool, Transaction};

use super::super::{
    Db, Engine, begin, bind_counts, bind_edges,
    maintenance::load::{
        AFTER_LOAD, LOAD_COUNTS, LOAD_FOLLOWERS, LOAD_FOLLOWS, load_name_prefixes, load_users,
    },
};
use crate::{
    domain::{Follow, FollowCounts, NewUser, TIMES, UserId, name_prefixes},
    store::{
        Error, Graph, LoadOutcome, Result,
        error::message,
        retry::Report,
        sql::HAS_USERS,
        statement::{query, query_scalar},
    },
};

/// The most rows of one statement.
const ROWS: usize = 20_000;

/// Reports how many rows are loaded; an edge is two rows.
struct Loading {
    report: Report,
    done: u64,
    total: u64,
}

impl Loading {
    fn add(&mut self, rows: usize) {
        self.done += rows as u64;
        self.report.say(self.done, self.total);
    }
}

pub(super) async fn load(engine: Engine, graph: Graph, report: Report) -> Result<LoadOutcome> {
    let Graph { mut users, mut follows } = graph;
    let mut times = users.iter().map(|user| user.created_at);
    let mut since = follows.iter().map(|edge| edge.followed_at);
    if !times.all(|time| TIMES.contains(&time)) || !since.all(|time| TIMES.contains(&time)) {
        return Err(Error::Conflict("a time is not in the years 1 to 9999".into()));
    }
    let total = (users.len() + follows.len() * 2) as u64;
    let mut loading = Loading { report, done: 0, total };
    loading.add(0);
    users.sort_unstable_by_key(|user| user.id);
    let mut counts: BTreeMap<_, _> =
        users.iter().map(|user| (user.id, FollowCounts::default())).collect();
    for edge in &follows {
        counts.entry(edge.follower).or_default().following += 1;
        counts.entry(edge.followee).or_default().followers += 1;
    }

    let pool = engine.unlimited_pool(1);
    let mut tx = begin(&pool).await?;
    if query_scalar(HAS_USERS).fetch_one(&mut *tx).await? {
        return Ok(LoadOutcome::NotEmpty);
    }
    for users in users.chunks(ROWS) {
        load_users(users).execute(&mut *tx).await?;
        loading.add(users.len());
    }
    let counts: Vec<_> = counts.into_iter().collect();
    for counts in counts.chunks(ROWS) {
        bind_counts(query(LOAD_COUNTS), counts).execute(&mut *tx).await?;
    }
    for names in prefixes_of(&users).chunks(ROWS) {
        load_name_prefixes(names).execute(&mut *tx).await?;
    }
    follows.sort_unstable_by_key(|edge| (edge.followee, edge.follower));
    load_edges(&mut tx, LOAD_FOLLOWS, &follows, &mut loading).await?;
    follows.sort_unstable_by_key(|edge| (edge.followee, edge.followed_at, edge.follower));
    load_edges(&mut tx, LOAD_FOLLOWERS, &follows, &mut loading).await?;
    tx.commit().await?;
    if let Err(error) = collect_statistics(&pool).await {
        // The graph is loaded all the same, and the server does this by itself later.
        tracing::warn!(error = message(&error), "cannot collect the statistics of the tables");
    }
    Ok(LoadOutcome::Loaded)
}

/// Collects what the planner needs to know of a loaded graph.
pub(super) async fn collect_statistics(pool: &Pool<Db>) -> sqlx::Result<()> {
    if let Some(sql) = AFTER_LOAD {
        query(sql).execute(pool).await?;
    }
    Ok(())
}

/// The beginnings that users are searched by, each with the key and the id of its user.
pub(super) fn prefixes_of(users: &[NewUser]) -> Vec<(String, String, UserId)> {
    let of_user = |user: &NewUser| {
        let (id, key) = (user.id, user.username.key());
        let prefixes = name_prefixes(key.as_str(), user.name.as_deref());
        prefixes.into_iter().map(move |prefix| (prefix, key.as_str().to_owned(), id))
    };
    let mut rows: Vec<_> = users.iter().flat_map(of_user).collect();
    rows.sort_unstable();
    rows
}

async fn load_edges(
    tx: &mut Transaction<'_, Db>,
    sql: &'static str,
    edges: &[Follow],
    loading: &mut Loading,
) -> sqlx::Result<()> {
    for edges in edges.chunks(ROWS) {
        bind_edges(query(sql), edges).execute(&mut **tx).await?;
        loading.add(edges.len());
    }
    Ok(())
}
