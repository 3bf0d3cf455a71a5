//! `entourage export`: users and follows in files that `entourage import` reads back.

use std::io;

use super::{
    complain,
    database::{self, Migrate},
    import::one_of,
    say,
};
use crate::{
    config::{Database, Logging},
    transfer::{Format, export},
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print all users, by id
    ///
    /// `entourage import users` reads them back. Hashes of passwords are left out.
    Users(Args),
    /// Print all follows, by the ids of both users
    ///
    /// `entourage import follows --by id` reads them back.
    Follows(Args),
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Format of the output
    #[arg(
        long = "format",
        id = "file_format",
        value_name = "FORMAT",
        default_value = "csv",
        value_parser = one_of(Format::ALL, Format::name)
    )]
    format: Format,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    logging: Logging,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let (Command::Users(args) | Command::Follows(args)) = &command;
    super::log(&args.logging, "error")?;
    let store = database::open(&args.database, Migrate::Never).await?;
    let mut exported = store.export().await?;
    let (out, format) = (io::stdout().lock(), args.format);
    let (rows, what) = match &command {
        Command::Users(_) => {
            let (rows, suspended) = export::users(&mut *exported, format, out).await?;
            if suspended > 0 {
                complain(&format!(
                    "{suspended} of the users are suspended, and an import will not know that: \
                     `entourage user list --suspended` lists them"
                ));
            }
            (rows, "users")
        }
        Command::Follows(_) => (export::follows(&mut *exported, format, out).await?, "follows"),
    };
    drop(exported);
    store.close().await;
    say(&format!("exported {rows} {what}"));
    Ok(())
}
