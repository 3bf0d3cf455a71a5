//! The command line as an operator uses it: the real binary, its exit codes and its output.

mod admin;
mod backup;
mod events;
mod help;
mod import;
mod import_runs;
mod lists;
mod refused;
mod seed;
mod serve;
mod terminal;
mod usage;
mod variables;
mod waiting;
mod webhooks;

use std::{path::Path, process::Stdio};

use assert_cmd::assert::Assert;

use crate::support::{
    database::{Database, Engine},
    process::{KEY, Server, binary, on, run, said},
};

/// Generates a test for each case and engine. A case is `async fn case(database: &Database)`, on an
/// empty database.
macro_rules! on_both_engines {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            use crate::support::database::{Database, Engine};
            $(#[tokio::test]
            async fn $case() {
                Database::empty(Engine::Sqlite).await.run(async |db| super::$case(db).await).await;
            })+
        }
        mod postgres {
            use crate::support::database::{Database, Engine};
            $(#[tokio::test]
            async fn $case() {
                Database::empty(Engine::Postgres).await.run(async |db| super::$case(db).await).await;
            })+
        }
    };
}
use on_both_engines;

/// Runs the binary on a database with `input` on stdin.
fn on_with_input(database: &Database, arguments: &[&str], input: &str) -> Assert {
    let mut command = binary(&std::env::temp_dir());
    command.args(arguments).env("DATABASE_URL", &database.url).stdin(Stdio::piped());
    assert_cmd::Command::from_std(command).write_stdin(input).assert()
}

/// The single line on stderr of a run that failed with this code.
#[track_caller]
fn complaint(run: &Assert, code: i32) -> String {
    let output = run.get_output();
    let stderr = String::from_utf8(output.stderr.clone()).expect("text");
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let line = stderr.strip_prefix("entourage: ").and_then(|line| line.strip_suffix('\n'));
    line.unwrap_or_else(|| panic!("unexpected stderr: {stderr}")).to_owned()
}

/// Asserts that a run failed with this code and exactly this line, and printed nothing else.
#[track_caller]
fn refused(run: &Assert, code: i32, line: &str) {
    assert_eq!(complaint(run, code), line);
    assert!(run.get_output().stdout.is_empty(), "it printed something as well");
}

/// The sorted names in a folder.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder is readable");
    let names = entries.map(|entry| entry.expect("readable").file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn is_sqlite(database: &Database) -> bool {
    database.engine() == Engine::Sqlite
}
