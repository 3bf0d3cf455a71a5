//! Requests per second and statements per request, on both engines: `make bench`.
//!
//! The binary serves a seeded graph in its own process, and this one sends requests over loopback. So
//! the figures are those of a client on the same machine, and both share its cores. Every run uses
//! the same graph and takes the same time. `cargo test` runs it briefly on a small graph.

mod postgres;
mod support;

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use postgres::make_postgres_database;
use reqwest::{Client, header::CONTENT_TYPE};
use serde_json::json;
use support::{Result, Scale, Server, run, say, username};
use tempfile::TempDir;

const SCALE: Scale = Scale { users: 10_000, measured: Duration::from_secs(5) };
const FOLLOWS_PER_USER: usize = 20;
/// The number of concurrent requests, each with its own connection and user.
const CLIENTS: usize = 16;

const FIFTY_USERS: &str = "{ users(first: 50) { nodes { username \
    followers(first: 10) { totalCount edges { followedAt node { username } } } \
    following(first: 10) { totalCount nodes { username } } } } }";
const TWO_LEVELS: &str = "query($username: String!) { user(username: $username) { \
    followers(first: 20) { nodes { username following(first: 10) { nodes { username } } } } } }";
const FOLLOW: &str = "mutation($username: String!) { \
    follow(input: {user: {username: $username}}) { outcome } }";

/// The operations: a name, a document, and whether it needs a viewer.
const OPERATIONS: [(&str, &str, bool); 3] = [
    ("50 users, both lists", FIFTY_USERS, false),
    ("1 user, 2 levels", TWO_LEVELS, false),
    ("follow", FOLLOW, true),
];

#[tokio::main]
async fn main() -> Result<()> {
    let Some(scale) = SCALE.or_smoke() else { return Ok(()) };
    let folder = TempDir::new()?;
    let sqlite = format!("sqlite://{}", folder.path().join("bench.db").display());
    measure("SQLite", &sqlite, scale).await?;

    let postgres = make_postgres_database().await?;
    measure("PostgreSQL", &postgres, scale).await
}

/// Seeds a database, serves it and measures every operation.
async fn measure(engine: &str, database: &str, scale: Scale) -> Result<()> {
    run(database, &["migrate"])?;
    let (users, follows) = (scale.users.to_string(), (scale.users * FOLLOWS_PER_USER).to_string());
    let seeded = run(database, &["seed", "--users", &users, "--follows", &follows])?;
    say(&format!("\n{engine}: {seeded}"))?;
    say("operation                requests/s    p50 ms    p99 ms    statements/request\n")?;

    let names: Vec<String> = (1..=CLIENTS).map(username).collect();
    let mut arguments = vec!["token", "--ttl", "1h"];
    arguments.extend(names.iter().map(String::as_str));
    let tokens = run(database, &arguments)?;
    let tokens: Vec<&str> = tokens.lines().collect();

    let server = Server::start(database, &[])?;
    for (name, document, needs_viewer) in OPERATIONS {
        let tokens = if needs_viewer { tokens.clone() } else { Vec::new() };
        let load = Load::new(&server.address, document, &tokens, scale.users);
        load.drive(scale.measured / 5).await?;

        let before = load.statements().await?;
        let begin = Instant::now();
        let mut latencies = load.drive(scale.measured).await?;
        let seconds = begin.elapsed().as_secs_f64();
        let statements = load.statements().await? - before;
        latencies.sort_unstable();
        if latencies.is_empty() {
            return Err(format!("no request was answered: {name}").into());
        }

        #[expect(clippy::cast_precision_loss, reason = "numbers for people to read")]
        let requests = latencies.len() as f64;
        say(&format!(
            "{name:<24} {:>10.0} {:>9.2} {:>9.2} {:>21.2}\n",
            requests / seconds,
            percentile_ms(&latencies, 50),
            percentile_ms(&latencies, 99),
            statements / requests
        ))?;
    }
    Ok(())
}

fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0)
}

/// One operation, repeated for one user after another.
struct Load {
    client: Client,
    server: String,
    document: &'static str,
    /// A token for each client, or none.
    tokens: Vec<String>,
    users: usize,
    /// The user of the next request.
    next: Arc<AtomicU64>,
}

impl Load {
    fn new(address: &str, document: &'static str, tokens: &[&str], users: usize) -> Self {
        Self {
            client: Client::new(),
            server: format!("http://{address}"),
            document,
            tokens: tokens.iter().map(|token| (*token).to_owned()).collect(),
            users,
            next: Arc::default(),
        }
    }

    /// Keeps all clients busy for a while and returns the latency of every request.
    async fn drive(&self, time: Duration) -> Result<Vec<Duration>> {
        let until = Instant::now() + time;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| {
                let token = self.tokens.get(n).cloned();
                let (client, url) = (self.client.clone(), format!("{}/graphql", self.server));
                let (document, users) = (self.document, self.users);
                let next = Arc::clone(&self.next);
                tokio::spawn(async move {
                    let mut latencies = Vec::new();
                    while Instant::now() < until {
                        // Each client visits every user, and no two the same user at once.
                        let step = usize::try_from(next.fetch_add(1, Ordering::Relaxed))?;
                        let about = username((step / CLIENTS + n * users / CLIENTS) % users + 1);
                        let body = json!({ "query": document, "variables": { "username": about } });
                        let begin = Instant::now();
                        ask(&client, &url, token.as_deref(), body.to_string()).await?;
                        latencies.push(begin.elapsed());
                    }
                    Ok::<_, Box<dyn Error + Send + Sync>>(latencies)
                })
            })
            .collect();

        let mut latencies = Vec::new();
        for client in clients {
            latencies.append(&mut client.await??);
        }
        Ok(latencies)
    }

    /// The number of statements that the server has sent to its database, from its metrics.
    async fn statements(&self) -> Result<f64> {
        let text = self.client.get(format!("{}/metrics", self.server)).send().await?;
        let text = text.error_for_status()?.text().await?;
        let counters =
            text.lines().filter(|line| line.starts_with("entourage_store_statements_total"));
        let values = counters.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(values.sum())
    }
}

async fn ask(client: &Client, url: &str, token: Option<&str>, body: String) -> Result<()> {
    let request = client.post(url).header(CONTENT_TYPE, "application/json").body(body);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let reply = request.send().await?.error_for_status()?.bytes().await?;
    if reply.starts_with(b"{\"data\"") {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&reply).into_owned().into())
    }
}
