//! Loading a whole graph.

use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::store::sql::HAS_USERS;
use crate::{
    domain::{Follow, NewUser},
    store::sqlite::{BEGIN, json},
    store::{
        Graph, LoadOutcome, Result,
        maintenance::load::{Loading, ROWS, Sorted},
        retry::Report,
        statement::{query, query_scalar},
    },
};

statements! {
    LOAD_USERS =
        "INSERT INTO users (id, username, username_key, name, bio, avatar_url, subject, \
                            password_hash, created_at, role_id) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
                value ->> 6, value ->> 7, value ->> 8, r.id \
         FROM json_each($1) LEFT JOIN roles r ON r.name = value ->> 9";
    LOAD_COUNTS =
        "INSERT INTO follow_counts (user_id, followers, following) \
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1)";
    LOAD_FOLLOWS =
        "INSERT INTO follows (followee_id, follower_id, followed_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1)";
    LOAD_FOLLOWERS =
        "INSERT INTO followers (followee_id, follower_id, followed_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1)";
}

pub(crate) async fn load(pool: SqlitePool, graph: Graph, report: Report) -> Result<LoadOutcome> {
    let mut graph = Sorted::new(graph);
    let mut loading = Loading::new(report, &graph);
    let mut tx = pool.begin_with(BEGIN).await?;
    if query_scalar(HAS_USERS).fetch_one(&mut *tx).await? {
        return Ok(LoadOutcome::NotEmpty);
    }

    for users in graph.users.chunks(ROWS) {
        let rows = json(&users.iter().map(user_row).collect::<Vec<_>>());
        query(LOAD_USERS).bind(rows).execute(&mut *tx).await?;
        loading.add(users.len());
    }
    let counts: Vec<_> =
        graph.counts.iter().map(|(user, c)| (user.0, c.followers, c.following)).collect();
    for counts in counts.chunks(ROWS) {
        query(LOAD_COUNTS).bind(json(&counts)).execute(&mut *tx).await?;
    }
    load_edges(&mut tx, LOAD_FOLLOWS, &graph.follows, &mut loading).await?;
    graph.sort_for_mirror();
    load_edges(&mut tx, LOAD_FOLLOWERS, &graph.follows, &mut loading).await?;
    tx.commit().await?;
    Ok(LoadOutcome::Loaded)
}

fn user_row(user: &NewUser) -> impl serde::Serialize {
    (
        user.id.0,
        user.username.as_str(),
        user.username.key().as_str().to_owned(),
        user.name.as_deref(),
        user.bio.as_deref(),
        user.avatar_url.as_deref(),
        user.subject.as_deref(),
        user.password_hash.as_deref(),
        user.created_at.timestamp_micros(),
        &*user.role,
    )
}

async fn load_edges(
    tx: &mut Transaction<'_, Sqlite>,
    sql: &'static str,
    edges: &[Follow],
    loading: &mut Loading,
) -> sqlx::Result<()> {
    for edges in edges.chunks(ROWS) {
        let row = |e: &Follow| (e.followee.0, e.follower.0, e.followed_at.timestamp_micros());
        let rows = json(&edges.iter().map(row).collect::<Vec<_>>());
        query(sql).bind(rows).execute(&mut **tx).await?;
        loading.add(edges.len());
    }
    Ok(())
}
