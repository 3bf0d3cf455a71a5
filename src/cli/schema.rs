//! `entourage schema`

use std::{fs, path::PathBuf};

use anyhow::{Context, bail};

use super::print;
use crate::graphql;

/// Print the GraphQL schema (SDL)
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print it as a subgraph of Apollo Federation 2
    #[arg(long)]
    federation: bool,

    /// Compare with this file instead; exit code 1 if they differ
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let sdl = if args.federation { graphql::subgraph_sdl() } else { graphql::sdl() };
    let Some(file) = &args.check else { return print(&sdl) };

    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    if let Some((number, ours)) = first_difference(&sdl, &text) {
        bail!(
            "{} differs from the schema of this program at line {number}, which should be {ours:?}: \
             run `entourage schema{} > {}`",
            file.display(),
            if args.federation { " --federation" } else { "" },
            file.display()
        );
    }
    Ok(())
}

/// The number of the first different line, and our text of it.
fn first_difference<'a>(ours: &'a str, theirs: &str) -> Option<(usize, &'a str)> {
    if ours == theirs {
        return None;
    }
    let (mut a, mut b) = (ours.split('\n'), theirs.split('\n'));
    (1..)
        .map(|number| (number, a.next(), b.next()))
        .find_map(|(number, a, b)| (a != b || a.is_none()).then(|| (number, a.unwrap_or_default())))
}
