//! `entourage import`: users and follows of other applications, and lists of single accounts.

use std::{
    fmt::Write,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressStyle};

use super::{
    database::{self, Migrate},
    print, say, user,
};
use crate::{
    config::{self, Database, Logging},
    domain::{Clock, SystemClock},
    service::SystemRandom,
    store::Store,
    transfer::{
        Columns, Format, Mapping, Preset, Table, TableError,
        import::{
            self, Accounts, By, Following, Follows, Ids, ImportError, Importer, ListOptions,
            ListedBy, Options, RejectsMax, Report, Rows, Usernames, Users,
        },
    },
};

/// How often progress is logged where no bar is shown.
const LOG_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Import users
    ///
    /// Columns: `username`, and optionally `external_id` or `id`, `name`, `bio`, `avatar_url`,
    /// `created_at`, `role` and `password_hash`. Existing users are not changed.
    Users(UsersArgs),
    /// Import follows
    ///
    /// Columns: `follower`, `followee` and optionally `followed_at`. Existing follows are not changed. A
    /// follow is not added if one of the users blocks the other.
    Follows(FollowsArgs),
    /// Import the users whom one account follows
    ///
    /// The file is `following_accounts.csv` of Mastodon, `following.js` of an archive of X, or has one
    /// name on a line. Existing follows are not changed, and the new ones begin now. A follow is not
    /// added if one of the users blocks the other.
    Following(FollowingArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct UsersArgs {
    /// What becomes of the column `id`
    ///
    /// `keep` makes it the id in Entourage, `external` makes it the id at the host, `new` ignores it.
    /// The default is `external`, or `keep` if there is also a column `external_id`.
    #[arg(long, value_name = "WAY", value_parser = one_of(Ids::ALL, Ids::name))]
    ids: Option<Ids>,
    /// What becomes of usernames that are invalid or taken
    ///
    /// `refuse` rejects the row. `adapt` gives the user a similar name; a user without a display name
    /// gets the old name as display name.
    #[arg(
        long,
        value_name = "WAY",
        default_value = "refuse",
        value_parser = one_of(Usernames::ALL, Usernames::name)
    )]
    usernames: Usernames,
    /// Role of users whose row has no role
    #[arg(long, value_name = "ROLE", default_value = "user")]
    role: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(super) struct FollowsArgs {
    /// How users are named in the file
    ///
    /// `external` is the id at the host, `id` the id in Entourage.
    #[arg(
        long,
        value_name = "WAY",
        default_value = "external",
        value_parser = one_of(By::ALL, By::name)
    )]
    by: By,
    /// Time of follows whose row has no time, such as 2026-01-31T12:00:00Z
    ///
    /// The default is now.
    #[arg(long, value_name = "TIME")]
    at_missing: Option<DateTime<Utc>>,
    /// Send an event about each follow to subscribers
    #[arg(long)]
    events: bool,
    #[command(flatten)]
    common: Common,
}

/// How long a transaction takes by default.
const CHUNK_TIME: Duration = Duration::from_millis(100);
/// The same where there are no follows yet.
const CHUNK_TIME_AT_FIRST: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(super) struct FollowingArgs {
    /// Username of the account
    #[arg(value_name = "NAME")]
    username: String,
    /// File to read, or `-` for stdin
    file: PathBuf,
    /// How users are named in the file
    ///
    /// `username` also takes names such as `name@DOMAIN`; `external` is the id at the host.
    #[arg(
        long,
        value_name = "WAY",
        default_value = "username",
        value_parser = one_of(ListedBy::ALL, ListedBy::name)
    )]
    by: ListedBy,
    /// Domain of the users who are here
    ///
    /// Names such as `name@DOMAIN` with another domain are rejected.
    #[arg(long, value_name = "DOMAIN", conflicts_with = "accounts")]
    domain: Option<String>,
    /// Table of the usernames of ids in the file
    ///
    /// It has the columns `accountId` and `username`, and a million rows at most.
    #[arg(long, value_name = "CSV")]
    accounts: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// File to read, or `-` for stdin
    file: PathBuf,
    /// Format of the file; by default that of its name or content
    #[arg(
        long = "format",
        id = "file_format",
        value_name = "FORMAT",
        value_parser = one_of(Format::ALL, Format::name)
    )]
    format: Option<Format>,
    /// Application that the file comes from
    #[arg(long, value_name = "NAME", value_parser = one_of(Preset::ALL, |preset| preset.name))]
    preset: Option<Preset>,
    /// Names of columns, such as `username=login,name=title`
    #[arg(long, value_name = "FIELD=COLUMN", value_delimiter = ',', value_parser = pair)]
    map: Vec<(String, String)>,
    #[command(flatten)]
    how: How,
}

/// How to import.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    /// Report what would be done, without changing the database
    #[arg(long)]
    dry_run: bool,
    /// File for rejected rows, with the line and the reason of each
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Fail if any row is rejected, even if `--rejects` takes it
    #[arg(long)]
    strict: bool,
    /// Stop when more rows are rejected: a number, or a percentage of the rows
    #[arg(long, value_name = "N|P%", value_parser = rejects_max)]
    max_rejects: Option<RejectsMax>,
    /// Start at the beginning of the file after an earlier run was interrupted
    #[arg(long)]
    restart: bool,
    /// Duration of a transaction
    ///
    /// Changes of the same users wait that long. The default is 100ms, or 2s if there are no follows yet.
    #[arg(long, value_name = "TIME", value_parser = config::duration)]
    chunk_time: Option<Duration>,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    logging: Logging,
}

/// A parser for one of some values by their names.
pub(super) fn one_of<T: Copy + Send + Sync + 'static, const N: usize>(
    values: [T; N],
    name: impl Fn(T) -> &'static str + Clone + Send + Sync + 'static,
) -> impl TypedValueParser<Value = T> {
    let names = PossibleValuesParser::new(values.map(&name));
    names.try_map(move |text| {
        let found = values.iter().copied().find(|value| name(*value) == text);
        found.ok_or_else(|| anyhow!("unknown: {text}"))
    })
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (field, column) = text.split_once('=').ok_or("write FIELD=COLUMN")?;
    Ok((field.trim().to_owned(), column.trim().to_owned()))
}

fn rejects_max(text: &str) -> Result<RejectsMax, &'static str> {
    const RULE: &str = "write a number such as 100, or a percentage such as 1%";
    match text.strip_suffix('%') {
        Some(percent) => {
            let share = percent.parse().map(|percent: f64| percent / 100.0).map_err(|_| RULE)?;
            if (0.0..=1.0).contains(&share) { Ok(RejectsMax::Share(share)) } else { Err(RULE) }
        }
        None => text.parse().map(RejectsMax::Rows).map_err(|_| RULE),
    }
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let clock = SystemClock;
    match command {
        Command::Users(args) => {
            let UsersArgs { ids, usernames, role, common } = args;
            let (file, store) = common.open().await?;
            let columns = Columns::of_users(file.table.header(), &common.mapping());
            let columns = columns.map_err(|error| common.refused(&error))?;
            let roles = store.roles().await?.into_iter().map(|role| role.name);
            let roles = (role, roles.collect());
            let random = Arc::new(SystemRandom);
            let rows = Users::new(columns.clone(), ids, usernames, roles, clock.now(), random);
            let rows = rows.map_err(|error| anyhow!("{error}"))?;
            let description = columns.description();
            common.how.import(&common.file, &*store, file, &description, rows).await
        }
        Command::Follows(args) => {
            let FollowsArgs { by, at_missing, events, common } = args;
            let (file, store) = common.open().await?;
            let columns = Columns::of_follows(file.table.header(), &common.mapping());
            let columns = columns.map_err(|error| common.refused(&error))?;
            let rows = Follows::new(columns.clone(), by, clock.now(), at_missing, events);
            let description = columns.description();
            common.how.import(&common.file, &*store, file, &description, rows).await
        }
        Command::Following(args) => args.import().await,
    }
}

/// A file that was opened.
struct Opened {
    table: Table,
    hash: Vec<u8>,
}

impl Common {
    /// Opens the file first: an error in it is reported before anything is done to the database.
    async fn open(&self) -> anyhow::Result<(Opened, Arc<dyn Store>)> {
        self.how.log()?;
        let file = Opened::open(
            &self.file,
            || Table::of_stream(io::stdin(), self.format),
            |path| Table::open(path, self.format),
        )?;
        Ok((file, self.how.open().await?))
    }

    fn mapping(&self) -> Mapping {
        Mapping { preset: self.preset, given: self.map.clone() }
    }

    fn refused(&self, reason: &str) -> anyhow::Error {
        anyhow!("{}: {reason}", self.file.display())
    }
}

impl FollowingArgs {
    async fn import(self) -> anyhow::Result<()> {
        let Self { username, file: path, by, domain, accounts, how } = self;
        how.log()?;
        let file = Opened::open(&path, || Table::list_of_stream(io::stdin()), Table::open_list)?;
        if by == ListedBy::External && accounts.is_some() {
            bail!("--accounts has usernames, and --by external looks for ids at the host");
        }
        if file.table.is_archive() && by == ListedBy::Username && accounts.is_none() {
            bail!(
                "{}: an archive of X has ids only: pass --accounts CSV, or --by external",
                path.display()
            );
        }
        let read = |path: PathBuf| {
            Accounts::open(&path).map_err(|reason| anyhow!("{}: {reason}", path.display()))
        };
        let accounts = accounts.map(read).transpose()?;
        let store = how.open().await?;
        let owner = user::find(&*store, &username).await?;
        let description = format!("followed by {}", owner.username);
        let options = ListOptions { by, domain, accounts };
        let rows = Following::new(owner.id, options, SystemClock.now());
        how.import(&path, &*store, file, &description, rows).await
    }
}

impl Opened {
    /// Opens a file, or standard input for `-`.
    fn open(
        path: &Path,
        stdin: impl Fn() -> Result<Table, TableError>,
        file: impl Fn(&Path) -> Result<Table, TableError>,
    ) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self { table: stdin().context("stdin")?, hash: Vec::new() });
        }
        let name = || path.display().to_string();
        let table = file(path).with_context(name)?;
        let hash = if table.length().is_some() { import::hash(path) } else { Ok(Vec::new()) };
        Ok(Self { table, hash: hash.with_context(name)? })
    }
}

impl How {
    fn log(&self) -> anyhow::Result<()> {
        super::log(&self.logging, if io::stderr().is_terminal() { "error" } else { "info" })
    }

    async fn open(&self) -> anyhow::Result<Arc<dyn Store>> {
        let migrate = if self.dry_run { Migrate::Never } else { Migrate::Sqlite };
        database::open(&self.database, migrate).await
    }

    async fn options(&self, store: &dyn Store) -> anyhow::Result<Options> {
        let chunk_time = match self.chunk_time {
            Some(time) => time,
            None if store.export().await?.follows().await?.is_empty() => CHUNK_TIME_AT_FIRST,
            None => CHUNK_TIME,
        };
        Ok(Options {
            is_dry: self.dry_run,
            rejects: self.rejects.clone(),
            restarts: self.restart,
            chunk_time,
            rejects_max: self.max_rejects,
        })
    }

    async fn import<R: Rows>(
        &self,
        path: &Path,
        store: &dyn Store,
        file: Opened,
        description: &str,
        rows: R,
    ) -> anyhow::Result<()> {
        let (clock, begin) = (SystemClock, Instant::now());
        let name = path.display().to_string();
        say(&format!("{name}: {}; {description}", file.table.description()));
        let Opened { table, hash } = file;
        let names = (name.as_str(), hash.as_slice());
        let options = self.options(store).await?;
        let importer = Importer::begin(store, &clock, names, table, rows, options).await;
        let mut importer = importer.map_err(|error| match error {
            ImportError::Io(error) => anyhow!(error).context(self.rejects_name()),
            error => anyhow!(error),
        })?;
        if importer.earlier() > 0 {
            say(&format!("going on after {} rows of an earlier run", importer.earlier()));
        }

        let mut shown = Shown::new(importer.length(), importer.earlier());
        let stopped = loop {
            match importer.step().await {
                Ok(true) => shown.moves(importer.progress()),
                Ok(false) => break None,
                Err(error) => break Some(error),
            }
        };
        shown.bar.finish_and_clear();
        if let Some(error) = stopped {
            let rows = importer.progress().rows();
            store.close().await;
            let may_go_on = importer.length().is_some() && !self.dry_run;
            let goes_on = may_go_on && matches!(&error, ImportError::Io(_) | ImportError::Store(_));
            let hint = if goes_on { "; the same command goes on from there" } else { "" };
            return Err(anyhow!(error).context(format!("stopped after {rows} rows{hint}")));
        }
        let report = importer.finish(&clock).await?;
        store.close().await;
        self.report(&name, &report, begin.elapsed())
    }

    fn rejects_name(&self) -> String {
        self.rejects.as_ref().map_or_else(String::new, |path| path.display().to_string())
    }

    /// Prints what was done. Rejected rows are a failure, unless a file took them.
    fn report(&self, name: &str, report: &Report, took: Duration) -> anyhow::Result<()> {
        let progress = &report.progress;
        let (rows, loaded) = (progress.rows(), progress.loaded);
        let verb = if self.dry_run { "would be loaded" } else { "loaded" };
        let (present, rejected) = (progress.present, progress.rejected);
        let mut text = format!(
            "{name}: {rows} rows in {:.1} s: {loaded} {verb}, {present} there already, {rejected} \
             rejected\n",
            took.as_secs_f64()
        );
        if report.adapted > 0 {
            writeln!(text, "{} usernames were adapted", report.adapted)?;
        }
        for (reason, count) in report.rejects.counts() {
            writeln!(text, "{count:>10}  {reason}")?;
        }
        print(&text)?;

        let hint = match &self.rejects {
            _ if rejected == 0 => return Ok(()),
            Some(_) if !self.strict => return Ok(()),
            Some(path) => format!("see {}", path.display()),
            None => "--rejects FILE takes them".to_owned(),
        };
        let unknown =
            report.rejects.counts().iter().any(|(reason, _)| reason.starts_with("no such"));
        let order = if unknown { "; are all users imported, and is --by right?" } else { "" };
        bail!("{rejected} rows were rejected: {hint}{order}")
    }
}

/// The progress that people see.
struct Shown {
    bar: ProgressBar,
    begin: Instant,
    logged: Instant,
    earlier: i64,
}

impl Shown {
    fn new(length: Option<u64>, earlier: i64) -> Self {
        let bar = match length {
            Some(length) => ProgressBar::new(length),
            None => ProgressBar::no_length(),
        };
        // The template is constant; if it were invalid, the default bar would be shown.
        let template = "{wide_bar} {msg}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let now = Instant::now();
        Self { bar, begin: now, logged: now, earlier }
    }

    fn moves(&mut self, progress: &crate::domain::ImportProgress) {
        let rows = progress.rows();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "a rate for people to read"
        )]
        let rate = ((rows - self.earlier) as f64 / self.begin.elapsed().as_secs_f64()) as i64;
        let rejected = progress.rejected;
        self.bar.set_position(u64::try_from(progress.position).unwrap_or_default());
        self.bar.set_message(format!("{rows} rows, {rate}/s, {rejected} rejected"));
        if self.bar.is_hidden() && self.logged.elapsed() >= LOG_EVERY {
            self.logged = Instant::now();
            tracing::info!(rows, rows_per_second = rate, rejected, "importing");
        }
    }
}
