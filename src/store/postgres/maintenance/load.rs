//! Loading a whole graph: the statements of this engine.

use crate::{
    domain::{ExternalId, NewUser, UserId},
    store::{postgres::Query, statement::query},
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
    LOAD_NAME_PREFIXES =
        "INSERT INTO name_prefixes (prefix, username_key, user_id) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])";
    LOAD_FOLLOWS =
        "INSERT INTO follows (follower_id, followee_id, followed_at) \
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[])";
    LOAD_FOLLOWERS =
        "INSERT INTO followers (follower_id, followee_id, followed_at) \
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[])";
    ANALYZE = "ANALYZE users, follow_counts, name_prefixes, follows, followers";
}

/// What a loaded graph needs at the end. Until the server collects statistics by itself, it would
/// take the tables for empty.
pub(crate) const AFTER_LOAD: Option<&str> = Some(ANALYZE);

fn column<'r, R, T>(rows: &'r [R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// Beginnings of names, with the keys and ids of their users.
pub(crate) fn load_name_prefixes(rows: &[(String, String, UserId)]) -> Query {
    query(LOAD_NAME_PREFIXES)
        .bind(column(rows, |(prefix, ..)| prefix.clone()))
        .bind(column(rows, |(_, key, _)| key.clone()))
        .bind(column(rows, |(.., user)| user.0))
}

pub(crate) fn load_users(users: &[NewUser]) -> Query {
    query(LOAD_USERS)
        .bind(column(users, |user| user.id.0))
        .bind(column(users, |user| user.username.as_str()))
        .bind(column(users, |user| user.username.key().as_str().to_owned()))
        .bind(column(users, |user| user.name.as_deref()))
        .bind(column(users, |user| user.bio.as_deref()))
        .bind(column(users, |user| user.avatar_url.as_deref()))
        .bind(column(users, |user| user.external_id.as_ref().map(ExternalId::as_str)))
        .bind(column(users, |user| user.password_hash.as_deref()))
        .bind(column(users, |user| user.created_at))
        .bind(column(users, |user| &*user.role))
}
