//! Imports: the rows of a table are loaded chunk by chunk, and each chunk is one transaction with how
//! far the import has got. So an import that is interrupted goes on where it has stopped, and one
//! that is repeated finds its rows and changes nothing.
//!
//! **Invariant:** every row is loaded, there already, or rejected with a reason. What becomes of a row
//! depends on the rows before it, and not on where chunks begin; only which number an adapted username
//! gets may.

mod following;
mod follows;
mod turns;
mod users;

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{self, SHA256};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

use self::turns::Turns;
pub use self::{
    following::{Accounts, Following, ListOptions, ListedBy},
    follows::{By, Follows},
    users::{Ids, Usernames, Users},
};
use super::{
    rejects::{Reject, Rejects},
    table::{Table, Values},
};
use crate::{
    domain::{Clock, Import, ImportKind, ImportProgress},
    store::{self, Checkpoint, Store},
};

/// The number of rows of the first chunk. The time that it takes decides about the next.
const CHUNK_FIRST: usize = 500;
const CHUNK_MIN: usize = 50;
const CHUNK_MAX: usize = 20_000;
/// After so many rows the statistics are collected, and then whenever there are four times as many.
const COLLECTS_FIRST: i64 = 500;
/// What is wrong if an import goes on with other rejected rows.
pub(super) const OTHER_REJECTS: &str = "--rejects is not the file of the run that was interrupted; \
    use that one, or --restart";
/// How often a chunk is tried.
const TRIES_MAX: usize = 1_000;
/// Below this number of rows, a share of rejected ones says little.
const SHARE_OF_ROWS_MIN: i64 = 1_000;

/// How to import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether nothing is written but the file of rejected rows.
    pub is_dry: bool,
    /// Where rejected rows are written to.
    pub rejects: Option<PathBuf>,
    /// Whether to start at the beginning of the file, even if an earlier import of it was interrupted.
    pub restarts: bool,
    /// How long a transaction should take: others wait that long for the rows in it.
    pub chunk_time: Duration,
    /// When to stop.
    pub rejects_max: Option<RejectsMax>,
}

/// The most rows that may be rejected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RejectsMax {
    /// A number of rows.
    Rows(i64),
    /// A share of the rows, between 0 and 1.
    Share(f64),
}

impl RejectsMax {
    #[expect(clippy::cast_precision_loss, reason = "a share of rows")]
    fn is_exceeded(self, progress: &ImportProgress) -> bool {
        match self {
            Self::Rows(most) => progress.rejected > most,
            Self::Share(most) => {
                progress.rows() >= SHARE_OF_ROWS_MIN
                    && progress.rejected as f64 > most * progress.rows() as f64
            }
        }
    }
}

impl Eq for RejectsMax {}

/// What an import did.
#[derive(Debug)]
pub struct Report {
    /// All rows, with those of earlier runs of the same import.
    pub progress: ImportProgress,
    /// The rows of earlier runs.
    pub earlier: i64,
    /// The rejected rows of this run.
    pub rejects: Rejects,
    /// The usernames that were adapted in this run.
    pub adapted: u64,
}

/// Why an import has stopped. It can go on.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Too many rows were rejected.
    #[error("{rejected} of {rows} rows were rejected, more than --max-rejects allows")]
    TooManyRejects {
        /// The rejected rows.
        rejected: i64,
        /// All rows so far.
        rows: i64,
    },
    /// Another run goes on with the same import.
    #[error("another run of this import is running")]
    OtherRun,
}

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is loaded.
    Loaded,
    /// It is loaded with another username, as the text says.
    Adapted(String),
    /// It is there already.
    Present,
    /// It cannot be taken, for a reason.
    Rejected(String),
}

/// The rows of a kind of file.
#[expect(async_fn_in_trait, reason = "no caller needs bounds on the futures")]
pub trait Rows {
    /// A row whose values were read.
    type Parsed;
    /// A row that can be written.
    type Row: Clone;
    /// What the store says of a row.
    type Outcome: Clone + PartialEq;

    /// What is in the file.
    const KIND: ImportKind;

    /// What decides about rows besides the file.
    fn options(&self) -> String;

    /// Reads the values of a row.
    ///
    /// # Errors
    /// Why they cannot be taken.
    fn parse(&mut self, values: &Values) -> Result<Self::Parsed, String>;

    /// Looks up what rows refer to; a row that refers to nothing has a reason instead.
    ///
    /// # Errors
    /// If the store fails.
    async fn look_up(
        &mut self,
        store: &dyn Store,
        parsed: Vec<Self::Parsed>,
    ) -> store::Result<Vec<Result<Self::Row, String>>>;

    /// The outcome of a row that is new.
    fn expected(&self) -> Self::Outcome;

    /// Writes rows with a checkpoint if the outcomes are as expected, and returns the outcomes; `None`
    /// if another run goes on with the import.
    ///
    /// # Errors
    /// If the store fails.
    async fn write(
        &self,
        store: &dyn Store,
        rows: &[Self::Row],
        expected: &[Self::Outcome],
        checkpoint: Option<Checkpoint>,
    ) -> store::Result<Option<Vec<Self::Outcome>>>;

    /// Changes the rows that could be loaded in another form, and expects them to be new.
    fn adapt(&mut self, rows: &mut [Self::Row], outcomes: &mut [Self::Outcome]);

    /// What becomes of a row. In a dry run, which writes nothing, the rows before it are remembered.
    fn verdict(&mut self, row: &Self::Row, outcome: &Self::Outcome, is_dry: bool) -> Verdict;
}

/// A row of a chunk.
struct Entry<T> {
    line: u64,
    values: Vec<String>,
    row: Result<T, String>,
    /// How much of the file is done after it.
    position: u64,
    lines: u64,
}

/// An import in progress.
pub struct Importer<'a, R> {
    store: &'a dyn Store,
    table: Table,
    rows: R,
    options: Options,
    import: Import,
    earlier: i64,
    rejects: Rejects,
    adapted: u64,
    /// The number of rows of the next chunk.
    size: usize,
    turns: Turns,
    /// How many rows this run loads before it next has the statistics collected.
    collects_at: i64,
}

impl<'a, R: Rows> Importer<'a, R> {
    /// Begins the import of a file with a hash, or goes on with an earlier one.
    ///
    /// # Errors
    /// If the store fails, or the file of rejected rows cannot be written.
    pub async fn begin(
        store: &'a dyn Store,
        clock: &dyn Clock,
        (file, hash): (&str, &[u8]),
        mut table: Table,
        rows: R,
        options: Options,
    ) -> Result<Self, ImportError> {
        let started_at = clock.now();
        // Each stream is an import of its own.
        let stream = started_at.to_rfc3339();
        let hash = if table.length().is_some() { hash } else { stream.as_bytes() };
        let mut import = Import {
            id: id(R::KIND, hash, &rows.options()),
            kind: R::KIND,
            file: file.to_owned(),
            progress: ImportProgress::default(),
            started_at,
            finished_at: None,
        };
        if !options.is_dry {
            let found = store.register_import(&import).await?;
            let may_go_on = found.finished_at.is_none() && table.length().is_some();
            if may_go_on && !options.restarts && found.progress.position > 0 {
                import.progress = found.progress;
                table.go_on(unsigned(found.progress.position), unsigned(found.progress.lines))?;
            }
        }
        let goes_on = import.progress.position > 0;
        let rejects = match &options.rejects {
            Some(path) => {
                let length = unsigned(import.progress.rejects_length);
                Rejects::to_file(path, table.header(), goes_on.then_some(length))?
            }
            None if import.progress.rejects_length > 0 => {
                return Err(io::Error::other(OTHER_REJECTS).into());
            }
            None => Rejects::default(),
        };
        if !options.is_dry && !goes_on {
            store.restart_import(&import.id, import.started_at).await?;
        }
        import.progress.rejects_length = signed(rejects.length()?);
        let earlier = import.progress.rows();
        let (adapted, size, turns) = (0, CHUNK_FIRST, Turns::begin(store).await?);
        let collects_at = import.progress.loaded + COLLECTS_FIRST;
        Ok(Self {
            store,
            table,
            rows,
            options,
            import,
            earlier,
            rejects,
            adapted,
            size,
            turns,
            collects_at,
        })
    }

    /// How far it has got.
    #[must_use]
    pub const fn progress(&self) -> &ImportProgress {
        &self.import.progress
    }

    /// The rows of earlier runs.
    #[must_use]
    pub const fn earlier(&self) -> i64 {
        self.earlier
    }

    /// The number of bytes of the file; `None` for a stream.
    #[must_use]
    pub const fn length(&self) -> Option<u64> {
        self.table.length()
    }

    /// Loads the next chunk; returns whether there was one.
    ///
    /// # Errors
    /// Why it has to stop. What was loaded stays.
    pub async fn step(&mut self) -> Result<bool, ImportError> {
        let began = Instant::now();
        let mut entries = self.read().await?;
        if entries.is_empty() {
            return Ok(false);
        }
        // A stack of the parts that are left, the first rows on top.
        let mut parts = vec![entries.as_mut_slice()];
        while let Some(part) = parts.pop() {
            match self.load(part).await {
                Ok(()) => {}
                // The database refuses some row: bisection finds it.
                Err(ImportError::Store(store::Error::Conflict(_))) if part.len() > 1 => {
                    let (first, second) = part.split_at_mut(part.len() / 2);
                    parts.extend([second, first]);
                }
                Err(ImportError::Store(error @ store::Error::Conflict(_))) => {
                    part[0].row = Err(format!("the database refuses it: {error}"));
                    parts.push(part);
                }
                Err(error) => return Err(error),
            }
        }
        let took = began.elapsed();
        let most = if self.options.is_dry { None } else { self.turns.give(self.store).await? };
        self.steer(entries.len(), took, most);
        if self.progress().loaded >= self.collects_at && !self.options.is_dry {
            self.store.collect_statistics().await?;
            self.collects_at = self.progress().loaded.saturating_mul(4);
        }
        let progress = self.progress();
        if self.options.rejects_max.is_some_and(|most| most.is_exceeded(progress)) {
            let (rejected, rows) = (progress.rejected, progress.rows());
            return Err(ImportError::TooManyRejects { rejected, rows });
        }
        Ok(true)
    }

    /// Ends the import after its last chunk.
    ///
    /// # Errors
    /// If the store fails, or another run has started the import over.
    pub async fn finish(self, clock: &dyn Clock) -> Result<Report, ImportError> {
        let (progress, earlier) = (self.import.progress, self.earlier);
        if !self.options.is_dry
            && !self.store.finish_import(&self.import.id, clock.now(), progress).await?
        {
            return Err(ImportError::OtherRun);
        }
        Ok(Report { progress, earlier, rejects: self.rejects, adapted: self.adapted })
    }

    /// Reads the rows of the next chunk, and looks up what they refer to.
    async fn read(&mut self) -> Result<Vec<Entry<R::Row>>, ImportError> {
        let (mut entries, mut parsed) = (Vec::with_capacity(self.size), Vec::new());
        while entries.len() < self.size {
            let Some(row) = self.table.next_row()? else { break };
            let (position, lines) = (self.table.position(), self.table.lines());
            let (values, row_or_reason) = match row.values {
                Ok(values) => {
                    let are_kept = self.rejects.are_kept();
                    let kept = if are_kept { values.all(self.table.header()) } else { Vec::new() };
                    (kept, self.rows.parse(&values).map(|row| parsed.push(row)))
                }
                Err(reason) => (Vec::new(), Err(reason)),
            };
            entries.push(Entry { line: row.line, values, row: row_or_reason, position, lines });
        }

        let mut found = self.rows.look_up(self.store, parsed).await?.into_iter();
        let missing = || Err("not looked up".to_owned());
        let looked_up = entries.into_iter().map(|entry| {
            let Entry { line, values, row, position, lines } = entry;
            let row = row.and_then(|()| found.next().unwrap_or_else(missing));
            Entry { line, values, row, position, lines }
        });
        Ok(looked_up.collect())
    }

    /// Loads rows in one transaction with how far the import has got.
    async fn load(&mut self, entries: &[Entry<R::Row>]) -> Result<(), ImportError> {
        let rows = entries.iter().filter_map(|entry| entry.row.as_ref().ok());
        let mut rows: Vec<_> = rows.cloned().collect();
        let mut expected = vec![self.rows.expected(); rows.len()];
        let is_dry = self.options.is_dry;
        // Outcomes can only differ again if others change the same rows at the same moment.
        for _ in 0..TRIES_MAX {
            let checkpoint = if is_dry {
                None
            } else {
                let (progress, notes) = self.settled(entries, &rows, &expected)?;
                let (import, from) = (self.import.id.clone(), self.import.progress);
                Some((Checkpoint { import, from, progress }, notes))
            };
            let save = checkpoint.as_ref().map(|(checkpoint, _)| checkpoint.clone());
            let outcomes = self.rows.write(self.store, &rows, &expected, save).await?;
            let mut outcomes = outcomes.ok_or(ImportError::OtherRun)?;
            if outcomes == expected {
                let (progress, notes) = match checkpoint {
                    Some((checkpoint, notes)) => (checkpoint.progress, notes),
                    None => self.settled(entries, &rows, &expected)?,
                };
                self.import.progress = progress;
                self.adapted += notes.iter().filter(|note| !note.is_rejected).count() as u64;
                self.rejects.count(&notes);
                return Ok(());
            }
            self.rows.adapt(&mut rows, &mut outcomes);
            expected = outcomes;
        }
        Err(store::Error::Unavailable("others keep changing the same rows".into()).into())
    }

    /// How far the import has got with these outcomes, and the rows to note, which are written to the
    /// file of rejected rows.
    fn settled(
        &mut self,
        entries: &[Entry<R::Row>],
        rows: &[R::Row],
        outcomes: &[R::Outcome],
    ) -> Result<(ImportProgress, Vec<Reject>), ImportError> {
        let (mut progress, mut notes) = (self.import.progress, Vec::new());
        let mut written = rows.iter().zip(outcomes);
        for Entry { line, values, row, position, lines } in entries {
            let verdict = match row {
                Err(reason) => Verdict::Rejected(reason.clone()),
                Ok(_) => match written.next() {
                    Some((row, outcome)) => self.rows.verdict(row, outcome, self.options.is_dry),
                    None => Verdict::Rejected("not written".to_owned()),
                },
            };
            let note = |reason, is_rejected| Reject {
                line: *line,
                reason,
                values: values.clone(),
                is_rejected,
            };
            match verdict {
                Verdict::Loaded => progress.loaded += 1,
                Verdict::Adapted(reason) => {
                    progress.loaded += 1;
                    notes.push(note(reason, false));
                }
                Verdict::Present => progress.present += 1,
                Verdict::Rejected(reason) => {
                    progress.rejected += 1;
                    notes.push(note(reason, true));
                }
            }
            (progress.position, progress.lines) = (signed(*position), signed(*lines));
        }
        let before = unsigned(self.import.progress.rejects_length);
        progress.rejects_length = signed(self.rejects.write(before, &notes)?);
        Ok((progress, notes))
    }

    /// Adjusts the size of chunks to the time that one took, and to the most that the next may take.
    fn steer(&mut self, count: usize, took: Duration, most: Option<Duration>) {
        let target = self.options.chunk_time.min(most.unwrap_or(Duration::MAX)).as_secs_f64();
        let factor = (target / took.as_secs_f64().max(1e-6)).clamp(0.01, 2.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a number of rows, which is bounded"
        )]
        let size = (count as f64 * factor) as usize;
        self.size = size.clamp(CHUNK_MIN, CHUNK_MAX);
    }
}

impl<R> fmt::Debug for Importer<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Importer").field("import", &self.import).finish_non_exhaustive()
    }
}

/// The id of an import: a hash of everything that decides what becomes of the rows.
fn id(kind: ImportKind, file: &[u8], options: &str) -> String {
    let text = [kind.name().as_bytes(), b"\n", options.as_bytes(), b"\n", file].concat();
    BASE64.encode(digest::digest(&SHA256, &text))
}

/// The hash of a file.
///
/// # Errors
/// If it cannot be read.
pub fn hash(path: &Path) -> io::Result<Vec<u8>> {
    let (mut file, mut context) = (File::open(path)?, digest::Context::new(&SHA256));
    let mut part = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut part)?;
        if read == 0 {
            return Ok(context.finish().as_ref().to_vec());
        }
        context.update(&part[..read]);
    }
}

/// A length for the database, whose numbers are signed.
fn signed(length: u64) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn unsigned(length: i64) -> u64 {
    u64::try_from(length).unwrap_or_default()
}
