//! PostgreSQL as operators set it up: hostile defaults of a role, several hosts, a database that is
//! not what the program needs.

use std::time::Duration;

use entourage::{
    domain::{FollowLimits, UserId},
    store::{self, ConnectError, Error, Metered, Options, SchemaState, Store},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::task::JoinSet;

use super::{ALICE, assert_sound, at, faults::on_postgres, four_users, new_user, users};
use crate::support::{
    cluster::Cluster,
    database::{Database, Engine},
    figures::until,
    follow::{FOLLOWED, FollowOne},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a test with the URL and the name of a role that owns nothing. The role is dropped.
async fn as_role(database: &Database, test: impl AsyncFnOnce(&str, &str)) {
    let (server, name) = database.url.rsplit_once('/').unwrap();
    let role = format!("{name}_role");
    database.execute(&format!("CREATE ROLE {role} LOGIN")).await;
    let (_, host) = server.rsplit_once('@').unwrap();
    test(&format!("postgres://{role}@{host}/{name}"), &role).await;
    database.execute(&format!("DROP OWNED BY {role}")).await;
    database.execute(&format!("DROP ROLE {role}")).await;
}

async fn refusal(url: &str, options: Options) -> String {
    let refused = store::connect(url, options).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Unusable(_)), "{refused:?}");
    refused.to_string()
}

#[tokio::test]
async fn defaults_of_a_role_do_not_break_writes() {
    on_postgres(async |database| {
        as_role(database, async |url, role| {
            users(database.store(), 101).await;
            database.execute(&format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")).await;
            for setting in [
                "default_transaction_isolation = 'serializable'",
                "default_transaction_deferrable = on",
                "lock_timeout = '1ms'",
                "idle_session_timeout = '100ms'",
                "idle_in_transaction_session_timeout = '1ms'",
                "standard_conforming_strings = off",
                "bytea_output = 'escape'",
                "timezone = 'Asia/Kathmandu'",
                "datestyle = 'German'",
            ] {
                database.execute(&format!("ALTER ROLE {role} SET {setting}")).await;
            }
            let store = store::connect(url, Options::default()).await.unwrap();
            let mut follows = JoinSet::new();
            for id in 2..=101 {
                let store = store.clone();
                follows.spawn(async move {
                    store.follow(UserId(id), ALICE, at(id), FollowLimits::NONE).await
                });
            }
            for outcome in follows.join_all().await {
                assert_eq!(outcome.unwrap(), FOLLOWED);
            }
            assert_sound(&*store).await;
            store.close().await;
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_role_without_privileges_is_refused_with_the_grant() {
    on_postgres(async |database| {
        as_role(database, async |url, role| {
            let line = refusal(url, Options::default()).await;
            assert!(line.contains("may not read and write all tables"), "{line}");
            let grant = format!("ON ALL TABLES IN SCHEMA public TO {role}");
            assert!(line.ends_with(&grant), "{line}");
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_role_that_may_not_create_tables_gets_the_grant() {
    Database::empty(Engine::Postgres)
        .await
        .run(async |database| {
            as_role(database, async |url, role| {
                database.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC").await;
                let store = store::connect(url, Options::default()).await.unwrap();
                let refused = store.migrate().await.unwrap_err().to_string();
                let grant = format!("GRANT CREATE ON SCHEMA public TO {role}");
                assert!(refused.ends_with(&grant), "{refused}");
                store.close().await;
            })
            .await;
        })
        .await;
}

#[tokio::test]
async fn a_database_in_another_encoding_is_refused() {
    Database::empty(Engine::Postgres)
        .await
        .run(async |database| {
            let (server, name) = database.url.rsplit_once('/').unwrap();
            let latin = format!("{name}_latin");
            database
                .execute(&format!(
                    "CREATE DATABASE {latin} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
                ))
                .await;
            let line = refusal(&format!("{server}/{latin}"), Options::default()).await;
            database.execute(&format!("DROP DATABASE {latin} WITH (FORCE)")).await;
            assert!(line.ends_with("LATIN1: create it with ENCODING 'UTF8'"), "{line}");
        })
        .await;
}

#[tokio::test]
async fn a_pool_larger_than_the_server_is_refused() {
    on_postgres(async |database| {
        let options = Options { connections_max: 9_000, ..Options::default() };
        let line = refusal(&database.url, options).await;
        assert!(line.contains("set ENTOURAGE_DATABASE_CONNECTIONS_MAX to "), "{line}");
    })
    .await;
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_not_ready() {
    on_postgres(async |database| {
        let (_, name) = database.url.rsplit_once('/').unwrap();
        let read_only = "SET default_transaction_read_only = on";
        database.execute(&format!("ALTER DATABASE {name} {read_only}")).await;
        let store = database.another_store().await;

        let refused = store.ping().await.unwrap_err();
        assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
        assert!(refused.to_string().contains("default_transaction_read_only is on"), "{refused}");
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_failed_write_makes_the_next_check_write() {
    on_postgres(async |database| {
        four_users(database.store()).await;
        let store = Metered::new(database.another_store().await);
        let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
                      $$ BEGIN RAISE EXCEPTION 'disk full' USING ERRCODE = '53100'; END $$";
        database.execute(refuse).await;
        database
            .execute(
                "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON users \
                 FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
            )
            .await;
        store.ping().await.unwrap();

        store.create_user(&new_user(UserId(50), "erin")).await.unwrap_err();
        let refused = store.ping().await.unwrap_err();
        assert!(refused.to_string().contains("disk full"), "{refused}");
        database.execute("DROP TRIGGER refuse ON users").await;
        store.ping().await.unwrap();
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn the_pool_follows_the_host_that_takes_writes() {
    let cluster = Cluster::start().await;
    let mut first = PgConnection::connect(&cluster.url).await.unwrap();
    // Tells the two servers apart.
    for sql in ["CREATE TABLE recipes (id int)"] {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut first).await.unwrap();
    }
    let database = Database::empty(Engine::Postgres).await;
    database
        .run(async |database| {
            let (server, _) = database.url.rsplit_once('/').unwrap();
            let (_, second) = server.rsplit_once('@').unwrap();
            let (_, host) = cluster.url.rsplit_once('@').unwrap();
            let host = host.trim_end_matches("/postgres");
            let url = format!("postgres://postgres@127.0.0.1:1,{host},{second}/postgres");
            let options = Options { acquire_timeout: Duration::from_secs(3), ..Options::default() };
            let store = store::connect(&url, options).await.unwrap();
            assert_eq!(store.schema_state().await.unwrap(), SchemaState::Foreign);

            for sql in
                ["ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"]
            {
                sqlx::query(AssertSqlSafe(sql)).execute(&mut first).await.unwrap();
            }
            until(PATIENCE, "the other host is in use", async || {
                let state = store.schema_state().await;
                matches!(state, Ok(SchemaState::Empty)) && store.ping().await.is_ok()
            })
            .await;
            store.close().await;
        })
        .await;
}
