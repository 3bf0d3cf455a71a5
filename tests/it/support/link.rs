//! A proxy in front of a PostgreSQL server that cuts a connection at a chosen message.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::faults::{Fate, Faults};

/// The proxy. What a client sends at once is a step: a request and everything that belongs to it. A
/// failing step cuts its connection; new connections can be made.
pub(crate) struct Link {
    /// The address of the database behind it.
    pub(crate) url: String,
    pub(crate) faults: Faults,
}

impl Link {
    /// A proxy to the database at a URL.
    pub(crate) async fn to(url: &str) -> Self {
        let mut url = url::Url::parse(url).expect("a URL");
        let host = url.host_str().expect("it names a host").to_owned();
        let server = (host, url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        url.set_host(Some("127.0.0.1")).expect("it may have a host");
        url.set_port(Some(port)).expect("it may have a port");

        let faults = Faults::default();
        let shared = faults.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server.clone()).await.expect("it accepts");
                tokio::spawn(relay(client, server, shared.clone()));
            }
        });
        Self { url: url.to_string(), faults }
    }
}

/// Copies bytes until one side closes or the connection is cut.
async fn relay(mut client: TcpStream, mut server: TcpStream, faults: Faults) {
    let (mut asked, mut answered) = ([0; 16_384], [0; 16_384]);
    loop {
        tokio::select! {
            Ok(n @ 1..) = client.read(&mut asked) => {
                let is_commit = asked[..n].windows(6).any(|word| word == b"COMMIT");
                let fate = faults.meet(is_commit);
                if fate == Fate::IsStuck {
                    std::future::pending::<()>().await;
                }
                if fate == Fate::IsLost || server.write_all(&asked[..n]).await.is_err() {
                    return;
                }
                if fate == Fate::IsUnanswered {
                    // It is done when it is answered.
                    let _ = server.read(&mut answered).await;
                    return;
                }
            }
            Ok(n @ 1..) = server.read(&mut answered) => {
                if client.write_all(&answered[..n]).await.is_err() {
                    return;
                }
            }
            else => return,
        }
    }
}
