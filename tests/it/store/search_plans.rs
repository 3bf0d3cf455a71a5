//! A search by username reads a page, however many users match.

use entourage::{
    domain::{NewUser, UserId},
    store::{Graph, Store},
};
use sqlx::{AssertSqlSafe, Row};

use super::{
    cases, new_user,
    statements::{generic_plan, postgres_with_our_settings, statement},
};
use crate::support::database::{Database, Engine};

cases! {
    ;
    database:
    a_page_of_a_search_reads_no_more_than_it_shows,
}

/// Users who all match `u` by their username, and `ann` by their name.
async fn many_matches(store: &dyn Store, n: i64) {
    let user = |id| {
        let name = Some("Ann Lee".to_owned());
        NewUser { name, ..new_user(UserId(id), &format!("u{id:06}")) }
    };
    let users = (1..=n).map(user).collect();
    store.load(Graph { users, follows: Vec::new() }, &|_| {}).await.unwrap();
}

async fn a_page_of_a_search_reads_no_more_than_it_shows(database: &Database) {
    many_matches(database.store(), 3_000).await;
    for name in ["FIRST_FOUND", "LAST_FOUND"] {
        let sql = statement(database.engine(), &format!("search::{name}"));
        match database.engine() {
            Engine::Sqlite => check_sqlite_plan(database, sql).await,
            Engine::Postgres => check_postgres_plan(database, sql).await,
        }
    }
}

/// Every candidate is found between two bounds of an index.
async fn check_sqlite_plan(database: &Database, sql: &str) {
    let mut connection = database.sqlite_connection().await;
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();

    assert!(!plan.iter().any(|line| line.starts_with("SCAN c")), "{plan:#?}");
    let searches: Vec<_> = plan.iter().filter(|line| line.starts_with("SEARCH c ")).collect();
    assert_eq!(searches.len(), 6, "a page and what lies at both bounds, twice: {plan:#?}");
    for line in searches {
        assert!(line.contains("(username_key>") || line.contains("(prefix=? AND user"), "{line}");
    }
}

async fn check_postgres_plan(database: &Database, sql: &str) {
    let mut connection = postgres_with_our_settings(database).await;
    for (word, others) in [("u", "{}"), ("ann", "{}"), ("ann", "{lee}"), ("u", "{ann}")] {
        for (low, high) in [("", "~"), ("u001500", "~"), ("", "u001500"), ("zz", "~"), ("", "a")] {
            let arguments = format!(
                "21, true, true, '{low}', '{high}', '{word}', '{word}~', '{others}', NULL, NULL"
            );
            let plan = generic_plan(&mut connection, sql, &arguments).await;

            let text = plan.join("\n");
            let reads = plan.iter().filter(|line| line.contains("Scan") && line.contains("rows="));
            for line in
                reads.filter(|line| line.contains(" on users ") || line.contains(" on name_"))
            {
                let actual = line.split("(actual").nth(1).unwrap_or_default();
                let rows = actual.split("rows=").nth(1).and_then(|rows| rows.split(' ').next());
                let rows: f64 = rows.unwrap_or("0").parse().unwrap();
                assert!(rows <= 42.0, "{arguments}: {line}\nin {text}");
            }
            for table in ["users", "name_prefixes"] {
                assert!(!text.contains(&format!("Seq Scan on {table}")), "{text}");
            }
            let removed = |line: &&String| line.contains("Rows Removed by Filter");
            assert!(!plan.iter().any(|line| removed(&line)), "{arguments}: {text}");
        }
    }
}
