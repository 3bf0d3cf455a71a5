//! What an import of a file saves.

use crate::domain::ImportProgress;

/// How far an import has got, to be saved in the transaction that loads its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The id of the import.
    pub import: String,
    /// How far it had got before these rows. If it is elsewhere, another run goes on with it.
    pub from: ImportProgress,
    /// How far it has got with these rows.
    pub progress: ImportProgress,
}
