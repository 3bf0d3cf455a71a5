//! The file of the database, looked at from outside: SQLite itself does not notice that its file was
//! replaced, cut short, or copied over.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// The beginning of a database: <https://www.sqlite.org/fileformat2.html#the_database_header>.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_BYTES: usize = 100;

/// A file as it was when it was opened.
#[derive(Clone, Debug)]
pub(super) struct Witness {
    path: PathBuf,
    identity: (u64, u64),
    /// The highest change counter so far. A checkpoint raises it or leaves it.
    changes: Arc<AtomicU32>,
}

/// What was found at the path.
struct Seen {
    identity: (u64, u64),
    is_database: bool,
    changes: u32,
    /// Fewer bytes than the pages of the header.
    is_short: bool,
}

impl Witness {
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let Seen { identity, changes, .. } = look(path)?;
        let changes = Arc::new(AtomicU32::new(changes));
        Ok(Self { path: path.to_owned(), identity, changes })
    }

    /// What is wrong with the file; `None` if it is the one that was opened, and not older.
    pub(super) fn damage(&self) -> Option<&'static str> {
        let Ok(seen) = look(&self.path) else {
            return Some("the file is missing or cannot be read");
        };
        if seen.identity != self.identity {
            return Some("the file was replaced by another");
        }
        if !seen.is_database {
            return Some("the file is no longer a SQLite database");
        }
        if seen.is_short {
            return Some("the file was cut short");
        }
        if self.changes.fetch_max(seen.changes, Ordering::AcqRel) > seen.changes {
            return Some("an older copy was written over the file");
        }
        None
    }
}

fn look(path: &Path) -> io::Result<Seen> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut header = Vec::with_capacity(HEADER_BYTES);
    file.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut header)?;
    let identity = (metadata.dev(), metadata.ino());
    // A new file is empty until the first checkpoint.
    if header.len() < HEADER_BYTES {
        return Ok(Seen { identity, is_database: header.is_empty(), changes: 0, is_short: false });
    }

    let number = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    // 1 stands for 65,536, which does not fit into the two bytes.
    let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    Ok(Seen {
        identity,
        is_database: header.starts_with(MAGIC),
        changes: number(24),
        is_short: metadata.len() < u64::from(number(28)) * page_bytes,
    })
}
