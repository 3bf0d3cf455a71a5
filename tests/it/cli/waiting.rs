//! A server that is started before its database or its identity provider.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Stdio},
    time::Duration,
};

use jsonwebtoken::Algorithm;
use reqwest::StatusCode;
use serde_json::json;
use tempfile::TempDir;
use tokio::{io::copy_bidirectional, net::TcpStream};
use url::Url;

use super::{KEY, binary, complaint, on_both_engines, refused, run};
use crate::support::{
    cluster::Cluster,
    database::{Database, Engine},
    figures::until,
    provider::{AUDIENCE, ISSUER, Key, key_set},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// An address where nothing listens.
fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}

/// A server that is stopped on drop.
struct Starting {
    process: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Starting {
    fn with(variables: &[(&str, &str)]) -> Self {
        let (folder, address) = (TempDir::new().expect("a folder"), nowhere());
        let log = fs::File::create(folder.path().join("log")).expect("a file for its log");
        let process = binary(folder.path())
            .args(["serve", "--migrate", "--log-format", "json", "--listen", &address.to_string()])
            .env("ENTOURAGE_JWT_SECRET", KEY)
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        Self { process, address, folder }
    }

    async fn status(&self, path: &str) -> Option<StatusCode> {
        let reply = reqwest::get(format!("http://{}{path}", self.address)).await;
        reply.ok().map(|reply| reply.status())
    }

    async fn is(&self, path: &str, status: u16) {
        until(PATIENCE, path, async || {
            self.status(path).await.is_some_and(|found| found.as_u16() == status)
        })
        .await;
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("its log")
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Forwards connections from an address to a port of this machine, from now on.
async fn forward(from: SocketAddr, port: u16) {
    let listener = tokio::net::TcpListener::bind(from).await.expect("nothing listens there");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
}

#[tokio::test]
async fn a_database_that_is_away_is_waited_for() {
    Database::empty(Engine::Postgres)
        .await
        .run(async |database| {
            let place = nowhere();
            let mut url = Url::parse(&database.url).expect("a URL");
            let port = url.port().expect("a port");
            url.set_port(Some(place.port())).expect("it had one");
            let server = Starting::with(&[("DATABASE_URL", url.as_str())]);

            server.is("/healthz", 200).await;
            server.is("/readyz", 503).await;
            server.is("/graphql?query={__typename}", 503).await;
            until(PATIENCE, "the reason is logged", async || {
                server.log().contains("Connection refused")
            })
            .await;

            forward(place, port).await;
            server.is("/readyz", 200).await;
            let waits = server.log().lines().filter(|l| l.contains("waiting")).count();
            assert_eq!(waits, 1, "{}", server.log());
        })
        .await;
}

#[tokio::test]
async fn a_server_starts_while_a_provider_is_away() {
    let (place, key) = (nowhere(), Key::new(Algorithm::EdDSA, "key"));
    let file = TempDir::new().expect("a folder");
    let file = file.path().join("providers.json");
    let partner = json!([{ "name": "partner", "issuer": ISSUER, "audience": AUDIENCE,
        "jwks": format!("http://{place}/keys") }]);
    fs::write(&file, partner.to_string()).expect("writes");
    let file = file.to_str().expect("text");
    let server = Starting::with(&[("ENTOURAGE_PROVIDERS_FILE", file)]);
    let token = key.token(&json!({ "sub": "7" }));
    let typename = async |token: Option<&str>| {
        let url = format!("http://{}/graphql?query={{__typename}}", server.address);
        let request = reqwest::Client::new().get(url);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.expect("it answers").status().as_u16()
    };

    server.is("/graphql?query={__typename}", 200).await;
    let ready = reqwest::get(format!("http://{}/readyz", server.address)).await;
    let ready = ready.expect("it answers");
    assert_eq!(ready.status().as_u16(), 503);
    assert_eq!(ready.text().await.expect("text"), "provider partner\n");
    assert_eq!((typename(Some(&token)).await, typename(None).await), (503, 200));

    let keys = key_set(&[&key]);
    let answering = std::thread::spawn(move || {
        let listener = TcpListener::bind(place).expect("nothing listens there");
        let (mut stream, _) = listener.accept().expect("it asks again");
        let asked = BufReader::new(&stream).lines().map_while(Result::ok);
        assert!(asked.take_while(|line| !line.is_empty()).count() > 0);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", keys.len());
        stream.write_all((head + &keys).as_bytes()).expect("it listens");
    });
    server.is("/readyz", 200).await;
    answering.join().expect("it answered");
    // The provider is away again.
    assert_eq!(
        (typename(Some(&token)).await, server.status("/readyz").await),
        (200, Some(StatusCode::OK))
    );
    let waits =
        server.log().lines().filter(|line| line.contains("waiting for the provider")).count();
    assert_eq!(waits, 1, "{}", server.log());
}

#[tokio::test]
async fn what_does_not_pass_by_itself_is_not_waited_for() {
    Database::empty(Engine::Postgres)
        .await
        .run(async |database| {
            let unknown = format!("{}_that_is_missing", database.url);
            let variables = [("DATABASE_URL", &*unknown), ("ENTOURAGE_JWT_SECRET", KEY)];
            let serve = ["serve", "--listen", "127.0.0.1:0", "--log", "error"];
            let line = complaint(&run(&std::env::temp_dir(), serve, &variables), 1);
            assert!(line.contains("does not exist"), "{line}");
        })
        .await;
}

#[tokio::test]
async fn the_trust_store_of_the_system_verifies_a_server() {
    let cluster = Cluster::start().await;
    let authority: PathBuf = cluster.with_tls().await;
    let url = cluster.url.replace("127.0.0.1", "localhost") + "?sslrootcert=system";
    let migrate = |variables: &[(&str, &str)]| {
        let variables: Vec<_> =
            variables.iter().copied().chain([("DATABASE_URL", &*url)]).collect();
        run(&std::env::temp_dir(), ["migrate"], &variables)
    };
    let line = complaint(&migrate(&[]), 1);
    assert!(line.contains("invalid peer certificate"), "{line}");
    let authority = authority.to_str().expect("text");
    migrate(&[("SSL_CERT_FILE", authority)]).success().stdout("migrated the schema\n");
}

on_both_engines! { a_direct_address_is_one_of_postgresql }

async fn a_direct_address_is_one_of_postgresql(database: &Database) {
    let variables = [
        ("DATABASE_URL", &*database.url),
        ("ENTOURAGE_DATABASE_DIRECT_URL", "postgres://db/name?pooler=transaction"),
    ];
    let run = run(&std::env::temp_dir(), ["migrate"], &variables);
    let line = "ENTOURAGE_DATABASE_DIRECT_URL cannot be read: it must be an address of PostgreSQL, \
                without a pooler";
    refused(&run, 1, line);
}
