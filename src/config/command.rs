//! What clap's command line is like beyond its flags: empty variables, and the short help.

use std::{env, ffi::OsString};

use clap::{Arg, Command, builder::Resettable};

/// The command line as these arguments need it.
///
/// A variable whose value is empty counts as unset, for every flag: `X: ${X:-}` in a compose file
/// sets such variables. `--help` names them all the same. `-h` prints one line for each flag: the
/// first paragraph of its help, without its variable and its possible values.
pub fn prepare(command: Command, arguments: &[OsString]) -> Command {
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if has("-h") {
        // Never wrapped, so that each flag stays on its line.
        let command = command.term_width(0).max_term_width(0);
        return on_all(command, |argument| {
            let takes_values = argument.get_action().takes_values();
            argument.hide_env(true).hide_possible_values(takes_values)
        });
    }
    if has("--help") {
        return command;
    }
    on_all(command, unset_if_empty)
}

/// Changes the arguments of a command and of its subcommands.
fn on_all(command: Command, change: fn(Arg) -> Arg) -> Command {
    command.mut_args(change).mut_subcommands(|command| on_all(command, change))
}

fn unset_if_empty(argument: Arg) -> Arg {
    let value = argument.get_env().and_then(env::var_os);
    if value.is_some_and(|value| value.is_empty()) {
        return argument.env(Resettable::Reset);
    }
    argument
}
