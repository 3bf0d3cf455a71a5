//! Loading a whole graph.

use std::sync::Arc;

use sqlx::{ConnectOptions, Connection, Postgres, Transaction, postgres::PgConnectOptions};

use crate::store::sql::HAS_USERS;
use crate::{
    domain::{Follow, NewUser},
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
         SELECT k.id, k.username, k.username_key, k.name, k.bio, k.avatar_url, k.subject, \
                k.password_hash, k.created_at, r.id \
         FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], \
                     $7::text[], $8::text[], $9::timestamptz[], $10::text[]) \
              AS k (id, username, username_key, name, bio, avatar_url, subject, password_hash, \
                    created_at, role) \
         LEFT JOIN roles r ON r.name = k.role";
    LOAD_COUNTS =
        "INSERT INTO follow_counts (user_id, followers, following) \
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])";
    LOAD_FOLLOWS =
        "INSERT INTO follows (followee_id, follower_id, followed_at) \
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[])";
    LOAD_FOLLOWERS =
        "INSERT INTO followers (followee_id, follower_id, followed_at) \
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[])";
}

/// Loads on a connection of its own, without timeouts.
pub(crate) async fn load(
    options: Arc<PgConnectOptions>,
    graph: Graph,
    report: Report,
) -> Result<LoadOutcome> {
    let mut graph = Sorted::new(graph);
    let mut loading = Loading::new(report, &graph);
    let mut connection = options.connect().await?;
    let mut tx = connection.begin().await?;
    if query_scalar(HAS_USERS).fetch_one(&mut *tx).await? {
        return Ok(LoadOutcome::NotEmpty);
    }

    for users in graph.users.chunks(ROWS) {
        load_users(&mut tx, users).await?;
        loading.add(users.len());
    }
    let counts: Vec<_> = graph.counts.iter().collect();
    for counts in counts.chunks(ROWS) {
        query(LOAD_COUNTS)
            .bind(counts.iter().map(|(user, _)| user.0).collect::<Vec<_>>())
            .bind(counts.iter().map(|(_, c)| c.followers).collect::<Vec<_>>())
            .bind(counts.iter().map(|(_, c)| c.following).collect::<Vec<_>>())
            .execute(&mut *tx)
            .await?;
    }
    load_edges(&mut tx, LOAD_FOLLOWS, &graph.follows, &mut loading).await?;
    graph.sort_for_mirror();
    load_edges(&mut tx, LOAD_FOLLOWERS, &graph.follows, &mut loading).await?;
    tx.commit().await?;
    connection.close().await?;
    Ok(LoadOutcome::Loaded)
}

async fn load_users(tx: &mut Transaction<'_, Postgres>, users: &[NewUser]) -> sqlx::Result<()> {
    fn column<'u, T>(users: &'u [NewUser], value: impl Fn(&'u NewUser) -> T) -> Vec<T> {
        users.iter().map(value).collect()
    }
    query(LOAD_USERS)
        .bind(column(users, |user| user.id.0))
        .bind(column(users, |user| user.username.as_str()))
        .bind(column(users, |user| user.username.key().as_str().to_owned()))
        .bind(column(users, |user| user.name.as_deref()))
        .bind(column(users, |user| user.bio.as_deref()))
        .bind(column(users, |user| user.avatar_url.as_deref()))
        .bind(column(users, |user| user.subject.as_deref()))
        .bind(column(users, |user| user.password_hash.as_deref()))
        .bind(column(users, |user| user.created_at))
        .bind(column(users, |user| &*user.role))
        .execute(&mut **tx)
        .await
        .map(drop)
}

async fn load_edges(
    tx: &mut Transaction<'_, Postgres>,
    sql: &'static str,
    edges: &[Follow],
    loading: &mut Loading,
) -> sqlx::Result<()> {
    for edges in edges.chunks(ROWS) {
        query(sql)
            .bind(edges.iter().map(|edge| edge.followee.0).collect::<Vec<_>>())
            .bind(edges.iter().map(|edge| edge.follower.0).collect::<Vec<_>>())
            .bind(edges.iter().map(|edge| edge.followed_at).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await?;
        loading.add(edges.len());
    }
    Ok(())
}
