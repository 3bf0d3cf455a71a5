//! A follow graph as a service.

pub mod domain;
pub mod store;
