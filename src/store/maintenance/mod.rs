//! Work on the database as a whole: migrations, bulk loading, deletion, and drift.

pub(crate) mod deletion;
pub(crate) mod drift;
pub(crate) mod load;
pub(crate) mod schema;
