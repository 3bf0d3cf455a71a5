//! What the log says of an operation.

use std::num::NonZeroU32;

use apollo_compiler::executable;

/// The most characters of a name in the log.
const NAME_LENGTH_MAX: usize = 64;

/// The name, type and cost of an operation.
///
/// The client chose the name. It is one of GraphQL, so letters, digits and underscores, and cut to
/// 64 of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationLabel {
    /// The name in the document, if it has one.
    pub name: Option<String>,
    /// `query`, `mutation` or `subscription`.
    pub kind: &'static str,
    /// The cost; `None` if the operation was refused before it was known.
    pub cost: Option<NonZeroU32>,
}

impl OperationLabel {
    pub(super) fn new(operation: &executable::Operation) -> Self {
        // Names are ASCII.
        let cut = |name: &str| name.get(..NAME_LENGTH_MAX).unwrap_or(name).to_owned();
        Self {
            name: operation.name.as_ref().map(|name| cut(name)),
            kind: operation.operation_type.name(),
            cost: None,
        }
    }
}
