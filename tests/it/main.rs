//! The one test binary: the specification of the product, area by area.

mod audit;
mod graphql;
mod http;
mod schema;
mod support;
