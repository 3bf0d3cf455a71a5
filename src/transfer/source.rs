//! Where a table is read from, and what its beginning tells.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use super::table::{ROW_MAX, TableError};

/// Where a table is read from.
pub(super) enum Source {
    File(BufReader<File>),
    Stream(Box<dyn BufRead + Send>),
    Memory(io::Cursor<Vec<u8>>),
}

impl Source {
    pub(super) fn reader(&mut self) -> &mut dyn BufRead {
        match self {
            Self::File(file) => file,
            Self::Stream(stream) => &mut **stream,
            Self::Memory(text) => text,
        }
    }

    /// Opens a file, and returns its length. A pipe has none: it cannot be read again from a position.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<u64>), TableError> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(TableError::Folder);
        }
        Ok(if metadata.is_file() {
            (Self::File(BufReader::new(file)), Some(metadata.len()))
        } else {
            (Self::Stream(Box::new(BufReader::new(file))), None)
        })
    }

    /// The first line, and where it begins after a byte order mark.
    pub(super) fn head(&mut self) -> Result<(Vec<u8>, usize), TableError> {
        let mut head = Vec::new();
        self.reader().take(ROW_MAX as u64).read_until(b'\n', &mut head)?;
        if head.is_empty() {
            return Err(TableError::Empty);
        }
        if let Some(other) = other_format(&head) {
            return Err(TableError::OtherFormat(other));
        }
        let mark = if head.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        Ok((head, mark))
    }

    /// The same source, after the first bytes of what was read from it.
    pub(super) fn back(self, read: &[u8], after: usize) -> io::Result<Self> {
        Ok(match self {
            Self::File(mut file) => {
                file.seek(SeekFrom::Start(after as u64))?;
                Self::File(file)
            }
            Self::Stream(stream) => {
                Self::Stream(Box::new(io::Cursor::new(read[after..].to_vec()).chain(stream)))
            }
            Self::Memory(mut text) => {
                text.set_position(after as u64);
                Self::Memory(text)
            }
        })
    }
}

/// What a file is that is no text in UTF-8, by its first bytes.
fn other_format(head: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 6] = [
        (b"\x1F\x8B", "compressed: decompress it first, `gunzip -c FILE | entourage import … -`"),
        (b"PK\x03\x04", "a ZIP archive: unpack it first"),
        (b"SQLite format 3\0", "a SQLite database: export its tables, see docs/moving-in.md"),
        (b"\xFF\xFE", "in UTF-16: convert it to UTF-8 first"),
        (b"\xFE\xFF", "in UTF-16: convert it to UTF-8 first"),
        (b"PGDMP", "a dump of PostgreSQL: export its tables, see docs/moving-in.md"),
    ];
    KNOWN.into_iter().find(|(start, _)| head.starts_with(start)).map(|(_, what)| what)
}
