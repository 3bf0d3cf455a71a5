//! The file of rejected rows: the line, the reason and the values of each.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::Path,
};

use super::import::OTHER_REJECTS;

/// Rejected rows, counted by reason, and written to a file if there is one.
#[derive(Debug, Default)]
pub struct Rejects {
    file: Option<File>,
    counts: BTreeMap<String, u64>,
}

/// A rejected row.
#[derive(Clone, Debug)]
pub(super) struct Reject {
    pub(super) line: u64,
    pub(super) reason: String,
    pub(super) values: Vec<String>,
    /// Otherwise the row is loaded, but not as it was.
    pub(super) is_rejected: bool,
}

impl Rejects {
    /// Writes to a file: from the length on that it had when an import was interrupted, or from its
    /// beginning, with a header.
    ///
    /// # Errors
    /// If the file cannot be written, another process is writing it, or it is not that of the
    /// interrupted import.
    pub fn to_file(path: &Path, header: &[String], goes_on: Option<u64>) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(path)?;
        // The lock goes with the process. A pipe or a device may have many writers.
        let metadata = file.metadata()?;
        if metadata.is_file() && matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(io::Error::other("another import is writing it"));
        }
        let found = metadata.len();
        if goes_on.is_some_and(|length| length == 0 || found < length) {
            return Err(io::Error::other(OTHER_REJECTS));
        }
        file.set_len(goes_on.unwrap_or_default())?;
        if goes_on.is_none() {
            let header = ["line", "reason"].into_iter().chain(header.iter().map(String::as_str));
            let mut writer = csv::Writer::from_writer(&mut file);
            writer.write_record(header)?;
            writer.flush()?;
        }
        Ok(Self { file: Some(file), counts: BTreeMap::new() })
    }

    /// The number of bytes of the file; 0 without one.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub(super) fn length(&self) -> io::Result<u64> {
        self.file.as_ref().map_or(Ok(0), |file| Ok(file.metadata()?.len()))
    }

    /// Writes the rejected rows of a chunk after those up to a position, and returns the length of the
    /// file after them.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(super) fn write(&mut self, position: u64, rejects: &[Reject]) -> io::Result<u64> {
        let Some(file) = &mut self.file else { return Ok(0) };
        if file.metadata()?.len() != position {
            file.set_len(position)?;
        }
        if rejects.is_empty() {
            return Ok(position);
        }
        file.seek(SeekFrom::Start(position))?;
        let mut writer =
            csv::WriterBuilder::new().flexible(true).from_writer(BufWriter::new(&*file));
        for reject in rejects {
            let line = reject.line.to_string();
            let columns = [line.as_str(), &reject.reason].into_iter();
            writer.write_record(columns.chain(reject.values.iter().map(String::as_str)))?;
        }
        writer.flush()?;
        drop(writer);
        file.flush()?;
        self.length()
    }

    /// Counts the rejected rows of a chunk that is loaded.
    pub(super) fn count(&mut self, rejects: &[Reject]) {
        for reject in rejects.iter().filter(|reject| reject.is_rejected) {
            *self.counts.entry(reject.reason.clone()).or_default() += 1;
        }
    }

    /// How many rows were rejected for which reason, the most frequent first.
    #[must_use]
    pub fn counts(&self) -> Vec<(&str, u64)> {
        let mut counts: Vec<_> =
            self.counts.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }

    /// Whether they are written to a file.
    #[must_use]
    pub const fn are_kept(&self) -> bool {
        self.file.is_some()
    }
}
