//! Reports an invalid command line in one line.

use std::process::ExitCode;

use clap::{Command, CommandFactory, error::ContextKind, error::ContextValue, error::ErrorKind};

use super::{Cli, complain};

/// Reports the error, or prints the help or version that was requested.
pub(super) fn report(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let printed = error.print();
        return if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        complain("a command is missing; see `entourage --help`");
        return ExitCode::from(2);
    }

    let text = error.to_string();
    let message = text.split("\n\n").next().unwrap_or(&text);
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let variable = variable(error);
    complain(&format!("{message}{variable}{}; see `entourage --help`", tips(&text)));
    ExitCode::from(2)
}

/// What clap suggests instead, such as the flag with the most similar name.
fn tips(text: &str) -> String {
    let tips = text.lines().filter_map(|line| line.trim_start().strip_prefix("tip: "));
    tips.map(|tip| format!("; {tip}")).collect()
}

/// The variable of the invalid argument, since the value may come from there.
fn variable(error: &clap::Error) -> String {
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg) else {
        return String::new();
    };
    let found = variable_of(&Cli::command(), shown);
    found.map(|name| format!(" (flag, or variable {name})")).unwrap_or_default()
}

/// The variable of an argument that clap shows as `--flag <VALUE>`.
fn variable_of(command: &Command, shown: &str) -> Option<String> {
    let flag = shown.split([' ', '=']).next()?.strip_prefix("--")?;
    let argument = command.get_arguments().find(|argument| argument.get_long() == Some(flag));
    let variable = argument.and_then(|argument| argument.get_env());
    variable
        .map(|name| name.to_string_lossy().into_owned())
        .or_else(|| command.get_subcommands().find_map(|command| variable_of(command, shown)))
}
