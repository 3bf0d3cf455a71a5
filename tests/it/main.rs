//! The one test binary: the specification of the product, area by area.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod audit;
mod cli;
mod graphql;
mod http;
mod schema;
mod store;
mod support;
mod tidy;
