//! Pictures of users: their own, or one that this server draws (`http/avatar.rs`).

use crate::{
    domain::{User, UserId},
    graphql::global_id::GlobalId,
};
use async_graphql::ID;

/// The folder of drawn pictures on this server.
pub(crate) const FOLDER: &str = "/avatars/";

/// The URL of the user's own picture, or the path of the drawn one, in the folder as the clients of
/// this server see it.
pub(crate) fn uri(user: &User, folder: &str) -> String {
    user.avatar_url.clone().unwrap_or_else(|| drawn(user.id, folder))
}

fn drawn(user: UserId, folder: &str) -> String {
    let id: ID = GlobalId::User(user).into();
    format!("{folder}{}.svg", *id)
}
