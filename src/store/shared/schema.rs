//! The state of the schema: the migrations that a database has applied, compared with those of this
//! program.

use sqlx::{Database, Pool};

use super::super::{
    Db,
    maintenance::schema::{MIGRATOR, TABLES},
};
use crate::store::{
    SchemaState,
    sql::maintenance::{APPLIED, TEST_WRITE},
    statement::{query, query_as},
};

pub(crate) async fn state(
    connection: &mut <Db as Database>::Connection,
) -> sqlx::Result<SchemaState> {
    let (listed, occupied) = query_as(TABLES).fetch_one(&mut *connection).await?;
    let applied: Vec<(i64, Vec<u8>)> =
        if listed { query_as(APPLIED).fetch_all(connection).await? } else { Vec::new() };
    Ok(compare(&applied, occupied))
}

/// The state of a database that has applied these migrations: their numbers and the checksums of
/// their texts. `occupied` says whether it has tables besides the list of migrations.
fn compare(applied: &[(i64, Vec<u8>)], occupied: bool) -> SchemaState {
    let text_of = |version| MIGRATOR.iter().find(|m| m.version == version);
    let needed = MIGRATOR.iter().map(|m| m.version).max().unwrap_or(0);

    let Some(found) = applied.iter().map(|(version, _)| *version).max() else {
        return if occupied { SchemaState::Foreign } else { SchemaState::Empty };
    };
    let ours = applied.iter().filter_map(|(version, sum)| Some((text_of(*version)?, sum)));
    let (same, changed): (Vec<_>, Vec<_>) = ours.partition(|(m, sum)| *m.checksum == ***sum);

    if same.is_empty() || !changed.is_empty() {
        SchemaState::Foreign
    } else if same.len() < applied.len() {
        SchemaState::Newer { found, needed }
    } else if same.len() < MIGRATOR.iter().count() {
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

pub(super) async fn test_write(pool: Pool<Db>) -> sqlx::Result<()> {
    query(TEST_WRITE).execute(&pool).await.map(drop)
}
