//! `entourage schema`

use std::{fs, path::PathBuf};

use anyhow::{Context, bail};

use super::print;
use crate::graphql;

/// Print the GraphQL schema, in the schema definition language
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Compare it with this file instead: exit code 1 when they differ
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let sdl = graphql::sdl();
    let Some(file) = &args.check else { return print(&sdl) };

    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    if let Some((number, ours)) = first_difference(&sdl, &text) {
        bail!(
            "{} is not the schema of this program, from line {number} on, which is {ours:?} here: \
             `entourage schema > {}` brings it up to date",
            file.display(),
            file.display()
        );
    }
    Ok(())
}

/// The number of the first line that differs, and what it should be.
fn first_difference<'a>(ours: &'a str, theirs: &str) -> Option<(usize, &'a str)> {
    if ours == theirs {
        return None;
    }
    let (mut a, mut b) = (ours.split('\n'), theirs.split('\n'));
    (1..)
        .map(|number| (number, a.next(), b.next()))
        .find_map(|(number, a, b)| (a != b || a.is_none()).then(|| (number, a.unwrap_or_default())))
}
