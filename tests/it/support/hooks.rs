//! A receiver of the host's webhook, as a test chooses its answers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use entourage::{
    domain::Limits,
    service::{Parts, Random, Service, WebhookReceiver, WebhookSecrets},
    store::Store,
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::{app::tokens, clock::ByHand};

/// The secret of the tests, and the one before it.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const OLD_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A message as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    /// The first line, such as `POST /hooks HTTP/1.1`.
    pub(crate) line: String,
    /// Names, in lower case, and values.
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map_or_else(|| panic!("no {name}: {self:?}"), |(_, value)| value)
    }

    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    /// The signature that a receiver with this secret expects: HMAC as RFC 2104 defines it, which
    /// shares only the hash with the server.
    pub(crate) fn expected_signature(&self, secret: &str) -> String {
        const BLOCK: usize = 64;
        let (id, timestamp) = (self.id(), self.header("webhook-timestamp"));
        let mut key = BASE64.decode(&secret["whsec_".len()..]).expect("base64");
        key.resize(BLOCK, 0);
        let padded = |pad: u8| key.iter().map(|byte| byte ^ pad).collect::<Vec<_>>();
        let content = format!("{id}.{timestamp}.{}", self.body);
        let inner = digest(&SHA256, &[padded(0x36), content.into_bytes()].concat());
        let outer = digest(&SHA256, &[padded(0x5c), inner.as_ref().to_vec()].concat());
        format!("v1,{}", BASE64.encode(outer))
    }
}

/// A receiver on the loopback.
pub(crate) struct Receiver {
    pub(crate) url: String,
    answer: Arc<Mutex<String>>,
    received: watch::Receiver<Vec<Received>>,
    is_open: watch::Sender<bool>,
}

impl Receiver {
    /// One that takes all messages.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/hooks", listener.local_addr().expect("it is bound"));
        let (sender, received) = watch::channel(Vec::new());
        let (is_open, opened) = watch::channel(true);
        let answer = Arc::new(Mutex::new("204 No Content".to_owned()));
        let receiver = Self { url, answer: Arc::clone(&answer), received, is_open };
        let sender = Arc::new(sender);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (answer, sender) = (Arc::clone(&answer), Arc::clone(&sender));
                let mut opened = opened.clone();
                tokio::spawn(async move {
                    let mut client = BufReader::new(client);
                    let Some(received) = read(&mut client).await else { return };
                    sender.send_modify(|all| all.push(received));
                    if opened.wait_for(|is_open| *is_open).await.is_ok() {
                        let answer = answer.lock().expect("never poisoned").clone();
                        let reply = format!(
                            "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                        );
                        // The server may have given up.
                        let _ = client.write_all(reply.as_bytes()).await;
                    }
                });
            }
        });
        receiver
    }

    /// Answers like this from now on: a status, and more headers after line breaks.
    pub(crate) fn answer(&self, answer: &str) {
        answer.clone_into(&mut self.answer.lock().expect("never poisoned"));
    }

    /// Holds answers back, or releases them.
    pub(crate) fn open(&self, is_open: bool) {
        self.is_open.send_replace(is_open);
    }

    /// All messages so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.borrow().clone()
    }

    /// Waits until there are so many messages.
    pub(crate) async fn wait_for(&self, messages: usize) -> Vec<Received> {
        let mut received = self.received.clone();
        let all = received.wait_for(|all| all.len() >= messages).await;
        all.expect("the receiver runs").clone()
    }

    /// The receiver as the settings of a server have it.
    pub(crate) fn with(&self, secrets: &[&str]) -> WebhookReceiver {
        let secrets = WebhookSecrets::parse(&secrets.join("\n")).expect("secrets");
        WebhookReceiver::new(&self.url, secrets).expect("a URL of the loopback")
    }
}

/// No jitter.
#[derive(Debug)]
struct Zero;

impl Random for Zero {
    fn next_u32(&self) -> u32 {
        0
    }
}

/// A server that delivers to this receiver, when a test says so.
pub(crate) fn service(
    store: &Arc<dyn Store>,
    clock: &ByHand,
    receiver: WebhookReceiver,
) -> Arc<Service> {
    Service::new(Parts {
        store: Arc::clone(store),
        tokens: tokens(),
        clock: Arc::new(clock.clone()),
        random: Arc::new(Zero),
        sign_up: true,
        federation: false,
        rate_limits: false,
        events_kept: Duration::from_hours(1),
        webhook: Some(receiver),
        limits: Limits::default(),
    })
}

/// Reads one request.
async fn read(client: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        client.read_line(&mut line).await.ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut lines = lines.into_iter();
    let line = lines.next()?;
    let header = |line: String| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    };
    let mut received =
        Received { line, headers: lines.filter_map(header).collect(), body: String::new() };
    let mut body = vec![0; received.header("content-length").parse().ok()?];
    client.read_exact(&mut body).await.ok()?;
    received.body = String::from_utf8(body).ok()?;
    Some(received)
}
