//! A PostgreSQL server of a single test, which can be stopped and restarted. Unlike the shared server
//! of the tests it is durable, as in production.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use super::figures::until;

/// The account of the server if the tests run as root, which PostgreSQL refuses.
const ACCOUNT: &str = "postgres";
/// The longest that starting or stopping may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Aborts transactions and shuts down in order.
    Fast,
    /// Stops as in a crash, and recovers at the next start.
    Immediate,
}

impl Stop {
    /// The signal: <https://www.postgresql.org/docs/current/server-shutdown.html>.
    const fn signal(self) -> &'static str {
        match self {
            Self::Fast => "INT",
            Self::Immediate => "QUIT",
        }
    }
}

/// A server that is stopped and deleted on drop.
pub(crate) struct Cluster {
    server: Child,
    binaries: PathBuf,
    port: u16,
    /// The URL of its single database.
    pub(crate) url: String,
    folder: TempDir,
}

impl Cluster {
    /// Creates one and waits until it answers.
    pub(crate) async fn start() -> Self {
        let binaries = binaries();
        let folder = TempDir::new().expect("a folder");
        if let Some((user, group)) = account() {
            chown(folder.path(), Some(user), Some(group)).expect("we are root");
        }
        let created = command(&binaries, "initdb", folder.path())
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"])
            .args(["--no-sync", "--pgdata"])
            .arg(folder.path().join("data"))
            .output()
            .expect("initdb runs");
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));

        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let server = server(&binaries, folder.path(), port);
        let cluster = Self { server, binaries, port, url, folder };
        cluster.answers().await;
        cluster
    }

    /// Stops the server, starts it again, and waits until it answers.
    pub(crate) async fn restart(&mut self, stop: Stop) {
        signal(&self.server, stop.signal());
        self.server.wait().expect("it was started here");
        self.server = server(&self.binaries, self.folder.path(), self.port);
        self.answers().await;
    }

    /// Turns TLS on for `localhost`, and returns the certificate of the authority that vouches for it.
    pub(crate) async fn with_tls(&self) -> PathBuf {
        const SCRIPT: &str = "set -e
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
                -subj /CN=authority -keyout ca.key -out ca.pem
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
                -keyout data/server.key -out server.csr
            echo subjectAltName=DNS:localhost >names
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
                -extfile names -out data/server.crt
            chmod 600 data/server.key";
        let mut shell = Command::new("sh");
        if let Some((user, group)) = account() {
            shell.uid(user).gid(group);
        }
        let output = shell.args(["-c", SCRIPT]).current_dir(self.folder.path()).output();
        let output = output.expect("there is a shell");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

        let mut connection = PgConnection::connect(&self.url).await.expect("it answers");
        for sql in ["ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"] {
            sqlx::query(sql).execute(&mut connection).await.expect("we may");
        }
        let shown = async || {
            let mut connection = PgConnection::connect(&self.url).await.expect("it answers");
            let shown = sqlx::query_scalar("SHOW ssl").fetch_one(&mut connection).await;
            shown.is_ok_and(|shown: String| shown == "on")
        };
        until(PATIENCE, "TLS is on", shown).await;
        self.folder.path().join("ca.pem")
    }

    /// Terminates every connection of the program.
    pub(crate) async fn terminate_backends(&self) {
        let mut connection = PgConnection::connect(&self.url).await.expect("it answers");
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE application_name = 'entourage'";
        let ended = sqlx::query(end).execute(&mut connection).await.expect("we may");
        assert!(ended.rows_affected() > 0, "there was no connection");
    }

    async fn answers(&self) {
        until(PATIENCE, "PostgreSQL answers", async || {
            PgConnection::connect(&self.url).await.is_ok()
        })
        .await;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        signal(&self.server, Stop::Immediate.signal());
        let _ = self.server.wait();
    }
}

fn server(binaries: &Path, folder: &Path, port: u16) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("log"));
    command(binaries, "postgres", folder)
        .arg("-D")
        .arg(folder.join("data"))
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-k", ""])
        .stdout(Stdio::null())
        .stderr(log.expect("a file for its log"))
        .spawn()
        .expect("postgres starts")
}

/// A program of PostgreSQL, run as an account that it accepts.
fn command(binaries: &Path, program: &str, folder: &Path) -> Command {
    let mut command = Command::new(binaries.join(program));
    command.current_dir(folder).stdin(Stdio::null());
    if let Some((user, group)) = account() {
        command.uid(user).gid(group);
    }
    command
}

/// The user and group of the server if the tests run as root.
pub(crate) fn account() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).output().expect("there is `id`");
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse::<u32>().expect("it prints a number")
    };
    (id(&["-u"]) == 0).then(|| (id(&["-u", ACCOUNT]), id(&["-g", ACCOUNT])))
}

fn signal(server: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &server.id().to_string()]).status();
    assert!(status.expect("there is `kill`").success(), "SIG{name}");
}

/// The folder of the PostgreSQL programs, as set by `tests/postgres.sh`.
fn binaries() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "the script passes it in a variable")]
    let folder = std::env::var("TEST_POSTGRES_BINARIES");
    let Ok(folder) = folder else {
        panic!(
            "this test starts a PostgreSQL server of its own: run `make test`, or \
             `tests/postgres.sh cargo test`, or name the folder of initdb and postgres in \
             TEST_POSTGRES_BINARIES"
        )
    };
    folder.into()
}
