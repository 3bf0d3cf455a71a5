//! What happens to an operation before it is executed: it is parsed, validated, inspected by the
//! guard and translated for the executor.

pub(crate) mod document;
mod expansion;
pub(crate) mod guard;
mod overlap;
mod rules;
mod scan;
pub(crate) mod translation;
pub(crate) mod values;
