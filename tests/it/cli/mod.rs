//! The command line, as an operator meets it: the real binary, its exit codes and its lines.

mod admin;
mod help;
mod killed;
mod readme;
mod refused;
mod seed;
mod serve;
mod usage;

use std::{
    ffi::OsStr,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use assert_cmd::assert::Assert;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::database::{Database, Engine};

const KEY: &str = "the key of the tests of the binary";

/// Makes a test of each case on each engine. A case is `async fn case(database: &Database)`, on a
/// database without a table.
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

/// The binary in a folder of its own, with nothing in its environment.
fn binary(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entourage"));
    command.env_clear().env("COLUMNS", "100").current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs the binary with no more than arguments and variables.
fn run<A: AsRef<OsStr>>(
    folder: &Path,
    arguments: impl IntoIterator<Item = A>,
    variables: &[(&str, &str)],
) -> Assert {
    let mut command = binary(folder);
    command.args(arguments).envs(variables.iter().copied());
    assert_cmd::Command::from_std(command).assert()
}

/// Runs the binary on a database.
fn on(database: &Database, arguments: &[&str]) -> Assert {
    let variables = [("DATABASE_URL", database.url.as_str()), ("ENTOURAGE_JWT_SECRET", KEY)];
    run(&std::env::temp_dir(), arguments, &variables)
}

/// Runs the binary on a database, with this on its stdin.
fn on_with_input(database: &Database, arguments: &[&str], input: &str) -> Assert {
    let mut command = binary(&std::env::temp_dir());
    command.args(arguments).env("DATABASE_URL", &database.url).stdin(Stdio::piped());
    assert_cmd::Command::from_std(command).write_stdin(input).assert()
}

/// What a run wrote to stdout, after it succeeded in silence otherwise.
#[track_caller]
fn said(run: Assert) -> String {
    let output = run.success().stderr("").get_output().clone();
    String::from_utf8(output.stdout).expect("text")
}

/// The one line in which a run complained, after it failed with this code.
#[track_caller]
fn complaint(run: &Assert, code: i32) -> String {
    let output = run.get_output();
    let stderr = String::from_utf8(output.stderr.clone()).expect("text");
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let line = stderr.strip_prefix("entourage: ").and_then(|line| line.strip_suffix('\n'));
    line.unwrap_or_else(|| panic!("not a line of ours: {stderr}")).to_owned()
}

/// Fails unless a run failed with this code and exactly this one line, and said nothing else.
#[track_caller]
fn refused(run: &Assert, code: i32, line: &str) {
    assert_eq!(complaint(run, code), line);
    assert!(run.get_output().stdout.is_empty(), "it printed something as well");
}

/// A server in a process of its own, that is killed when it is dropped.
struct Server {
    process: Child,
    /// `127.0.0.1:PORT`, as its banner told.
    address: String,
    /// What it printed.
    banner: String,
    client: reqwest::Client,
    _folder: TempDir,
}

impl Server {
    /// Starts one on a free port, and waits until it says where it is.
    fn start(database: &Database, arguments: &[&str]) -> Self {
        let variables = [("DATABASE_URL", database.url.as_str()), ("ENTOURAGE_JWT_SECRET", KEY)];
        Self::with(None, arguments, &variables)
    }

    /// Starts one in a folder, or in one of its own.
    fn with(folder: Option<&Path>, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let own_folder = TempDir::new().expect("a folder");
        let folder = folder.unwrap_or(own_folder.path());
        let log: PathBuf = own_folder.path().join("log");
        let mut process = binary(folder)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("a file for its log"))
            .spawn()
            .expect("the binary starts");

        let stdout = process.stdout.take().expect("it is piped");
        let banner = read_banner(stdout);
        let address = banner.lines().find_map(|line| {
            line.trim().strip_prefix("GraphQL   http://")?.strip_suffix("/graphql")
        });
        let Some(address) = address.map(str::to_owned) else {
            let mut log = File::open(&log).expect("its log");
            let mut text = String::new();
            let _ = log.read_to_string(&mut text);
            let _ = process.kill();
            let _ = process.wait();
            panic!("no address in the banner {banner:?}: {text}");
        };
        let client = reqwest::Client::new();
        Self { process, address, banner, client, _folder: own_folder }
    }

    /// The whole response to an operation.
    async fn graphql(&self, query: &str, variables: Value, token: Option<&str>) -> Value {
        let url = format!("http://{}/graphql", self.address);
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = self.client.post(url).header(CONTENT_TYPE, "application/json").body(body);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await.expect("the server answers");
        response.json().await.expect("the answer is JSON")
    }

    /// Sends it a signal by name.
    fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.process.id());
        let status = Command::new("sh").args(["-c", &command]).status().expect("there is a shell");
        assert!(status.success(), "{command}");
    }

    /// Waits for its end.
    fn wait(mut self) -> ExitStatus {
        self.process.wait().expect("it ends")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What comes until the line that ends every banner, or until the process ends.
fn read_banner(stdout: ChildStdout) -> String {
    let mut banner = String::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.expect("text");
        banner += &line;
        banner.push('\n');
        if line == "Stop with Ctrl-C." {
            break;
        }
    }
    banner
}

/// Everything that is in a folder, by name.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder is readable");
    let names = entries.map(|entry| entry.expect("readable").file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What the tests of one engine need to be told apart by.
fn is_sqlite(database: &Database) -> bool {
    database.engine() == Engine::Sqlite
}
