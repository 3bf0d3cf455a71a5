//! The command line: one file per command, and what they share.
//!
//! Results go to stdout. A failure is one line on stderr that says what to do, with exit code 1,
//! or 2 if the command line is invalid. A failed command leaves nothing half-done.

mod audit;
mod backup;
mod banner;
mod check;
mod completions;
mod database;
mod demo;
mod documents;
mod events;
mod export;
mod healthcheck;
mod import;
mod imports;
mod jwks;
mod migrate;
mod password;
mod power_law;
mod progress;
mod providers;
mod role;
mod schema;
mod seed;
mod serve;
mod signing;
mod startup;
mod token;
mod usage;
mod user;
mod webhooks;

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

pub use self::jwks::JwksPlace;
use crate::config::{self, LogFormat, Logging};

/// A follow graph as a service: GraphQL for who follows whom, on SQLite and PostgreSQL
#[derive(Debug, Parser)]
#[command(name = "entourage", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::Args>),
    Migrate(migrate::Args),
    Schema(schema::Args),
    Seed(seed::Args),
    /// Export all users or follows
    #[command(subcommand)]
    Export(export::Command),
    /// Import the users and follows of another application
    #[command(subcommand)]
    Import(import::Command),
    Imports(imports::Args),
    /// List, create, promote, suspend, sign out and delete users, without a server
    #[command(subcommand)]
    User(user::Command),
    /// List, create and remove roles of your own
    #[command(subcommand)]
    Role(role::Command),
    Audit(audit::Args),
    /// List and resend messages of the webhook that failed
    #[command(subcommand)]
    Webhooks(webhooks::Command),
    Backup(backup::BackupArgs),
    Restore(backup::RestoreArgs),
    Token(token::Args),
    Events(events::Args),
    Check(check::Args),
    Healthcheck(healthcheck::Args),
    Completions(completions::Args),
}

/// All commands with their flags and variables, for the reference in `docs/configuration.md`.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command in the arguments, the first of which is the program's name.
pub async fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match parse(args.into_iter().collect()) {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error),
    };

    let done = match cli.command {
        Command::Serve(args) => Box::pin(serve::run(*args)).await,
        Command::Migrate(args) => migrate::run(args).await,
        Command::Schema(args) => schema::run(&args),
        Command::Seed(args) => seed::run(args).await,
        Command::Export(command) => export::run(command).await,
        Command::Import(command) => Box::pin(import::run(command)).await,
        Command::Imports(args) => imports::run(args).await,
        Command::User(command) => user::run(command).await,
        Command::Role(command) => role::run(command).await,
        Command::Audit(args) => audit::run(args).await,
        Command::Webhooks(command) => webhooks::run(command).await,
        Command::Backup(args) => backup::backup(args).await,
        Command::Restore(args) => backup::restore(args).await,
        Command::Token(args) => token::run(args).await,
        Command::Events(args) => events::run(args).await,
        Command::Check(args) => check::run(args).await,
        Command::Healthcheck(args) => healthcheck::run(args).await,
        Command::Completions(args) => completions::run(&args),
    };
    done.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
}

fn parse(args: Vec<OsString>) -> Result<Cli, clap::Error> {
    let mut command = config::prepare(Cli::command(), &args);
    let matches = command.try_get_matches_from_mut(args)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Reports a failure in one line. A closed stdout (EPIPE) is not an error.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    let io_error = error.downcast_ref::<io::Error>();
    if io_error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }

    complain(&format!("{error:#}"));
    ExitCode::FAILURE
}

/// Writes one line to stderr.
fn complain(message: &str) {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    // Nothing can be done about a closed stderr.
    let _ = writeln!(io::stderr(), "entourage: {line}");
}

/// Writes a sentence for people to stderr, where it is not mixed with the result of the command.
fn say(sentence: &str) {
    // Nothing can be done about a closed stderr.
    let _ = writeln!(io::stderr(), "{sentence}");
}

/// Writes a result to stdout.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Starts logging to stderr, and first reports the variables that look like settings but are not.
fn log(logging: &Logging, default_filter: &str) -> anyhow::Result<()> {
    let filter = logging.filter.as_deref().unwrap_or(default_filter);
    let is_terminal = io::stderr().is_terminal();
    let default_format = if is_terminal { LogFormat::Pretty } else { LogFormat::Json };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(filter)?)
        .with_writer(io::stderr)
        .with_ansi(is_terminal);
    match logging.format.unwrap_or(default_format) {
        LogFormat::Pretty => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_span_list(false).try_init(),
    }
    .map_err(anyhow::Error::from_boxed)
    .context("cannot start logging")?;

    for (name, similar) in config::unknown_variables(&command(), config::variables()) {
        let hint = match similar {
            Some(setting) => format!("did you mean {setting}?"),
            None => "see `entourage serve --help`".to_owned(),
        };
        tracing::warn!("{name} is not a setting: {hint}");
    }
    Ok(())
}
