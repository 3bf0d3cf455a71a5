//! Files of users and follows: reading those of other applications, and writing our own.
//!
//! A file is a table in CSV or JSON Lines (`table`, `source`), whose columns are guessed or named
//! (`columns`), or a list of the users whom one account follows (`list`).
//! `import` loads its rows in chunks, `export` writes them. `account` writes everything of one account.
//!
//! **Invariant:** no file is held in memory: at most the rows of a chunk are, each of a bounded size. An
//! archive of X is, up to a bound.

mod account;
mod columns;
pub mod export;
pub mod import;
mod list;
mod rejects;
mod source;
mod table;
mod values;

pub use account::AccountFile;
pub use columns::{Column, Columns, Mapping, Preset};
pub use rejects::Rejects;
pub use table::{Format, Row, Table, TableError, Values};
