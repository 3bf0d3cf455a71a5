//! Tables: CSV (RFC 4180) and JSON Lines, read row by row.
//!
//! A row that cannot be read is reported with its line, and the rows after it are read all the same.

use std::{
    collections::HashMap,
    fmt,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use csv_core::ReadRecordResult;
use serde_json::Value;

use super::{columns::Column, list, source::Source};

/// The most bytes of a row. Longer ones are reported, and not held in memory.
pub(super) const ROW_MAX: usize = 1 << 20;
/// The most columns of a table.
const COLUMNS_MAX: usize = 1_000;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values, or those separated by semicolons or tabs.
    Csv,
    /// A JSON object in each line.
    Jsonl,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Csv, Self::Jsonl];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }

    /// The format of a file by its name.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "csv" | "tsv" | "txt" => Some(Self::Csv),
            "jsonl" | "ndjson" | "json" => Some(Self::Jsonl),
            _ => None,
        }
    }
}

/// Why a file is not a table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It cannot be read.
    #[error("cannot read it")]
    Unreadable(#[from] io::Error),
    /// It is a folder.
    #[error("it is a folder")]
    Folder,
    /// It has no rows.
    #[error("it is empty")]
    Empty,
    /// It is in a format that is not read.
    #[error("it is {0}")]
    OtherFormat(&'static str),
    /// It begins as an archive of X, but is not a list of follows.
    #[error("it is not a list of an archive of X: {0}")]
    Archive(String),
    /// Its first line cannot be read.
    #[error("line {line}: {reason}")]
    Header {
        /// The line.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// A row, or why it could not be read.
#[derive(Debug)]
pub struct Row {
    /// The line where it begins.
    pub line: u64,
    /// The values.
    pub values: Result<Values, String>,
}

/// The values of a row.
#[derive(Debug)]
pub enum Values {
    /// In the order of the columns.
    Csv(Vec<String>),
    /// By the names of the columns.
    Jsonl(HashMap<String, Value>),
}

impl Values {
    /// The value in a column; `None` if it is empty.
    pub(super) fn get(&self, column: &Column) -> Option<String> {
        match self {
            Self::Csv(fields) => fields.get(column.place).filter(|text| !text.is_empty()).cloned(),
            Self::Jsonl(_) => self.named(&column.name),
        }
    }

    /// The value of this name in a row of JSON Lines.
    pub(super) fn named(&self, name: &str) -> Option<String> {
        let Self::Jsonl(fields) = self else { return None };
        match fields.get(name)? {
            Value::Null => None,
            Value::String(text) => (!text.is_empty()).then(|| text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// The values in the order of the columns, as they were.
    pub(super) fn all(&self, header: &[String]) -> Vec<String> {
        match self {
            Self::Csv(fields) => fields.clone(),
            Self::Jsonl(fields) => {
                let text = |value: &Value| match value {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                header.iter().map(|name| fields.get(name).map_or_else(String::new, text)).collect()
            }
        }
    }
}

/// A table that is being read.
pub struct Table {
    source: Source,
    format: Format,
    csv: csv_core::Reader,
    header: Vec<String>,
    delimiter: u8,
    /// Whether its rows are the ids of an archive of X.
    is_archive: bool,
    /// How many bytes were read.
    position: u64,
    /// How many lines were read.
    lines: u64,
    length: Option<u64>,
}

impl Table {
    /// Opens a file.
    ///
    /// # Errors
    /// If it is not a table.
    pub fn open(path: &Path, format: Option<Format>) -> Result<Self, TableError> {
        let (source, length) = Source::open(path)?;
        Self::new(source, length, format.or_else(|| Format::of_path(path)))
    }

    /// Opens a list of users: CSV with or without a header, or `following.js` of an archive of X, whose
    /// rows are ids. Without a header there are no names of columns.
    ///
    /// # Errors
    /// If it is not such a list.
    pub fn open_list(path: &Path) -> Result<Self, TableError> {
        let (source, length) = Source::open(path)?;
        Self::list(source, length)
    }

    /// Reads such a list from a stream, from which an import cannot go on.
    ///
    /// # Errors
    /// If it is not such a list.
    pub fn list_of_stream(stream: impl Read + Send + 'static) -> Result<Self, TableError> {
        Self::list(Source::Stream(Box::new(BufReader::new(stream))), None)
    }

    /// Reads a stream, from which an import cannot go on.
    ///
    /// # Errors
    /// If it is not a table.
    pub fn of_stream(
        stream: impl Read + Send + 'static,
        format: Option<Format>,
    ) -> Result<Self, TableError> {
        Self::new(Source::Stream(Box::new(BufReader::new(stream))), None, format)
    }

    fn list(mut source: Source, length: Option<u64>) -> Result<Self, TableError> {
        let (head, mark) = source.head()?;
        let mut source = source.back(&head, mark)?;
        let head = &head[mark..];
        if list::is_archive(head) {
            let ids = list::ids_of_archive(source.reader())?.map_err(TableError::Archive)?;
            let length = length.and(Some(ids.len() as u64));
            let mut table = Self::bare(Source::Memory(io::Cursor::new(ids)), b"", 0, length);
            table.is_archive = true;
            return Ok(table);
        }
        let mut table = Self::bare(source, head, mark, length);
        if list::is_of_muted_users(head) {
            return Err(TableError::OtherFormat("a list of muted users"));
        }
        if list::has_header(head) {
            table.header = table.read_header(head)?;
        }
        Ok(table)
    }

    fn new(
        mut source: Source,
        length: Option<u64>,
        format: Option<Format>,
    ) -> Result<Self, TableError> {
        let (head, mark) = source.head()?;
        let is_object = head[mark..].trim_ascii_start().starts_with(b"{");
        let format = format.unwrap_or(if is_object { Format::Jsonl } else { Format::Csv });
        let mut table = Self::bare(source.back(&head, mark)?, &head[mark..], mark, length);
        table.format = format;
        table.header = table.read_header(&head[mark..])?;
        Ok(table)
    }

    /// A table in CSV that has no header yet.
    fn bare(source: Source, head: &[u8], mark: usize, length: Option<u64>) -> Self {
        let delimiter = delimiter(head);
        let csv = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        let (header, position, lines) = (Vec::new(), mark as u64, 0);
        let (format, is_archive) = (Format::Csv, false);
        Self { source, format, csv, header, delimiter, is_archive, position, lines, length }
    }

    /// The names of the columns. Those of JSON Lines are the keys of the first row, which is also
    /// read as a row.
    fn read_header(&mut self, head: &[u8]) -> Result<Vec<String>, TableError> {
        let refused = |line| move |reason| TableError::Header { line, reason };
        match self.format {
            Format::Csv => {
                let row = self.next_row()?.ok_or(TableError::Empty)?;
                let values = row.values.map_err(refused(row.line))?;
                Ok(values.all(&[]).iter().map(|name| name.trim().to_owned()).collect())
            }
            Format::Jsonl => {
                let row = serde_json::from_slice::<serde_json::Map<_, Value>>(head);
                let row = row.map_err(|_| refused(1)("it is not a JSON object".to_owned()))?;
                Ok(row.into_iter().map(|(name, _)| name).collect())
            }
        }
    }

    /// The names of the columns.
    #[must_use]
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// How the table was understood, for people.
    #[must_use]
    pub fn description(&self) -> String {
        let format = match (self.format, self.delimiter) {
            (Format::Jsonl, _) => "JSON Lines",
            (Format::Csv, b';') => "CSV, separated by semicolons",
            (Format::Csv, b'\t') => "CSV, separated by tabs",
            (Format::Csv, _) => "CSV",
        };
        if self.is_archive {
            return "a list of an archive of X".to_owned();
        }
        if self.header.is_empty() {
            return format!("{format} without a header");
        }
        format!("{format} with the columns {}", self.header.join(", "))
    }

    /// Whether its rows are the ids of an archive of X.
    #[must_use]
    pub const fn is_archive(&self) -> bool {
        self.is_archive
    }

    /// The number of bytes that were read.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// The number of lines that were read.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// The number of bytes of the file; `None` for a stream.
    #[must_use]
    pub const fn length(&self) -> Option<u64> {
        self.length
    }

    /// Goes on where an earlier reading has stopped.
    ///
    /// # Errors
    /// If that is not possible.
    pub fn go_on(&mut self, position: u64, lines: u64) -> io::Result<()> {
        match &mut self.source {
            Source::File(file) => drop(file.seek(SeekFrom::Start(position))?),
            Source::Memory(text) => text.set_position(position),
            Source::Stream(_) => {
                return Err(io::Error::new(io::ErrorKind::Unsupported, "it is a stream"));
            }
        }
        self.csv = csv_core::ReaderBuilder::new().delimiter(self.delimiter).build();
        (self.position, self.lines) = (position, lines);
        Ok(())
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn next_row(&mut self) -> io::Result<Option<Row>> {
        if !self.skip_line_breaks()? {
            return Ok(None);
        }
        let line = self.lines + 1;
        let values = match self.format {
            Format::Csv => self.next_csv()?,
            Format::Jsonl => self.next_jsonl()?,
        };
        Ok(Some(Row { line, values }))
    }

    /// Skips empty lines; returns whether anything follows.
    fn skip_line_breaks(&mut self) -> io::Result<bool> {
        loop {
            let Some(byte) = self.source.reader().fill_buf()?.first().copied() else {
                return Ok(false);
            };
            if !matches!(byte, b'\r' | b'\n') {
                return Ok(true);
            }
            self.took(1, u64::from(byte == b'\n'));
        }
    }

    /// Consumes bytes.
    fn took(&mut self, bytes: usize, lines: u64) {
        self.source.reader().consume(bytes);
        self.position += bytes as u64;
        self.lines += lines;
    }

    fn next_csv(&mut self) -> io::Result<Result<Values, String>> {
        let (mut output, mut ends) = (vec![0; 512], vec![0; 32]);
        let (mut written, mut columns) = (0, 0);
        let mut is_too_long = false;
        self.csv.reset();
        let is_closed = loop {
            let input = self.source.reader().fill_buf()?;
            // The end of the file also ends the row, unless quotes are open.
            let is_end = input.is_empty();
            let input = if is_end { b"\n" } else { input };
            let (result, read, out, found) =
                self.csv.read_record(input, &mut output[written..], &mut ends[columns..]);
            let breaks = count(&input[..read], b'\n') as u64;
            (written, columns) = (written + out, columns + found);
            if !is_end {
                self.took(read, breaks);
            }
            match result {
                ReadRecordResult::Record | ReadRecordResult::End => break true,
                ReadRecordResult::InputEmpty if is_end => break false,
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull
                    if is_too_long || output.len() >= ROW_MAX || ends.len() >= COLUMNS_MAX =>
                {
                    // The rest is read over.
                    is_too_long = true;
                    (written, columns) = (0, 0);
                }
                ReadRecordResult::OutputFull => output.resize(output.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => ends.resize(ends.len() * 2, 0),
            }
        };
        if !is_closed {
            return Ok(Err("quotes are not closed".to_owned()));
        }
        if is_too_long {
            return Ok(Err(too_long()));
        }
        let Ok(text) = std::str::from_utf8(&output[..written]) else {
            return Ok(Err("not UTF-8".to_owned()));
        };
        let mut start = 0;
        let fields = ends[..columns].iter().map(|end| {
            let field = text.get(start..*end).map(str::to_owned);
            start = *end;
            field
        });
        let Some(fields) = fields.collect::<Option<Vec<_>>>() else {
            return Ok(Err("not UTF-8".to_owned()));
        };
        let expected = self.header.len();
        if expected > 0 && columns != expected {
            return Ok(Err(format!("{columns} columns instead of {expected}")));
        }
        Ok(without_nul(text).map(|()| Values::Csv(fields)))
    }

    fn next_jsonl(&mut self) -> io::Result<Result<Values, String>> {
        let mut row = Vec::new();
        let mut is_too_long = false;
        loop {
            let input = self.source.reader().fill_buf()?;
            if input.is_empty() {
                break;
            }
            let end = input.iter().position(|byte| *byte == b'\n');
            let part = &input[..end.unwrap_or(input.len())];
            is_too_long |= row.len() + part.len() > ROW_MAX;
            if is_too_long {
                row.clear();
            } else {
                row.extend_from_slice(part);
            }
            let read = part.len() + usize::from(end.is_some());
            self.took(read, u64::from(end.is_some()));
            if end.is_some() {
                break;
            }
        }
        if is_too_long {
            return Ok(Err(too_long()));
        }
        let Ok(text) = std::str::from_utf8(&row) else { return Ok(Err("not UTF-8".to_owned())) };
        let fields = serde_json::from_str::<HashMap<String, Value>>(text);
        Ok(match fields {
            Ok(fields) if text.contains("\\u0000") => {
                without_nul("\0").map(|()| Values::Jsonl(fields))
            }
            Ok(fields) => without_nul(text).map(|()| Values::Jsonl(fields)),
            Err(_) => Err("not a JSON object".to_owned()),
        })
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("header", &self.header).finish_non_exhaustive()
    }
}

fn too_long() -> String {
    format!("longer than {ROW_MAX} bytes; are quotes not closed?")
}

/// One of the databases has no NUL in texts.
fn without_nul(text: &str) -> Result<(), String> {
    if text.contains('\0') { Err("contains a NUL character".to_owned()) } else { Ok(()) }
}

/// The delimiter that is most frequent in the first line.
fn delimiter(head: &[u8]) -> u8 {
    let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    // The last of equals wins.
    let delimiters = [b'\t', b';', b','].into_iter();
    delimiters.max_by_key(|delimiter| count(first, *delimiter)).unwrap_or(b',')
}

fn count(bytes: &[u8], byte: u8) -> usize {
    bytes.split(|other| *other == byte).count() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<(u64, Result<Vec<String>, String>)> {
        let mut table = Table::of_stream(io::Cursor::new(text.to_vec()), None).expect("a table");
        let header = table.header().to_vec();
        let mut rows = Vec::new();
        while let Some(row) = table.next_row().expect("reads") {
            rows.push((row.line, row.values.map(|values| values.all(&header))));
        }
        rows
    }

    fn row(line: u64, fields: &[&str]) -> (u64, Result<Vec<String>, String>) {
        (line, Ok(fields.iter().map(|field| (*field).to_owned()).collect()))
    }

    fn bad(line: u64, reason: &str) -> (u64, Result<Vec<String>, String>) {
        (line, Err(reason.to_owned()))
    }

    #[test]
    fn rows_have_the_lines_where_they_begin() {
        let rows = read(b"a,b\r\n1,2\r\n\r\n\"x\r\ny\",\"say \"\"hi\"\"\"\r\n3,4");
        assert_eq!(
            rows,
            [row(2, &["1", "2"]), row(4, &["x\r\ny", "say \"hi\""]), row(6, &["3", "4"])]
        );
    }

    #[test]
    fn a_row_that_cannot_be_read_does_not_hide_the_next() {
        let rows = read(b"a,b\n1\n2,3,4\n\xFF,5\na\0,6\n7,8\n");
        assert_eq!(
            rows,
            [
                bad(2, "1 columns instead of 2"),
                bad(3, "3 columns instead of 2"),
                bad(4, "not UTF-8"),
                bad(5, "contains a NUL character"),
                row(6, &["7", "8"]),
            ]
        );
        let mut long = b"a,b\n\"".to_vec();
        long.resize(3 * ROW_MAX, b'x');
        long.extend(b"\",1\n7,8\n");
        assert_eq!(read(&long), [bad(2, &too_long()), row(3, &["7", "8"])]);
    }

    #[test]
    fn open_quotes_at_the_end_are_reported() {
        assert_eq!(read(b"a,b\n1,\"2\n3,4\n"), [bad(2, "quotes are not closed")]);
    }

    #[test]
    fn delimiters_and_formats_are_recognized() {
        for text in [&b"a;b\n1;2\n"[..], b"a\tb\n1\t2\n", b"\xEF\xBB\xBFa,b\n1,2\n"] {
            assert_eq!(read(text), [row(2, &["1", "2"])]);
        }
        let rows = read(b"{\"a\":1,\"b\":\"x\"}\n\n[]\n{\"b\":null,\"c\":2}\n{\"a\":\"\\u0000\"}");
        assert_eq!(
            rows,
            [
                row(1, &["1", "x"]),
                bad(3, "not a JSON object"),
                row(4, &["", ""]),
                bad(5, "contains a NUL character"),
            ]
        );
        for (text, expected) in [
            (&b""[..], "it is empty"),
            (b"\x1F\x8B\x08", "it is compressed"),
            (b"\xFF\xFEa\0", "it is in UTF-16"),
            (b"a,\xFF\n", "line 1: not UTF-8"),
        ] {
            let refused = Table::of_stream(io::Cursor::new(text.to_vec()), None).unwrap_err();
            assert!(refused.to_string().starts_with(expected), "{refused}");
        }
    }
}
