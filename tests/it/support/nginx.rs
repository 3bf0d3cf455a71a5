//! A real nginx in front of a server.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::figures::until;

/// How long nginx may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// One nginx process on a free port, killed on drop.
pub(crate) struct Nginx {
    process: Child,
    /// The bound address.
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

impl Nginx {
    /// Starts one whose upstream `entourage` is the server at `upstream`. `pool` has more directives
    /// of the upstream, `location` those of the path `/social/`. Nothing is served at other paths.
    pub(crate) async fn start(upstream: SocketAddr, pool: &str, location: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        drop(listener);
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {name};\n"))
            .concat();
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n\
             access_log off;\n{paths}\
             map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}\n\
             upstream entourage {{ server {upstream}; {pool} }}\n\
             server {{\nlisten {address};\n\
             location /social/ {{ proxy_http_version 1.1; \
             proxy_set_header Connection $connection_upgrade; \
             proxy_set_header Upgrade $http_upgrade; proxy_set_header Host $http_host; {location} }}\n\
             location / {{ return 418; }}\n}}\n}}\n"
        );
        fs::write(folder.path().join("conf"), configuration).expect("writes");

        let mut process = Command::new(binary())
            .arg("-p")
            .arg(folder.path())
            .args(["-e", "stderr", "-c", "conf"])
            .stdin(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).expect("a file for its log"))
            .spawn()
            .expect("nginx starts");
        until(PATIENCE, "nginx answers", async || {
            let ended = process.try_wait().expect("it was started here");
            let log = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            assert!(ended.is_none(), "nginx ended: {}", log());
            TcpStream::connect(address).await.is_ok()
        })
        .await;
        Self { process, address, _folder: folder }
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program, as set by `tests/services.sh`, or where distributions install it.
fn binary() -> String {
    #[expect(clippy::disallowed_methods, reason = "the script passes it in a variable")]
    let named = std::env::var("TEST_NGINX").ok();
    let places = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"];
    let installed = || places.into_iter().find(|place| fs::exists(place).is_ok_and(|is| is));
    named.or_else(|| installed().map(str::to_owned)).expect(
        "this test needs nginx: run `make test`, or `tests/services.sh cargo test`, or name the \
         program in TEST_NGINX",
    )
}
