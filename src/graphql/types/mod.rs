//! The types of the schema, one file for each subject.

pub(crate) mod account;
pub(crate) mod administration;
pub(crate) mod audit;
pub(crate) mod avatar;
pub(crate) mod connection;
pub(crate) mod denial;
pub(crate) mod event;
pub(crate) mod federation;
pub(crate) mod follow;
pub(crate) mod mutation;
pub(crate) mod order;
pub(crate) mod page;
pub(crate) mod privacy;
pub(crate) mod query;
pub(crate) mod quota;
pub(crate) mod safety;
pub(crate) mod scalar;
pub(crate) mod session;
pub(crate) mod user;
pub(crate) mod viewer;
