//! Shared by the benches of the binary: its commands, and a server process.

mod scale;

use std::{
    error::Error,
    io::{self, BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

pub(crate) use self::scale::Scale;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

const KEY: &str = "the key of the benchmark, that is no secret";

pub(crate) fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn binary(database: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entourage"));
    command.env("DATABASE_URL", database).env("ENTOURAGE_JWT_SECRET", KEY);
    // All requests come from one address.
    command.env("ENTOURAGE_RATE_LIMITS", "off").stdin(Stdio::null());
    command
}

/// Runs a command of the binary and returns its output.
pub(crate) fn run(database: &str, arguments: &[&str]) -> Result<String> {
    let output = binary(database).args(arguments).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("`entourage {}` failed", arguments[0]).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The name of the nth user of a seeded graph.
pub(crate) fn username(n: usize) -> String {
    format!("user{n:06}")
}

/// A server that is killed on drop.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) address: String,
}

impl Server {
    /// Serves with these environment variables.
    pub(crate) fn start(database: &str, settings: &[(&str, &str)]) -> Result<Self> {
        let mut process = binary(database)
            .args(["serve", "--listen", "127.0.0.1:0", "--rate-limits", "off", "--log", "error"])
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().ok_or("stdout is piped")?;
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            let url = line.trim().strip_prefix("GraphQL ").map(str::trim_start);
            let address = url.and_then(|url| url.strip_prefix("http://")?.strip_suffix("/graphql"));
            if let Some(address) = address {
                return Ok(Self { address: address.to_owned(), process });
            }
        }
        Err("the server did not say where it listens".into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have exited by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
