//! Comparing the migrations that a database has applied with those of this program.

use sqlx::migrate::Migrator;

use crate::store::SchemaState;

/// A migration that a database has applied: its number and the checksum of its text.
pub(crate) type Applied = (i64, Vec<u8>);

/// The state of a database. `occupied` says whether it has tables besides the list of migrations.
pub(crate) fn state(migrator: &Migrator, applied: &[Applied], occupied: bool) -> SchemaState {
    let text_of = |version| migrator.iter().find(|m| m.version == version);
    let needed = migrator.iter().map(|m| m.version).max().unwrap_or(0);

    let Some(found) = applied.iter().map(|(version, _)| *version).max() else {
        return if occupied { SchemaState::Foreign } else { SchemaState::Empty };
    };
    let ours = applied.iter().filter_map(|(version, sum)| Some((text_of(*version)?, sum)));
    let (same, changed): (Vec<_>, Vec<_>) = ours.partition(|(m, sum)| *m.checksum == ***sum);

    if same.is_empty() || !changed.is_empty() {
        SchemaState::Foreign
    } else if same.len() < applied.len() {
        SchemaState::Newer { found, needed }
    } else if same.len() < migrator.iter().count() {
        SchemaState::Older { found, needed }
    } else {
        SchemaState::Current
    }
}

/// Why a database in this state must not be migrated; `None` if it may be.
pub(crate) fn refusal(state: SchemaState) -> Option<String> {
    match state {
        SchemaState::Empty | SchemaState::Current | SchemaState::Older { .. } => None,
        SchemaState::Newer { found, needed } => Some(format!(
            "its schema is at migration {found}, and this program knows none after {needed}"
        )),
        SchemaState::Foreign => Some("it has tables that are not Entourage's".to_owned()),
    }
}
