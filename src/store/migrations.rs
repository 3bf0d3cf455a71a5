//! The migrations of both engines, as the build script lists them.

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// Runs these migrations, each in a transaction. Numbers, descriptions and checksums are those that
/// sqlx stores in the database.
pub(super) fn migrator(rows: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migrations = rows.iter().map(|&(number, description, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(number, description.into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}
