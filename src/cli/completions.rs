//! `entourage completions`

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, print};

/// Print a completion script for a shell to source
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Shell
    shell: Shell,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "entourage", &mut text);
    print(&String::from_utf8(text)?)
}
