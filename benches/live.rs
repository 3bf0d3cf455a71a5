//! Subscriptions on PostgreSQL: memory of idle ones, lag, and what they cost readers: `make bench-live`.
//!
//! The binary serves in its own processes, and this one holds the sockets and sends requests over
//! loopback, so all of them share the cores. `cargo test` runs it briefly with few subscribers.

mod postgres;
mod support;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use futures_util::{SinkExt, StreamExt, future::join_all};
use postgres::make_postgres_database;
use reqwest::{Client, header::CONTENT_TYPE};
use serde_json::{Value, json};
use support::{Failure, Result, Scale, Server, run, say, username};
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{interval, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

/// As many subscribers as users.
const SCALE: Scale = Scale { users: 10_000, measured: Duration::from_secs(5) };
/// The number of sockets that are opened at once, and of clients that send requests.
const AT_ONCE: usize = 16;
/// How often a celebrity is followed in a second.
const FOLLOWS_PER_SECOND: u32 = 1_000;
/// The longest wait for events.
const PATIENCE: Duration = Duration::from_mins(1);
/// After this long without an event, there are no more.
const QUIET: Duration = Duration::from_secs(3);

const SUBSCRIBE: &str = "subscription { followEvents { at cursor kind user { username } } }";
const PROFILE: &str = "query ($username: String!) { user(username: $username) { username name \
    followerCount followingCount followers(first: 20) { nodes { username } } } }";
const FOLLOW: &str = "mutation ($username: String!) { \
    unfollow(input: { user: { username: $username } }) { outcome } \
    follow(input: { user: { username: $username } }) { outcome } }";

/// Bounds that hold one machine with this many sockets.
const SETTINGS: [(&str, &str); 4] = [
    ("ENTOURAGE_CLIENT_CONNECTIONS_MAX", "50000"),
    ("ENTOURAGE_SOCKETS_PER_ADDRESS_MAX", "50000"),
    ("ENTOURAGE_SUBSCRIPTIONS_MAX", "50000"),
    ("ENTOURAGE_MIGRATE", "true"),
];

type Socket = WebSocketStream<TcpStream>;

#[tokio::main]
async fn main() -> Result<()> {
    let Some(scale) = SCALE.or_smoke() else { return Ok(()) };
    // A smoke run has few subscribers.
    let most = usize::try_from(scale.measured.as_millis())? * 2;
    let scale = Scale { users: scale.users.min(most), ..scale };
    // 100, but 2 in a smoke run: without `LISTEN`, each takes a second.
    let crossings = most / 100;
    let database = make_postgres_database().await?;
    run(&database, &["migrate"])?;
    let (users, follows) = (scale.users.to_string(), (scale.users * 20).to_string());
    run(&database, &["seed", "--users", &users, "--follows", &follows])?;
    let names: Vec<_> = (1..=scale.users).map(username).collect();
    let mut arguments = vec!["token", "--ttl", "1d"];
    arguments.extend(names.iter().map(String::as_str));
    let tokens = run(&database, &arguments)?;
    let tokens: Arc<Vec<String>> = Arc::new(tokens.lines().map(str::to_owned).collect());

    let server = Server::start(&database, &SETTINGS)?;
    let caller = Caller::of(&server);
    let lonely = caller.profiles(scale).await?;
    let before = memory_kb(&server)?;
    let sockets = open_all(&server, &tokens).await?;
    let each = (memory_kb(&server)? - before) / scale.users.max(1);
    let crowded = caller.profiles(scale).await?;
    say(&format!(
        "{users} idle subscribers: {each} kB each; {lonely} profiles a second without them, \
         {crowded} with them\n"
    ))?;

    one_event_each(sockets, &caller, &tokens).await?;
    celebrity(&server, &caller, &tokens, scale.measured).await?;
    crossing(&server, &database, &tokens, crossings, "with LISTEN").await?;
    let pooled = format!("{database}?pooler=transaction");
    crossing(&server, &pooled, &tokens, crossings, "without LISTEN").await
}

/// The memory of a server's process that is its own, in kB.
fn memory_kb(server: &Server) -> Result<usize> {
    let smaps = fs::read_to_string(format!("/proc/{}/smaps_rollup", server.process.id()))?;
    let line = smaps.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = line.and_then(|line| line.split_whitespace().next()).ok_or("no Pss")?;
    Ok(number.parse()?)
}

/// Subscribes every user.
async fn open_all(server: &Server, tokens: &Arc<Vec<String>>) -> Result<Vec<Socket>> {
    let next = Arc::new(AtomicUsize::new(0));
    let openers = (0..AT_ONCE).map(|_| {
        let (tokens, next) = (Arc::clone(tokens), Arc::clone(&next));
        let address = server.address.clone();
        async move {
            let mut opened = Vec::new();
            while let Some(token) = tokens.get(next.fetch_add(1, SeqCst)) {
                opened.push(subscribe(&address, token).await?);
            }
            Ok::<_, Failure>(opened)
        }
    });
    let mut sockets = Vec::with_capacity(tokens.len());
    for opened in openers.collect::<JoinSet<_>>().join_all().await {
        sockets.append(&mut opened?);
    }
    Ok(sockets)
}

/// A socket with a subscription to the events of the holder of a token, once it is live.
async fn subscribe(address: &str, token: &str) -> Result<Socket> {
    let mut request = format!("ws://{address}/graphql").into_client_request()?;
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let (mut socket, _) = client_async(request, TcpStream::connect(address).await?).await?;
    let payload = json!({ "authorization": format!("Bearer {token}") });
    send(&mut socket, json!({ "type": "connection_init", "payload": payload })).await?;
    next(&mut socket, "connection_ack").await?;
    let payload = json!({ "query": SUBSCRIBE });
    send(&mut socket, json!({ "id": "1", "type": "subscribe", "payload": payload })).await?;
    // Messages are answered in their order, but a subscription takes a moment to open.
    send(&mut socket, json!({ "type": "ping" })).await?;
    next(&mut socket, "pong").await?;
    Ok(socket)
}

async fn send(socket: &mut Socket, message: Value) -> Result<()> {
    Ok(socket.send(Message::text(message.to_string())).await?)
}

/// The next message, which must be of this type.
async fn next(socket: &mut Socket, ty: &str) -> Result<Value> {
    loop {
        match socket.next().await.ok_or("the server closed a socket")?? {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text)?;
                let is_right = message["type"] == ty;
                return if is_right { Ok(message) } else { Err(text.to_string().into()) };
            }
            Message::Ping(_) | Message::Pong(_) => {}
            other => return Err(format!("unexpected: {other:?}").into()),
        }
    }
}

/// How long ago the next follow of the subscriber was requested.
async fn next_lag(socket: &mut Socket) -> Result<Duration> {
    let event = loop {
        let mut message = next(socket, "next").await?;
        let event = message["payload"]["data"]["followEvents"].take();
        if event["kind"] == "FOLLOWED" {
            break event;
        }
    };
    let at = event["at"].as_str().ok_or("no time")?;
    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    let lag = Utc::now() - at.parse::<DateTime<Utc>>()?;
    Ok(lag.to_std().unwrap_or_default())
}

/// Each user is followed by the one before, and is told so.
async fn one_event_each(
    sockets: Vec<Socket>,
    caller: &Caller,
    tokens: &Arc<Vec<String>>,
) -> Result<()> {
    let count = sockets.len();
    let heard = Arc::new(AtomicUsize::new(0));
    let told = |mut socket| {
        let heard = Arc::clone(&heard);
        async move {
            let lag = next_lag(&mut socket).await?;
            heard.fetch_add(1, SeqCst);
            Ok::<_, Failure>((lag, socket))
        }
    };
    let told: JoinSet<_> = sockets.into_iter().map(told).collect();
    let begin = Instant::now();
    let follow = |n: usize| caller.follow(&tokens[n], username((n + 1) % count + 1));
    let next = &AtomicUsize::new(0);
    let follows = join_all((0..AT_ONCE).map(|_| async move {
        loop {
            let n = next.fetch_add(1, SeqCst);
            if n >= count {
                return Ok::<_, Failure>(());
            }
            follow(n).await?;
        }
    }));
    let (written, told) =
        timeout(PATIENCE, async { tokio::join!(follows, told.join_all()) }).await?;
    let elapsed = begin.elapsed();
    written.into_iter().collect::<Result<Vec<_>>>()?;
    let mut lags = told.into_iter().map(|told| Ok(told?.0)).collect::<Result<Vec<_>>>()?;
    say(&format!(
        "{count} subscribers with one event each: all told after {elapsed:.2?}; lag {}\n",
        summary(&mut lags)
    ))?;
    Ok(())
}

/// One user is followed at a steady rate.
async fn celebrity(
    server: &Server,
    caller: &Caller,
    tokens: &Arc<Vec<String>>,
    time: Duration,
) -> Result<()> {
    let mut socket = subscribe(&server.address, &tokens[0]).await?;
    let reader = tokio::spawn(async move {
        let mut lags = Vec::new();
        while let Ok(lag) = timeout(QUIET, next_lag(&mut socket)).await {
            lags.push(lag?);
        }
        Ok::<_, Failure>(lags)
    });
    let mut ticks = interval(Duration::from_secs(1) / FOLLOWS_PER_SECOND);
    let (begin, mut follows) = (Instant::now(), JoinSet::new());
    for token in tokens.iter().skip(1).cycle() {
        if begin.elapsed() >= time {
            break;
        }
        ticks.tick().await;
        let (caller, token) = (caller.clone(), token.clone());
        follows.spawn(async move { caller.follow(&token, username(1)).await });
    }
    follows.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    let seconds = begin.elapsed().as_secs_f64();
    let mut lags = reader.await??;
    #[expect(clippy::cast_precision_loss, reason = "numbers for people to read")]
    let rate = lags.len() as f64 / seconds;
    let lag = summary(&mut lags);
    say(&format!("a celebrity with {rate:.0} new followers a second: lag {lag}\n"))?;
    Ok(())
}

/// Follows on one server, for a subscriber of another, which has its own address of the database.
async fn crossing(
    server: &Server,
    database: &str,
    tokens: &Arc<Vec<String>>,
    crossings: usize,
    how: &str,
) -> Result<()> {
    let other = Server::start(database, &SETTINGS)?;
    let caller = Caller::of(server);
    let last = tokens.len();
    let mut socket = subscribe(&other.address, &tokens[last - 1]).await?;
    let mut lags = Vec::new();
    for token in tokens.iter().skip(1) {
        if lags.len() == crossings {
            break;
        }
        let begin = Instant::now();
        caller.follow(token, username(last)).await?;
        timeout(PATIENCE, next_lag(&mut socket)).await??;
        lags.push(begin.elapsed());
    }
    let lags = summary(&mut lags);
    say(&format!("follows on another server, {how}, from call to event: {lags}\n"))?;
    Ok(())
}

/// The median, the 99th percentile and the maximum.
fn summary(lags: &mut [Duration]) -> String {
    lags.sort_unstable();
    let at = |percent: usize| lags[(lags.len() * percent / 100).min(lags.len() - 1)];
    if lags.is_empty() {
        return "unknown".to_owned();
    }
    format!("{:.1?} (median), {:.1?} (p99), {:.1?} (worst)", at(50), at(99), at(100))
}

/// A client of a server.
#[derive(Clone)]
struct Caller {
    client: Client,
    url: String,
}

impl Caller {
    fn of(server: &Server) -> Self {
        Self { client: Client::new(), url: format!("http://{}/graphql", server.address) }
    }

    async fn ask(&self, token: Option<&str>, query: &str, username: &str) -> Result<Value> {
        let body = json!({ "query": query, "variables": { "username": username } }).to_string();
        let request = self.client.post(&self.url).header(CONTENT_TYPE, "application/json");
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let reply = request.body(body).send().await?.error_for_status()?.bytes().await?;
        let mut reply: Value = serde_json::from_slice(&reply)?;
        match reply.get("errors") {
            None => Ok(reply["data"].take()),
            Some(errors) => Err(errors.to_string().into()),
        }
    }

    /// Follows a user again, so that there is an event in any case.
    async fn follow(&self, token: &str, username: String) -> Result<()> {
        let data = self.ask(Some(token), FOLLOW, &username).await?;
        match data["follow"]["outcome"].as_str() {
            Some("FOLLOWED") => Ok(()),
            _ => Err(data.to_string().into()),
        }
    }

    /// How many profiles are answered in a second.
    async fn profiles(&self, scale: Scale) -> Result<usize> {
        let until = Instant::now() + scale.measured;
        let clients = (0..AT_ONCE).map(|client| async move {
            let mut answered = 0;
            while Instant::now() < until {
                let user = (client * 997 + answered * 31) % scale.users + 1;
                self.ask(None, PROFILE, &username(user)).await?;
                answered += 1;
            }
            Ok::<usize, Failure>(answered)
        });
        let answered = join_all(clients).await.into_iter().collect::<Result<Vec<_>>>()?;
        let answered: usize = answered.into_iter().sum();
        Ok(answered * 1_000 / usize::try_from(scale.measured.as_millis())?)
    }
}
