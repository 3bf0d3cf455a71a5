//! Loading a whole graph: the statements of this engine.

use crate::{
    domain::{ExternalId, NewUser, UserId},
    store::{
        sqlite::{Query, json},
        statement::query,
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
    LOAD_NAME_PREFIXES =
        "INSERT INTO name_prefixes (prefix, username_key, user_id) \
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1)";
    LOAD_FOLLOWS =
        "INSERT INTO follows (follower_id, followee_id, followed_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1)";
    LOAD_FOLLOWERS =
        "INSERT INTO followers (follower_id, followee_id, followed_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1)";
}

/// What a loaded graph needs at the end: nothing, since the statements leave the planner no choice
/// that depends on statistics. With some, plans would differ between one file and another.
pub(crate) const AFTER_LOAD: Option<&str> = None;

/// Beginnings of names, with the keys and ids of their users.
pub(crate) fn load_name_prefixes(rows: &[(String, String, UserId)]) -> Query {
    let row =
        |(prefix, key, user): &(String, String, UserId)| (prefix.clone(), key.clone(), user.0);
    query(LOAD_NAME_PREFIXES).bind(json(&rows.iter().map(row).collect::<Vec<_>>()))
}

pub(crate) fn load_users(users: &[NewUser]) -> Query {
    query(LOAD_USERS).bind(json(&users.iter().map(user_row).collect::<Vec<_>>()))
}

fn user_row(user: &NewUser) -> impl serde::Serialize {
    (
        user.id.0,
        user.username.as_str(),
        user.username.key().as_str().to_owned(),
        user.name.as_deref(),
        user.bio.as_deref(),
        user.avatar_url.as_deref(),
        user.external_id.as_ref().map(ExternalId::as_str),
        user.password_hash.as_deref(),
        user.created_at.timestamp_micros(),
        &*user.role,
    )
}
