//! The single test binary: the specification of the product, by area.

mod audit;
mod cli;
mod clients;
mod docs;
mod faults;
mod graphql;
mod http;
mod install;
mod schema;
mod store;
mod support;
mod tidy;
