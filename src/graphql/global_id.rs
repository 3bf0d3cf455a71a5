//! Global ids in answers.

use async_graphql::ID;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

pub use crate::domain::GlobalId;

impl From<GlobalId> for ID {
    fn from(id: GlobalId) -> Self {
        Self(id.text())
    }
}

/// The global id of a role. Roles have unique names and cannot be looked up.
pub(crate) fn of_role(name: &str) -> ID {
    ID(BASE64.encode(format!("Role:{name}")))
}
