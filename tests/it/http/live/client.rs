//! A client of `graphql-transport-ws` that does only what a test says, right or wrong.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        handshake::client::Response,
        http::{HeaderName, HeaderValue},
    },
};

use crate::support::app::TestApp;

/// The longest that a message takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a server has sent.
#[derive(Debug, PartialEq)]
pub(super) enum Got {
    Message(Value),
    /// A close with its code.
    Closed(u16),
    /// The connection was lost without a close.
    Lost,
}

/// A WebSocket.
pub(super) struct Socket(pub(super) WebSocketStream<TcpStream>);

/// The handshake of a server, with headers besides those that every client sends.
pub(super) async fn handshake(
    app: &TestApp,
    headers: &[(&'static str, &str)],
) -> Result<(Socket, Response), Error> {
    handshake_at(app.address, "/graphql", headers).await
}

/// The handshake of a server at a path.
pub(super) async fn handshake_at(
    address: SocketAddr,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<(Socket, Response), Error> {
    let stream = TcpStream::connect(address).await.expect("the server accepts");
    handshake_over(stream, path, headers).await
}

/// The handshake of a server over a connection.
pub(super) async fn handshake_over(
    stream: TcpStream,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<(Socket, Response), Error> {
    let address = stream.peer_addr().expect("it is connected");
    let mut request = format!("ws://{address}{path}").into_client_request()?;
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).expect("a header");
        request.headers_mut().insert(HeaderName::from_static(name), value);
    }
    let (socket, response) = client_async(request, stream).await?;
    Ok((Socket(socket), response))
}

/// The status of a handshake that is refused.
pub(super) async fn status(app: &TestApp, headers: &[(&'static str, &str)]) -> u16 {
    match handshake(app, headers).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("no answer: {error}"),
        Ok(_) => 101,
    }
}

impl Socket {
    /// A socket that speaks the protocol.
    pub(super) async fn open(app: &TestApp) -> Self {
        let protocol = [("sec-websocket-protocol", "graphql-transport-ws")];
        handshake(app, &protocol).await.expect("the server upgrades").0
    }

    /// A socket that was acknowledged, for the holder of a token.
    pub(super) async fn ready(app: &TestApp, token: &str) -> Self {
        Self::open(app).await.initialised(token).await
    }

    /// The same socket, acknowledged for the holder of a token.
    pub(super) async fn initialised(self, token: &str) -> Self {
        let mut socket = self;
        let payload = json!({ "authorization": format!("Bearer {token}") });
        socket.send(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.message().await, json!({ "type": "connection_ack" }));
        socket
    }

    pub(super) async fn send(&mut self, message: Value) {
        self.text(&message.to_string()).await;
    }

    pub(super) async fn text(&mut self, text: &str) {
        self.frame(Message::text(text)).await;
    }

    /// Sends a frame. The server may have closed the socket already.
    pub(super) async fn frame(&mut self, frame: Message) {
        let _ = self.0.send(frame).await;
    }

    pub(super) async fn subscribe(&mut self, id: &str, query: &str) {
        let payload = json!({ "query": query });
        self.send(json!({ "id": id, "type": "subscribe", "payload": payload })).await;
    }

    /// What comes next, apart from pings of the WebSocket itself, which come for ever.
    pub(super) async fn next(&mut self) -> Got {
        timeout(PATIENCE * 2, self.next_got()).await.expect("something but pings comes")
    }

    async fn next_got(&mut self) -> Got {
        loop {
            return match self.raw().await {
                Some(Ok(Message::Text(text))) => {
                    Got::Message(serde_json::from_str(&text).expect("messages are JSON"))
                }
                Some(Ok(Message::Close(Some(close)))) => {
                    assert!(close.reason.len() <= 123, "{close:?}");
                    Got::Closed(close.code.into())
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Err(_) | Ok(Message::Close(None))) | None => Got::Lost,
                Some(Ok(other)) => panic!("unexpected: {other:?}"),
            };
        }
    }

    /// What comes next, whatever it is.
    pub(super) async fn raw(&mut self) -> Option<Result<Message, Error>> {
        timeout(PATIENCE, self.0.next()).await.expect("something comes")
    }

    /// The next message.
    pub(super) async fn message(&mut self) -> Value {
        match self.next().await {
            Got::Message(message) => message,
            other => panic!("no message: {other:?}"),
        }
    }

    /// The code that the server closes the socket with. Messages before that are ignored.
    pub(super) async fn close_code(&mut self) -> u16 {
        loop {
            match self.next().await {
                Got::Message(_) => {}
                Got::Closed(code) => return code,
                Got::Lost => panic!("lost without a close"),
            }
        }
    }

    /// Waits until the server has answered everything that was sent before.
    pub(super) async fn ping(&mut self) -> Vec<Value> {
        self.send(json!({ "type": "ping" })).await;
        let mut before = Vec::new();
        loop {
            let message = self.message().await;
            if message["type"] == "pong" {
                return before;
            }
            before.push(message);
        }
    }
}
