//! A real PgBouncer in front of the server of the tests.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::net::TcpStream;
use url::Url;

use super::{cluster::account, figures::until};

/// A pooler that is stopped and deleted on drop.
pub(crate) struct Bouncer {
    process: Child,
    /// The URL of the same database through the pooler.
    pub(crate) url: String,
    _folder: TempDir,
}

impl Bouncer {
    /// Starts one in front of the database at a URL and waits until it accepts connections.
    pub(crate) async fn start(url: &str, pool_mode: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let mut url = Url::parse(url).expect("a URL");
        let configuration = format!(
            "[databases]\n* = host={} port={} user={}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = {pool_mode}\ndefault_pool_size = 40\n",
            url.host_str().expect("a host"),
            url.port().expect("a port"),
            url.username(),
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, configuration).expect("writes");

        #[expect(clippy::disallowed_methods, reason = "tests/services.sh passes it in a variable")]
        let program = std::env::var("TEST_PGBOUNCER").unwrap_or_else(|_| "pgbouncer".to_owned());
        let mut command = Command::new(program);
        // PgBouncer refuses to run as root.
        if let Some((user, group)) = account() {
            for path in [folder.path(), &file] {
                chown(path, Some(user), Some(group)).expect("we are root");
            }
            command.uid(user).gid(group);
        }
        let process = command
            .arg(&file)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("PgBouncer starts; tests/services.sh installs it");
        url.set_port(Some(port)).expect("it had a port");
        until(Duration::from_secs(10), "PgBouncer listens", async || {
            TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        Self { process, url: url.to_string(), _folder: folder }
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
