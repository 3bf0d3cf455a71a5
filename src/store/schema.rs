//! The state of a schema.

use std::fmt;

/// The schema of the database, compared with the one that this program needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// The same.
    Current,
    /// The database has no tables.
    Empty,
    /// Migrations are missing.
    Older {
        /// The last migration of the database.
        found: i64,
        /// The last migration of this program.
        needed: i64,
    },
    /// A newer program has migrated the database, or one of its migrations is not ours.
    Newer {
        /// The last migration of the database.
        found: i64,
        /// The last migration of this program.
        needed: i64,
    },
    /// The database has tables that are not ours.
    Foreign,
}

impl fmt::Display for SchemaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("the schema is that of this program"),
            Self::Empty => f.write_str("the database has no tables"),
            Self::Older { found, needed } | Self::Newer { found, needed } => {
                write!(f, "the schema is of migration {found}, and this program has {needed}")
            }
            Self::Foreign => f.write_str("the database has tables that are not ours"),
        }
    }
}
