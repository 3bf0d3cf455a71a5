//! Helpers that tests of several areas share.

pub(crate) mod admin;
pub(crate) mod answer;
pub(crate) mod app;
pub(crate) mod bouncer;
pub(crate) mod clock;
pub(crate) mod cluster;
pub(crate) mod database;
pub(crate) mod faults;
pub(crate) mod faulty;
pub(crate) mod figures;
pub(crate) mod follow;
pub(crate) mod forward;
pub(crate) mod graph;
pub(crate) mod hooks;
pub(crate) mod link;
pub(crate) mod log;
pub(crate) mod nginx;
pub(crate) mod process;
pub(crate) mod provider;
mod watchdog;
