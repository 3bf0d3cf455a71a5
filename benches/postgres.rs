//! A database for a bench.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::support::Result;

/// An empty database on the server of `tests/postgres.sh`.
pub(crate) async fn make_postgres_database() -> Result<String> {
    #[expect(clippy::disallowed_methods, reason = "the script passes it in a variable")]
    let server = std::env::var("TEST_POSTGRES_URL")
        .map_err(|_| "TEST_POSTGRES_URL is not set: run `make bench` or `make bench-live`")?;
    let mut connection = PgConnection::connect(&server).await?;
    for statement in
        ["DROP DATABASE IF EXISTS entourage_bench WITH (FORCE)", "CREATE DATABASE entourage_bench"]
    {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
    }
    let mut url = url::Url::parse(&server)?;
    url.set_path("entourage_bench");
    Ok(url.to_string())
}
