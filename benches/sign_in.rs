//! The time of a failed sign-in for existing and for unknown names: `cargo bench --bench sign_in`.
//! Exits with 1 if the times differ.
//!
//! The server runs in this process, on SQLite and without limits over time, and is called over
//! loopback. Names of both kinds take turns, so that noise affects both alike.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use entourage::{
    app::{self, App, Settings},
    domain::{Limits, Standing, SystemClock},
    service::{NewAccount, Parts, Service, SystemRandom, Tokens},
    store::{self, Options},
};
use reqwest::{Client, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// How many sign-ins of each kind are measured.
const SIGN_INS: usize = 200;
/// How much the medians may differ, in percent of the smaller one.
const DIFFERENCE_MAX: f64 = 10.0;
const KEY: &[u8] = b"the key of the benchmark, no secret";
const SIGN_IN: &str = "mutation($username: String!) { \
    signIn(input: {username: $username, password: \"a wrong one\"}) { userErrors { code } } }";

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let folder = TempDir::new()?;
    let url = format!("sqlite://{}", folder.path().join("bench.db").display());
    let store = store::connect(&url, Options::default()).await?;
    store.migrate().await?;
    let service = Service::new(Parts {
        store: Arc::clone(&store),
        tokens: Tokens::new(KEY)?,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        sign_up: true,
        federation: false,
        rate_limits: false,
        events_kept: Duration::from_hours(1),
        webhook: None,
        limits: Limits::default(),
    });
    for n in 0..SIGN_INS {
        let password = Some("the right one".to_owned());
        let new = NewAccount { username: format!("known{n}"), name: None, password };
        service
            .operator()
            .add_user(new, Standing::Active, None)
            .await?
            .map_err(|error| format!("{error:?}"))?;
    }

    let settings = Settings { sign_up: true, rate_limits: false, ..Settings::default() };
    let app = App::new(store, Tokens::new(KEY)?, settings);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/graphql", listener.local_addr()?);
    let server = tokio::spawn(app::serve(app, listener, std::future::pending()));

    let client = Client::new();
    // The very first one also opens connections and computes the hash that unknown names are compared
    // with.
    sign_in(&client, &url, "nobody").await?;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for n in 0..SIGN_INS {
        known.push(sign_in(&client, &url, &format!("known{n}")).await?);
        unknown.push(sign_in(&client, &url, &format!("other{n}")).await?);
    }
    server.abort();

    let (known, unknown) = (median_ms(known), median_ms(unknown));
    let difference = (known / unknown).max(unknown / known) * 100.0 - 100.0;
    writeln!(
        io::stdout(),
        "medians of {SIGN_INS} sign-ins: {known:.2} ms for known names, {unknown:.2} ms for \
         others; they differ by {difference:.1} % and may by {DIFFERENCE_MAX} %"
    )?;
    Ok(if difference <= DIFFERENCE_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The time of one sign-in, which must fail with the usual error.
async fn sign_in(client: &Client, url: &str, username: &str) -> Result<Duration> {
    let body = json!({ "query": SIGN_IN, "variables": { "username": username } }).to_string();
    let request = client.post(url).header(CONTENT_TYPE, "application/json").body(body);

    let begin = Instant::now();
    let reply: Value = request.send().await?.json().await?;
    let time = begin.elapsed();

    let code = &reply["data"]["signIn"]["userErrors"][0]["code"];
    if code == "WRONG_CREDENTIALS" { Ok(time) } else { Err(reply.to_string().into()) }
}

fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let (low, high) = (times[(times.len() - 1) / 2], times[times.len() / 2]);
    (low + high).as_secs_f64() * 1_000.0 / 2.0
}
