//! `entourage export`: users and follows in files that `entourage import` reads back, and the lists of
//! single accounts.

use std::{io, sync::Arc};

use anyhow::bail;

use super::{
    complain,
    database::{self, Migrate},
    import::one_of,
    say, user,
};
use crate::{
    config::{Database, Logging},
    domain::{Clock, SystemClock},
    store::{Export, Store},
    transfer::{
        Format,
        export::{self, AccountList, ListForm},
    },
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
    /// Print the users whom an account follows, newest first
    ///
    /// `entourage import following` reads CSV back, as follows of the time of the import.
    Following(ListArgs),
    /// Print the followers of an account, newest first
    Followers(ListArgs),
    /// Print the users whom an account blocks, newest first
    ///
    /// As the account sees them: without users who block the account.
    Blocks(ListArgs),
    /// Print the users whom an account has muted, newest first
    ///
    /// As the account sees them: without users who block the account.
    Mutes(ListArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Username of the account
    #[arg(value_name = "NAME")]
    username: String,
    /// Format of the output; `mastodon` is what Mastodon imports
    #[arg(
        long = "format",
        id = "list_format",
        value_name = "FORMAT",
        default_value = "csv",
        value_parser = one_of(ListFormat::ALL, ListFormat::name)
    )]
    format: ListFormat,
    /// Domain of the users in the format of Mastodon: `name@DOMAIN`
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    logging: Logging,
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
    match command {
        Command::Users(args) => {
            let (store, mut exported) = args.begin().await?;
            let (rows, suspended) =
                export::users(&mut *exported, args.format, io::stdout().lock()).await?;
            if suspended > 0 {
                complain(&format!(
                    "{suspended} of the users are suspended, and an import will not know that: \
                     `entourage user list --suspended` lists them"
                ));
            }
            drop(exported);
            store.close().await;
            say(&format!("exported {rows} users"));
        }
        Command::Follows(args) => {
            let (store, mut exported) = args.begin().await?;
            let rows = export::follows(&mut *exported, args.format, io::stdout().lock()).await?;
            drop(exported);
            store.close().await;
            say(&format!("exported {rows} follows"));
        }
        Command::Following(args) => args.print(AccountList::Following).await?,
        Command::Followers(args) => args.print(AccountList::Followers).await?,
        Command::Blocks(args) => args.print(AccountList::Blocks).await?,
        Command::Mutes(args) => args.print(AccountList::Mutes).await?,
    }
    Ok(())
}

impl Args {
    async fn begin(&self) -> anyhow::Result<(Arc<dyn Store>, Box<dyn Export>)> {
        super::log(&self.logging, "error")?;
        let store = database::open(&self.database, Migrate::Never).await?;
        let exported = store.export().await?;
        Ok((store, exported))
    }
}

impl ListArgs {
    /// Prints a list.
    async fn print(self, list: AccountList) -> anyhow::Result<()> {
        let Self { username, format, domain, database, logging } = self;
        super::log(&logging, "error")?;
        let form = match (format, domain) {
            (ListFormat::Mastodon, None) => bail!("--format mastodon needs --domain"),
            (ListFormat::Mastodon, Some(_)) if list == AccountList::Followers => {
                bail!("Mastodon has no file of followers: use another --format")
            }
            (ListFormat::Mastodon, Some(domain)) => {
                ListForm::Mastodon { domain, now: SystemClock.now() }
            }
            (_, Some(_)) => bail!("--domain is for --format mastodon"),
            (ListFormat::Csv, None) => ListForm::Table(Format::Csv),
            (ListFormat::Jsonl, None) => ListForm::Table(Format::Jsonl),
        };
        let store = database::open(&database, Migrate::Never).await?;
        let owner = user::find(&*store, &username).await?.id;
        let mut exported = store.export().await?;
        let out = io::stdout().lock();
        let rows = export::list(&mut *exported, owner, list, &form, out).await?;
        drop(exported);
        store.close().await;
        say(&format!("exported {rows} users"));
        if matches!(form, ListForm::Mastodon { .. }) && rows > export::MASTODON_ROWS_MAX {
            let most = export::MASTODON_ROWS_MAX;
            complain(&format!("Mastodon imports no more than {most} rows of a file"));
        }
        Ok(())
    }
}

/// The format of a list on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListFormat {
    Mastodon,
    Csv,
    Jsonl,
}

impl ListFormat {
    const ALL: [Self; 3] = [Self::Mastodon, Self::Csv, Self::Jsonl];

    const fn name(self) -> &'static str {
        match self {
            Self::Mastodon => "mastodon",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }
}
