//! Migrations: both folders in step, and every state of a schema.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use entourage::{
    domain::{Audience, NewUser, UserSearch},
    store::{Error, SchemaState},
};
use tokio::{task::JoinSet, time::timeout};

use super::{ALICE, assert_sound, create, new_user};
use crate::support::{
    database::{Database, Engine},
    figures::until,
};

/// Makes a test of each case on each engine, on an empty database.
macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        cases! { @engine sqlite Sqlite, $($case)+ }
        cases! { @engine postgres Postgres, $($case)+ }
    };
    (@engine $module:ident $engine:ident, $($case:ident)+) => {
        mod $module {
            use super::{Database, Engine};
            $(
                #[tokio::test]
                async fn $case() {
                    let database = Database::empty(Engine::$engine).await;
                    database.run(async |database| super::$case(database).await).await;
                }
            )+
        }
    };
}

cases! {
    an_empty_database_is_migrated,
    migrating_twice_changes_nothing,
    a_database_with_a_missing_migration_is_older,
    migrating_fills_what_users_are_searched_by,
    a_database_with_an_unknown_migration_stays_as_it_is,
    a_changed_migration_makes_a_database_foreign,
    a_database_with_foreign_tables_stays_as_it_is,
    eight_concurrent_migrations_migrate_once,
}

fn files(engine: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
    let name =
        |file: std::io::Result<std::fs::DirEntry>| file.unwrap().file_name().into_string().unwrap();
    std::fs::read_dir(folder).unwrap().map(name).collect()
}

/// The number of the last migration.
fn needed() -> i64 {
    i64::try_from(files("sqlite").len()).unwrap()
}

#[test]
fn migrations_have_the_same_names_and_no_gaps() {
    let sqlite = files("sqlite");

    assert_eq!(sqlite, files("postgres"));
    for (number, name) in (1..).zip(&sqlite) {
        let snake_case = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let middle = name.strip_prefix(&format!("{number:04}_")).unwrap();
        assert!(middle.strip_suffix(".sql").unwrap().chars().all(snake_case), "{name}");
    }
}

async fn state(database: &Database) -> SchemaState {
    database.store.schema_state().await.unwrap()
}

async fn assert_refused(database: &Database) {
    let refused = database.store.migrate().await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
}

async fn an_empty_database_is_migrated(database: &Database) {
    assert_eq!(state(database).await, SchemaState::Empty);

    database.store.migrate().await.unwrap();

    assert_eq!(state(database).await, SchemaState::Current);
    create(database.store(), ALICE, "alice").await;
    assert_sound(database.store()).await;
}

async fn migrating_twice_changes_nothing(database: &Database) {
    database.store.migrate().await.unwrap();
    create(database.store(), ALICE, "alice").await;

    database.store.migrate().await.unwrap();

    assert_eq!(state(database).await, SchemaState::Current);
    assert_eq!(database.store.users_by_ids(Audience::EVERYBODY, &[ALICE]).await.unwrap().len(), 1);
}

async fn a_database_with_a_missing_migration_is_older(database: &Database) {
    database.store.migrate().await.unwrap();
    database.undo_last_migration().await;

    let older = SchemaState::Older { found: needed() - 1, needed: needed() };
    assert_eq!(state(database).await, older);

    database.store.migrate().await.unwrap();
    assert_eq!(state(database).await, SchemaState::Current);
}

async fn migrating_fills_what_users_are_searched_by(database: &Database) {
    database.store.migrate().await.unwrap();
    let name = Some("Ada Lovelace".to_owned());
    let ada = NewUser { name, ..new_user(ALICE, "ada") };
    database.store.create_user(&ada).await.unwrap();
    database.execute("DELETE FROM name_prefixes").await;
    database.undo_last_migration().await;

    database.store.migrate().await.unwrap();

    let search = UserSearch::parse("love").unwrap();
    assert_eq!(database.store.count_users(Audience::EVERYBODY, &search).await.unwrap(), 1);
    assert_sound(database.store()).await;
}

async fn a_database_with_an_unknown_migration_stays_as_it_is(database: &Database) {
    database.store.migrate().await.unwrap();
    let add = "INSERT INTO _sqlx_migrations \
                 (version, description, success, checksum, execution_time) \
               SELECT 500, 'of tomorrow', success, checksum, 1 FROM _sqlx_migrations \
               WHERE version = 1";
    database.execute(add).await;

    let newer = SchemaState::Newer { found: 500, needed: needed() };
    assert_eq!(state(database).await, newer);
    assert_refused(database).await;
    assert_eq!(state(database).await, newer);
}

async fn a_changed_migration_makes_a_database_foreign(database: &Database) {
    database.store.migrate().await.unwrap();
    let swap = "UPDATE _sqlx_migrations SET checksum = \
                  (SELECT checksum FROM _sqlx_migrations WHERE version = 1) WHERE version = 3";
    database.execute(swap).await;

    assert_eq!(state(database).await, SchemaState::Foreign);
    assert_refused(database).await;
}

async fn a_database_with_foreign_tables_stays_as_it_is(database: &Database) {
    database.execute("CREATE TABLE users (id int)").await;

    assert_eq!(state(database).await, SchemaState::Foreign);
    assert_refused(database).await;

    // Nothing was created: without the foreign table the database is empty again.
    database.execute("DROP TABLE users").await;
    assert_eq!(state(database).await, SchemaState::Empty);
}

async fn eight_concurrent_migrations_migrate_once(database: &Database) {
    let mut stores = Vec::new();
    for _ in 0..8 {
        stores.push(database.another_store().await);
    }

    let migrate = |store: std::sync::Arc<dyn entourage::store::Store>| async move {
        store.migrate().await.unwrap();
        assert_eq!(store.schema_state().await.unwrap(), SchemaState::Current);
        store.close().await;
    };
    stores.into_iter().map(migrate).collect::<JoinSet<_>>().join_all().await;

    assert_eq!(state(database).await, SchemaState::Current);
    assert_sound(database.store()).await;
}

/// A transaction that has read a table holds up a migration of it. Statements that come later are
/// held up only for as long as the migration waits at a time.
#[tokio::test]
async fn readers_go_on_while_a_migration_waits_for_its_table() {
    const PATIENCE: Duration = Duration::from_secs(20);
    let database = Database::empty(Engine::Postgres).await;
    database
        .run(async |database| {
            database.store.migrate().await.unwrap();
            database.execute("ALTER TABLE follow_counts DROP COLUMN muting").await;
            database.execute("DELETE FROM _sqlx_migrations WHERE version = 24").await;
            let mut holder = database.postgres_connection().await;
            for sql in ["BEGIN", "SELECT count(*) FROM follow_counts"] {
                sqlx::query(sql).execute(&mut holder).await.unwrap();
            }

            let store = Arc::clone(&database.store);
            let migration = tokio::spawn(async move { store.migrate().await });
            let mut reader = database.postgres_connection().await;
            until(PATIENCE, "the migration waits", async || {
                let waits = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity \
                             WHERE query LIKE '%ALTER TABLE follow_counts%' \
                             AND wait_event_type = 'Lock' AND datname = current_database())";
                sqlx::query_scalar(waits).fetch_one(&mut reader).await.unwrap()
            })
            .await;
            for _ in 0..5 {
                let read = sqlx::query("SELECT count(*) FROM follow_counts").execute(&mut reader);
                timeout(PATIENCE, read).await.expect("it is not held up").unwrap();
            }
            assert!(!migration.is_finished(), "the transaction is still open");

            sqlx::query("COMMIT").execute(&mut holder).await.unwrap();
            migration.await.unwrap().unwrap();
            assert_eq!(state(database).await, SchemaState::Current);
        })
        .await;
}

#[tokio::test]
async fn eight_processes_can_create_one_sqlite_file() {
    let database = Database::empty(Engine::Sqlite).await;
    let url = format!("{}.fresh", database.url);
    let open = |url: String| async move {
        let store = entourage::store::connect(&url, entourage::store::Options::default()).await;
        let store = store.unwrap();
        store.migrate().await.unwrap();
        store.close().await;
    };

    (0..8).map(|_| open(url.clone())).collect::<JoinSet<_>>().join_all().await;

    database.run(async |_| ()).await;
}
