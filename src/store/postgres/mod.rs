//! The production engine. Its SQL is also meant for Citus, and by their documentation for
//! `CockroachDB` and `YugabyteDB`.
//!
//! **Invariant:** every statement names the owner of each edge and count that it touches, as
//! `= $1` or `= ANY($1)`, also inside subqueries: a distributed engine shards rows by their owner,
//! and so sends the statement only to the shards that have them. The exceptions look for the owners
//! themselves and go to all shards: the scans of `drift`, and the followers of a deleted user.
//! For servers that are not distributed, `follows::pages` has cheaper statements without that.

mod accounts;
pub(super) mod address;
mod arrays;
mod connect;
mod events;
mod follows;
mod hosts;
mod imports;
mod lookups;
mod maintenance;
mod pooler;
mod requirements;
mod search;
mod session;
#[expect(clippy::duplicate_mod, reason = "it is compiled for each engine")]
#[path = "../shared/mod.rs"]
mod shared;
mod users;
mod watch;
mod webhooks;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Postgres as Db, Transaction, postgres::PgArguments};

use self::{
    connect::{Following, Route, Server},
    lookups::Reads,
    shared::webhooks::Postponed,
};
use super::{
    Statement,
    events::EventHints,
    follow_writes::{FollowQueue, NewEvent, NewWebhook, numbered},
    sql,
    webhooks::Outbox,
};
use crate::domain::{Edge, FollowCounts, Length, Lengths, UserId};

/// A PostgreSQL database.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    /// One pool reads and writes.
    readers: PgPool,
    writer: PgPool,
    reads: Arc<Reads>,
    follows: FollowQueue<follows::writes::Writer>,
    hints: EventHints,
    outbox: Outbox,
    /// For work without time limits, on a connection of its own.
    route: Route,
    server: Server,
    following: Arc<Following>,
}

// The types that `shared` is compiled with.
type Engine = Postgres;
type Query = sqlx::query::Query<'static, Db, PgArguments>;
type Time = DateTime<Utc>;

/// Begins a transaction that writes. A role or a database may ask for a stricter level by default,
/// which would make writes fail that only have to wait.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// All SQL of this engine.
pub(super) fn statements() -> Vec<Statement> {
    [
        accounts::STATEMENTS,
        connect::STATEMENTS,
        events::STATEMENTS,
        imports::STATEMENTS,
        &follows::writes::statements(),
        maintenance::deletion::STATEMENTS,
        maintenance::drift::STATEMENTS,
        follows::STATEMENTS,
        hosts::STATEMENTS,
        maintenance::load::STATEMENTS,
        follows::pages::STATEMENTS,
        maintenance::schema::STATEMENTS,
        pooler::STATEMENTS,
        requirements::STATEMENTS,
        search::STATEMENTS,
        session::STATEMENTS,
        sql::STATEMENTS,
        sql::maintenance::STATEMENTS,
        users::STATEMENTS,
        watch::STATEMENTS,
        webhooks::STATEMENTS,
    ]
    .concat()
}

/// Ids in their order, in which the database looks them up: otherwise it has to sort them.
fn id_list(ids: &[UserId]) -> Vec<i64> {
    let mut ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    ids.sort_unstable();
    ids
}

/// Binds edges as arrays: both users and times.
fn bind_edges<E: Copy + Into<Edge>>(query: Query, edges: &[E]) -> Query {
    let edges = || edges.iter().map(|edge| (*edge).into());
    query
        .bind(edges().map(|edge| edge.from.0).collect::<Vec<_>>())
        .bind(edges().map(|edge| edge.to.0).collect::<Vec<_>>())
        .bind(edges().map(|edge| edge.since).collect::<Vec<_>>())
}

/// Binds pairs of users as arrays.
fn bind_pairs(query: Query, pairs: &[(UserId, UserId)]) -> Query {
    query
        .bind(pairs.iter().map(|(one, _)| one.0).collect::<Vec<_>>())
        .bind(pairs.iter().map(|(_, other)| other.0).collect::<Vec<_>>())
}

/// Binds counts as arrays: users, followers and following.
fn bind_counts(query: Query, counts: &[(UserId, FollowCounts)]) -> Query {
    query
        .bind(counts.iter().map(|(user, _)| user.0).collect::<Vec<_>>())
        .bind(counts.iter().map(|(_, counts)| counts.followers).collect::<Vec<_>>())
        .bind(counts.iter().map(|(_, counts)| counts.following).collect::<Vec<_>>())
}

/// Binds losses as arrays: users, each of [`Length::ALL`], and new events.
fn bind_losses(query: Query, rows: &[(UserId, Lengths, i64)]) -> Query {
    let query = query.bind(rows.iter().map(|(user, ..)| user.0).collect::<Vec<_>>());
    let query = Length::ALL.into_iter().fold(query, |query, length| {
        query.bind(rows.iter().map(|(_, lengths, _)| lengths[length]).collect::<Vec<_>>())
    });
    query.bind(rows.iter().map(|(.., events)| *events).collect::<Vec<_>>())
}

/// Binds places in logs as arrays: users and numbers.
fn bind_places(query: Query, places: &[(UserId, i64)]) -> Query {
    query
        .bind(places.iter().map(|(user, _)| user.0).collect::<Vec<_>>())
        .bind(places.iter().map(|(_, number)| *number).collect::<Vec<_>>())
}

/// Binds events as arrays: log, number counted back, kind, cause, other user, time, and whether it
/// repeats.
fn bind_events(query: Query, events: &[NewEvent]) -> Query {
    let rows: Vec<_> = numbered(events).collect();
    query
        .bind(rows.iter().map(|(event, _)| event.log.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, back)| *back).collect::<Vec<_>>())
        .bind(rows.iter().map(|(event, _)| event.kind as i16).collect::<Vec<_>>())
        .bind(rows.iter().map(|(event, _)| event.cause as i16).collect::<Vec<_>>())
        .bind(rows.iter().map(|(event, _)| event.other.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|(event, _)| event.at).collect::<Vec<_>>())
        .bind(rows.iter().map(|(event, _)| event.is_repeat).collect::<Vec<_>>())
}

/// Binds messages as arrays: id, kind, both users and time.
fn bind_webhooks(query: Query, messages: &[NewWebhook]) -> Query {
    query
        .bind(messages.iter().map(NewWebhook::id).collect::<Vec<_>>())
        .bind(messages.iter().map(|message| message.kind as i16).collect::<Vec<_>>())
        .bind(messages.iter().map(|message| message.follower.0).collect::<Vec<_>>())
        .bind(messages.iter().map(|message| message.followee.0).collect::<Vec<_>>())
        .bind(messages.iter().map(|message| message.at).collect::<Vec<_>>())
}

/// Binds attempts as arrays: the id of the message and the number.
fn bind_attempts(query: Query, attempts: &[(&str, i16)]) -> Query {
    query
        .bind(attempts.iter().map(|(id, _)| (*id).to_owned()).collect::<Vec<_>>())
        .bind(attempts.iter().map(|(_, number)| *number).collect::<Vec<_>>())
}

/// Binds postponed messages as arrays: id, number of the attempt, when to send it again, and why.
fn bind_postponed(query: Query, messages: &[Postponed<'_>]) -> Query {
    query
        .bind(messages.iter().map(|(id, ..)| (*id).to_owned()).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, number, ..)| *number).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, _, due_at, _)| *due_at).collect::<Vec<_>>())
        .bind(messages.iter().map(|(.., failure)| (*failure).to_owned()).collect::<Vec<_>>())
}

fn text_list(texts: &[String]) -> Vec<String> {
    texts.to_vec()
}

#[expect(clippy::unnecessary_wraps, reason = "the times of the other engine may be invalid")]
const fn time(time: Time) -> sqlx::Result<DateTime<Utc>> {
    Ok(time)
}

const fn stored(time: DateTime<Utc>) -> Time {
    time
}

async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Db>> {
    pool.begin_with(BEGIN).await
}
