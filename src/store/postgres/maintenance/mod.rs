//! Work on the database as a whole.

pub(crate) mod deletion;
pub(crate) mod drift;
pub(crate) mod load;
pub(crate) mod schema;
