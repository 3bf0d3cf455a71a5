//! The one test binary: the specification of the product, area by area.

mod schema;
mod store;
mod support;
