//! The real binary, run as a process.

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

use super::{database::Database, watchdog::watch_this_test};

/// The signing key of the binary.
pub(crate) const KEY: &str = "the key of the tests of the binary";

/// The binary in a folder, with an empty environment.
pub(crate) fn binary(folder: &Path) -> Command {
    watch_this_test();
    let mut command = Command::new(env!("CARGO_BIN_EXE_entourage"));
    command.env_clear().env("COLUMNS", "100").current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs the binary with these arguments and variables only.
pub(crate) fn run<A: AsRef<OsStr>>(
    folder: &Path,
    arguments: impl IntoIterator<Item = A>,
    variables: &[(&str, &str)],
) -> Assert {
    let mut command = binary(folder);
    command.args(arguments).envs(variables.iter().copied());
    assert_cmd::Command::from_std(command).assert()
}

/// Runs the binary on a database.
pub(crate) fn on(database: &Database, arguments: &[&str]) -> Assert {
    at(&database.url, arguments)
}

/// Runs the binary on the database at a URL.
pub(crate) fn at(url: &str, arguments: &[&str]) -> Assert {
    let variables = [("DATABASE_URL", url), ("ENTOURAGE_JWT_SECRET", KEY)];
    run(&std::env::temp_dir(), arguments, &variables)
}

/// The stdout of a run that succeeded and wrote nothing to stderr.
#[track_caller]
pub(crate) fn said(run: Assert) -> String {
    let output = run.success().stderr("").get_output().clone();
    String::from_utf8(output.stdout).expect("text")
}

/// A server process that is killed on drop.
pub(crate) struct Server {
    process: Child,
    /// `127.0.0.1:PORT`, from the banner.
    pub(crate) address: String,
    /// The banner.
    pub(crate) banner: String,
    pub(crate) client: reqwest::Client,
    folder: TempDir,
}

impl Server {
    /// Starts one on a free port and waits for its banner.
    pub(crate) fn start(database: &Database, arguments: &[&str]) -> Self {
        Self::at(&database.url, arguments)
    }

    /// The same, on the database at a URL.
    pub(crate) fn at(url: &str, arguments: &[&str]) -> Self {
        let variables = [("DATABASE_URL", url), ("ENTOURAGE_JWT_SECRET", KEY)];
        Self::with(None, arguments, &variables)
    }

    /// Starts one in a folder, by default a temporary one.
    pub(crate) fn with(
        folder: Option<&Path>,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let own_folder = TempDir::new().expect("a folder");
        let mut command = binary(folder.unwrap_or(own_folder.path()));
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        command.args(arguments).envs(variables.iter().copied());
        Self::spawn(command, own_folder)
    }

    /// Starts one as `nohup` does: with `SIGHUP` ignored.
    pub(crate) fn with_nohup() -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut command = Command::new("sh");
        let script = "trap '' HUP; exec \"$0\" serve --listen 127.0.0.1:0";
        command.args(["-c", script, env!("CARGO_BIN_EXE_entourage")]);
        command.env_clear().current_dir(folder.path()).stdin(Stdio::null());
        Self::spawn(command, folder)
    }

    fn spawn(mut command: Command, own_folder: TempDir) -> Self {
        let log: PathBuf = own_folder.path().join("log");
        let mut process = command
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
        Self { process, address, banner, client, folder: own_folder }
    }

    /// The whole response to an operation.
    pub(crate) async fn graphql(
        &self,
        query: &str,
        variables: Value,
        token: Option<&str>,
    ) -> Value {
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

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("its log")
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.id());
        let status = Command::new("sh").args(["-c", &command]).status().expect("there is a shell");
        assert!(status.success(), "{command}");
    }

    /// Waits until it exits.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.process.wait().expect("it ends")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads the banner to its last line, or until the process exits.
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
