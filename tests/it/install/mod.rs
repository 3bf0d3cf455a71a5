//! What installs the server: the image, the compose file and the unit of systemd.
//!
//! No container engine is needed. A test follows the instructions of the `Dockerfile` itself.

mod compose;
mod dockerfile;
mod image;
mod systemd;

use std::{fs, path::PathBuf};

/// A file, by its path from the root of the project.
fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Panics if the server has no such setting.
#[track_caller]
fn assert_setting(variable: &str) {
    let command = entourage::cli::command();
    let commands = command.get_subcommands();
    let mut arguments = commands.flat_map(clap::Command::get_arguments);
    let is_known = arguments.any(|arg| arg.get_env().is_some_and(|name| name == variable));
    assert!(is_known, "{variable} is not a setting");
}
