//! What happens to an operation before it is executed: it is parsed, validated, inspected by the
//! guard and translated for the executor.

pub(crate) mod document;
pub(crate) mod expansion;
pub(crate) mod guard;
pub(crate) mod overlap;
pub(crate) mod prepared;
pub(crate) mod rules;
pub(crate) mod scan;
pub(crate) mod shape;
pub(crate) mod translation;
pub(crate) mod values;
