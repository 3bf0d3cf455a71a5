//! Loading a whole graph: the statements of this engine.

use crate::{
    domain::NewUser,
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
    LOAD_FOLLOWS =
        "INSERT INTO follows (follower_id, followee_id, followed_at) \
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[])";
    LOAD_FOLLOWERS =
        "INSERT INTO followers (follower_id, followee_id, followed_at) \
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[])";
}

pub(crate) fn load_users(users: &[NewUser]) -> Query {
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
}
