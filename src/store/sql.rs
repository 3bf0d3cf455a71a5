//! Statements that both engines share: SQLite reads `$1` as PostgreSQL does.
//!
//! A text belongs here when both engines run it as it is. What an engine says in its own way, as
//! arrays or JSON, is next to the code that binds it.

/// The columns of a [`User`](crate::domain::User), each after a prefix: `""`, or `"u."` in a join.
/// The function `user` of each engine reads them, in this order.
macro_rules! user_columns {
    ($u:literal) => {
        concat! {
            $u, "id, ", $u, "username, ", $u, "name, ", $u, "bio, ",
            $u, "avatar_url, ", $u, "created_at"
        }
    };
}
pub(super) use user_columns;

/// The account of one user, by a condition on `users u`. The columns of the user come last, so that
/// a new one moves none of the others.
macro_rules! account {
    ($condition:literal) => {
        concat!(
            "SELECT r.name, r.permissions, u.token_epoch, u.tokens_valid_after, ",
            $crate::store::sql::user_columns!("u."),
            " FROM users u JOIN roles r ON r.id = u.role_id WHERE ",
            $condition
        )
    };
}
pub(super) use account;

/// Changes the columns of a profile whose flag (`$2`, `$4`, `$6`) is set.
macro_rules! update_profile {
    () => {
        concat!(
            "UPDATE users SET name = CASE WHEN $2 THEN $3 ELSE name END, \
                              bio = CASE WHEN $4 THEN $5 ELSE bio END, \
                              avatar_url = CASE WHEN $6 THEN $7 ELSE avatar_url END \
             WHERE id = $1 RETURNING ",
            $crate::store::sql::user_columns!("")
        )
    };
}
pub(super) use update_profile;

/// Ends all tokens that were issued until a moment. That moment never moves back, even when the
/// clocks of two servers disagree.
macro_rules! end_tokens {
    ($at:literal) => {
        concat! {
            "token_epoch = token_epoch + 1, ",
            "tokens_valid_after = CASE WHEN tokens_valid_after > ", $at,
                                 " THEN tokens_valid_after ELSE ", $at, " END"
        }
    };
}

/// Pages through the ids of one column that no user has.
macro_rules! strangers {
    ($id:literal, $table:literal) => {
        concat! {
            "SELECT DISTINCT ", $id, " FROM ", $table, " e ",
            "WHERE ", $id, " > $1 AND NOT EXISTS (SELECT 1 FROM users WHERE id = e.", $id, ") ",
            "ORDER BY ", $id, " LIMIT $2"
        }
    };
}

/// Deletes an edge of either table when one of its users does not exist.
macro_rules! remove_edge_of_nobody {
    ($edges:literal) => {
        concat! {
            "DELETE FROM ", $edges,
            " WHERE follower_id = $1 AND followee_id = $2 AND followed_at = $3 ",
            "AND (NOT EXISTS (SELECT 1 FROM users WHERE id = $1) ",
                 "OR NOT EXISTS (SELECT 1 FROM users WHERE id = $2))"
        }
    };
}

/// Pages through the edges of one owner, oldest first.
macro_rules! edges_after {
    ($edges:literal, $owner:literal, $other:literal) => {
        concat! {
            "SELECT follower_id, followee_id, followed_at FROM ", $edges,
            " WHERE ", $owner, " = $1 AND (followed_at, ", $other, ") > ($2, $3) ",
            "ORDER BY followed_at, ", $other, " LIMIT $4"
        }
    };
}

statements! {
    // Users
    COUNT_USERS = "SELECT count(*) FROM users";
    HAS_USERS = "SELECT EXISTS (SELECT 1 FROM users)";
    USERS_AFTER = "SELECT id FROM users WHERE id > $1 ORDER BY id LIMIT $2";
    USER_EXISTS = "SELECT EXISTS (SELECT 1 FROM users WHERE id = $1)";

    // Accounts
    ACCOUNT_BY_SUBJECT = account!("u.subject = $1");
    CREDENTIALS = "SELECT id, password_hash, token_epoch FROM users WHERE username_key = $1";
    CREDENTIALS_BY_ID = "SELECT id, password_hash, token_epoch FROM users WHERE id = $1";
    CREATE_COUNTS = "INSERT INTO follow_counts (user_id) VALUES ($1)";
    IS_OUR_USER = "SELECT EXISTS (SELECT 1 FROM users WHERE id = $1 AND username_key = $2)";
    TAKEN =
        "SELECT EXISTS (SELECT 1 FROM users WHERE username_key = $1), \
                EXISTS (SELECT 1 FROM users WHERE subject = $2)";
    UPDATE_PROFILE = update_profile!();
    CHANGE_PASSWORD =
        concat!("UPDATE users SET password_hash = $3, ", end_tokens!("$4"),
                " WHERE id = $1 AND token_epoch = coalesce($2, token_epoch)");
    HAS_PASSWORD = "SELECT EXISTS (SELECT 1 FROM users WHERE id = $1 AND password_hash = $2)";
    END_TOKENS = concat!("UPDATE users SET ", end_tokens!("$2"), " WHERE id = $1");
    SET_ROLE =
        "UPDATE users SET role_id = (SELECT id FROM roles WHERE name = $2) \
         WHERE id = $1 AND EXISTS (SELECT 1 FROM roles WHERE name = $2)";

    // Follows
    USAGE =
        "SELECT followers, following, \
                CASE WHEN follows_day >= $2 THEN follows_today ELSE 0 END \
         FROM follow_counts WHERE user_id = $1";

    // Deletion of a user
    TAKE_FOLLOWING =
        "DELETE FROM follows WHERE follower_id = $1 AND followee_id IN \
           (SELECT followee_id FROM follows WHERE follower_id = $1 LIMIT $2) \
         RETURNING follower_id, followee_id, followed_at";
    // Reads `follows`, the truth, which may hold edges that `followers` lacks. It does not name
    // the owners of the edges, so a distributed engine asks all shards.
    SOME_FOLLOWERS =
        "SELECT follower_id, followee_id, followed_at FROM follows \
         WHERE followee_id = $1 LIMIT $2";
    DELETE_USER = "DELETE FROM users WHERE id = $1";

    // Drift
    STRANGERS_FOLLOWING = strangers!("follower_id", "follows");
    STRANGERS_FOLLOWERS = strangers!("followee_id", "followers");
    STRANGERS_COUNTED = strangers!("user_id", "follow_counts");
    STRANGERS_NAMED = strangers!("user_id", "name_prefixes");
    FOLLOWING_AFTER = edges_after!("follows", "follower_id", "followee_id");
    FOLLOWERS_AFTER = edges_after!("followers", "followee_id", "follower_id");
    REMOVE_EDGE_OF_NOBODY = remove_edge_of_nobody!("follows");
    REMOVE_MIRROR_OF_NOBODY = remove_edge_of_nobody!("followers");
    REMOVE_COUNTS_OF_NOBODY =
        "DELETE FROM follow_counts WHERE user_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM users WHERE id = $1)";
    ADD_COUNTS =
        "INSERT INTO follow_counts (user_id) SELECT id FROM users WHERE id = $1 \
         ON CONFLICT DO NOTHING RETURNING user_id";

    // Schema
    APPLIED = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
    TEST_WRITE = "UPDATE users SET role_id = role_id WHERE id = (SELECT min(id) FROM users)";
}
