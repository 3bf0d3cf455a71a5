//! What happens to an operation before it is executed: its document is found, parsed and validated,
//! and the operation is inspected by the guard and translated for the executor.

pub(crate) mod document;
mod expansion;
pub(crate) mod guard;
mod overlap;
pub(crate) mod persisted;
mod rules;
mod scan;
pub(crate) mod translation;
pub(crate) mod values;
