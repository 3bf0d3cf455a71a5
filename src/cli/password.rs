//! The password of a user: typed twice on a terminal, without echo, or the first line of stdin.

use std::io::{self, BufRead, BufReader, IsTerminal, Read};

use anyhow::{Context, bail};
use console::Term;

/// Reads a password. The error for an empty one ends with `instead`, which names an alternative to
/// typing it, or is empty.
pub(super) fn read(instead: &str) -> anyhow::Result<String> {
    if io::stdin().is_terminal() {
        return typed(instead);
    }
    let password = first_line_of_stdin()?;
    if password.is_empty() {
        bail!("no password on stdin: write it as one line{instead}");
    }
    Ok(password)
}

fn typed(instead: &str) -> anyhow::Result<String> {
    let password = prompt("Password: ")?;
    if password.is_empty() {
        bail!("no password: type it twice, write it as one line to a pipe{instead}");
    }
    if prompt("The same again: ")? != password {
        bail!("the two passwords differ: nothing was changed");
    }
    Ok(password)
}

/// Prompts on stderr, since stdout is for results, and reads a line from the terminal.
fn prompt(text: &str) -> anyhow::Result<String> {
    let terminal = Term::stderr();
    let line = terminal.write_str(text).and_then(|()| terminal.read_secure_line());
    line.context("cannot read the password from the terminal")
}

fn first_line_of_stdin() -> anyhow::Result<String> {
    /// More than any password may have; bounds endless input.
    const BYTES_MAX: u64 = 4_096;
    let mut text = String::new();
    let mut input = BufReader::new(io::stdin().take(BYTES_MAX));
    input.read_line(&mut text).context("cannot read the password from stdin")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
