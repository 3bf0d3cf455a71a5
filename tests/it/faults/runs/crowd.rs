//! Many clients on few database connections, while another transaction holds the locks they need.

use std::time::{Duration, Instant};

use sqlx::{Connection, Executor};

use super::{
    people::{People, UNLIMITED, assert_sound},
    writers::{AtWork, Writer, assert_kept},
};
use crate::support::{
    answer::Caller,
    database::{Database, Engine},
    figures::{tell, until, worst},
    process::Server,
};

/// The longest time until `/healthz` answers.
const ALIVE_WITHIN: Duration = Duration::from_secs(1);
/// How much longer than its timeouts the server may take on a busy machine.
const SLACK: Duration = Duration::from_secs(3);
/// The longest time until every client is served again.
const RECOVERS_WITHIN: Duration = Duration::from_secs(10);

/// The size of the run.
pub(crate) struct Size {
    pub(crate) clients: usize,
    pub(crate) connections: usize,
    /// The least time that the locks are held: they are held until each client was refused once.
    pub(crate) held: Duration,
    /// The server's timeout for a connection.
    pub(crate) acquire_timeout: Duration,
    /// The server's timeout for an operation.
    pub(crate) execution_time_max: Duration,
}

/// Lets the clients run into the locks, then releases them.
pub(crate) async fn run(database: &Database, size: Size) {
    let url = &database.url;
    let people = People::make(url, size.clients + 500, size.clients).await;
    let (connections, acquire, execution) = (
        size.connections.to_string(),
        format!("{}ms", size.acquire_timeout.as_millis()),
        format!("{}ms", size.execution_time_max.as_millis()),
    );
    let server = Server::at(
        url,
        &[
            &UNLIMITED[..],
            &["--database-connections-max", &connections],
            &["--database-acquire-timeout", &acquire],
            &["--execution-time-max", &execution],
        ]
        .concat(),
    );
    let caller = Caller::of(&server.address);

    let holder = Holder::of(database).await;
    let work = AtWork::begin(Writer::all(&people), &caller);
    let progress = &work.progress;
    let (began, mut alive) = (Instant::now(), Vec::new());
    let bound = size.held + 10 * (size.acquire_timeout + size.execution_time_max) + SLACK;
    until(bound, "all are refused", async || {
        let asked = Instant::now();
        assert_eq!(caller.status("/healthz").await, Some(200));
        alive.push(asked.elapsed());
        began.elapsed() >= size.held && progress.refused() == size.clients
    })
    .await;
    let longest = progress.longest();
    holder.release().await;

    let before = progress.acknowledged();
    let served = async || progress.all_are_past(&before);
    let recovered = until(RECOVERS_WITHIN, "all are served again", served).await;
    let (codes, lost) = (progress.codes(), progress.lost());
    let writers = work.end().await;
    assert!(codes.keys().all(|code| code == "UNAVAILABLE" || code == "TIMEOUT"), "{codes:?}");
    assert_eq!(lost, 0, "connections were cut");
    // Authentication may wait for a connection, and then the operation may take its time.
    let limit = size.acquire_timeout + size.execution_time_max + SLACK;
    assert!(longest <= limit, "an answer took {longest:?}");
    assert!(worst(&alive) <= ALIVE_WITHIN, "/healthz took {:?}", worst(&alive));
    assert_sound(url);
    assert_kept(url, &people, &writers).await;
    tell(&format!(
        "{} clients at {} connections, locks held for {:.0?}: {codes:?}, the longest wait \
         {longest:.1?}; /healthz within {:.0?}; all served {recovered:.0?} after the end",
        size.clients,
        size.connections,
        size.held,
        worst(&alive),
    ));
}

/// Another transaction, which holds locks that every write needs.
enum Holder {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
}

impl Holder {
    async fn of(database: &Database) -> Self {
        match database.engine() {
            Engine::Sqlite => {
                let mut connection = database.sqlite_connection().await;
                connection.execute("BEGIN IMMEDIATE").await.expect("it is free");
                Self::Sqlite(connection)
            }
            Engine::Postgres => {
                let mut connection = database.postgres_connection().await;
                for sql in ["BEGIN", "SELECT FROM follow_counts FOR UPDATE"] {
                    connection.execute(sql).await.expect("it is free");
                }
                Self::Postgres(connection)
            }
        }
    }

    async fn release(self) {
        match self {
            Self::Sqlite(mut connection) => {
                connection.execute("ROLLBACK").await.expect("it is held");
                connection.close().await.expect("it is open");
            }
            Self::Postgres(mut connection) => {
                connection.execute("ROLLBACK").await.expect("it is held");
                connection.close().await.expect("it is open");
            }
        }
    }
}
