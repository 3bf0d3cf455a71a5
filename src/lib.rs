//! A follow graph as a service.

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod graph;
pub mod graphql;
pub mod http;
pub mod store;
