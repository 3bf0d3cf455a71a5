//! What happens to an operation before it is executed: its document is found, parsed and validated,
//! and the operation is inspected by the guard and translated for the executor.

pub(crate) mod coercion;
pub(crate) mod document;
mod expansion;
pub(crate) mod guard;
pub(crate) mod persisted;
mod positions;
mod syntax;
pub(crate) mod translation;
mod validation;
pub(crate) mod values;
