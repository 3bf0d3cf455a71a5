//! What tests of several areas need.

pub(crate) mod app;
pub(crate) mod clock;
pub(crate) mod database;
pub(crate) mod graph;
pub(crate) mod log;
pub(crate) mod provider;
