//! What a subgraph of a federation has besides its own schema: how a gateway reads the SDL, and the
//! users that other subgraphs refer to.
//!
//! [Apollo's specification](https://www.apollographql.com/docs/graphos/reference/federation/subgraph-spec)
//! names the fields and types.

use std::sync::Arc;

use async_graphql::{Context, ID, SimpleObject, Union, Value};

use super::{follow::UserRef, user::User};
use crate::service::Service;

/// The fields of the root of queries.
pub(crate) const FIELDS: [&str; 2] = ["_entities", "_service"];
/// The types that only those fields have.
pub(crate) const TYPES: [&str; 3] = ["_Any", "_Entity", "_Service"];

/// Whether the server is a subgraph, for the fields above.
pub(crate) fn is_federated(ctx: &Context<'_>) -> bool {
    ctx.data_unchecked::<Arc<Service>>().is_federated()
}

/// This subgraph, for a gateway.
#[derive(SimpleObject)]
#[graphql(name = "_Service")]
pub(crate) struct Subgraph {
    /// The schema of this subgraph.
    pub sdl: String,
}

/// An object that other subgraphs refer to.
#[derive(Union)]
#[graphql(name = "_Entity")]
pub(crate) enum Entity {
    User(User),
}

/// The user that a representation refers to: the type and the fields of a key, as another subgraph
/// knows them. Other fields are ignored. A null external id names no user.
///
/// # Errors
/// The path of the part at fault, and the reason.
pub(crate) fn referred(
    representation: &Value,
) -> Result<Option<UserRef>, (&'static str, &'static str)> {
    let Value::Object(fields) = representation else { return Err(("", "must be an object")) };
    match fields.get("__typename") {
        Some(Value::String(ty)) if ty == "User" => {}
        _ => return Err((".__typename", "must be User: this subgraph has no other entity")),
    }
    match (fields.get("id"), fields.get("externalId")) {
        (Some(Value::String(id)), _) => Ok(Some(UserRef::Id(ID(id.clone())))),
        (Some(_), _) => Err((".id", "must be a string")),
        (None, Some(Value::String(id))) => Ok(Some(UserRef::ExternalId(id.clone()))),
        (None, Some(Value::Null)) => Ok(None),
        (None, Some(_)) => Err((".externalId", "must be a string or null")),
        (None, None) => Err(("", "must have a key: id or externalId")),
    }
}
