//! A follow graph as a service.

pub mod domain;
pub mod graph;
pub mod graphql;
pub mod store;
