//! A server on SQLite next to its bare statements: `cargo bench --locked --bench sqlite`.
//!
//! The binary answers two queries over loopback, in its own process. Next to it a plain loop runs the
//! same statements, prepared, on one connection per core: no HTTP, no GraphQL, no JSON. The statements
//! are those of the store, in two forms: with the rows of users, which an answer needs, and with ids
//! only, as a server with a warm cache reads them; that loop looks up no names either. All take turns
//! in each round, and a ratio is the median over the rounds. `cargo test` runs it briefly on a small
//! graph.

mod support;

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use entourage::{domain::ListReader, store};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use support::{Result, Scale, Server, run, say, username};
use tempfile::TempDir;

const SCALE: Scale = Scale { users: 10_000, measured: Duration::from_secs(2) };
const FOLLOWS_PER_USER: usize = 20;
const ROUNDS: usize = 5;
/// The number of concurrent requests, each on its own connection.
const CLIENTS: usize = 16;
/// The number of pages of users to request, and the users on each.
const PAGES: usize = 64;
const PAGE: usize = 50;

const PROFILE: &str = include_str!("peers/queries/entourage/profile.graphql");
const LISTS: &str = include_str!("peers/queries/entourage/lists.graphql");

/// The queries.
#[derive(Clone, Copy)]
enum Question {
    Profile,
    Lists,
}

fn main() -> Result<()> {
    let Some(scale) = SCALE.or_smoke() else { return Ok(()) };
    let folder = TempDir::new()?;
    let file = folder.path().join("bench.db");
    let database = format!("sqlite://{}", file.display());
    run(&database, &["migrate"])?;
    let (users, follows) = (scale.users.to_string(), (scale.users * FOLLOWS_PER_USER).to_string());
    say(&run(&database, &["seed", "--users", &users, "--follows", &follows])?)?;

    let server = Server::start(&database, &[])?;
    let forgetful = Server::start(&database, &[("ENTOURAGE_USERS_CACHED_MAX", "0")])?;
    say("\n                               answers/s   to users   to ids\n")?;
    for (name, question) in [("profile", Question::Profile), ("lists", Question::Lists)] {
        let requests = Arc::new(requests(question, &server, scale.users)?);
        let threads = thread::available_parallelism()?.get();
        let plain = |users| per_second(scale, threads, || Loop::new(question, users, &file));
        let asked = |server| per_second(scale, CLIENTS, || Client::new(server, &requests));
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push([plain(true)?, plain(false)?, asked(&server)?, asked(&forgetful)?]);
        }
        let names = ["loop, with users", "loop, ids alone", "server", "without its user cache"];
        for (n, who) in names.iter().enumerate() {
            let rate = median(rounds.iter().map(|round| round[n]));
            let [to_users, to_ids] =
                [0, 1].map(|plain| median(rounds.iter().map(|round| round[n] / round[plain])));
            say(&format!("{name:<7} {who:<22} {rate:>9.0} {to_users:>8.2} x {to_ids:>6.2} x\n"))?;
        }
    }
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Answers queries one by one.
trait Answer: Send + 'static {
    /// Answers the nth request.
    fn answer(&mut self, n: usize) -> Result<()>;
}

/// Keeps the threads busy for a while and returns their answers per second.
fn per_second<A: Answer>(
    scale: Scale,
    threads: usize,
    each: impl Fn() -> Result<A>,
) -> Result<f64> {
    let (next, answers) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let sources = (0..threads).map(|_| each()).collect::<Result<Vec<_>>>()?;
    let begin = Instant::now() + scale.measured / 4;
    let mut running: Vec<thread::JoinHandle<Result<()>>> = Vec::new();
    for mut source in sources {
        let (next, answers) = (Arc::clone(&next), Arc::clone(&answers));
        running.push(thread::spawn(move || {
            while begin.elapsed() < scale.measured {
                source.answer(next.fetch_add(1, Ordering::Relaxed))?;
                answers.fetch_add(usize::from(Instant::now() > begin), Ordering::Relaxed);
            }
            Ok(())
        }));
    }
    for thread in running {
        thread.join().map_err(|_| "a thread panicked")??;
    }
    #[expect(clippy::cast_precision_loss, reason = "numbers for people to read")]
    let answers = answers.load(Ordering::Relaxed) as f64;
    if answers == 0.0 {
        return Err("nothing was answered".into());
    }
    Ok(answers / begin.elapsed().as_secs_f64())
}

/// The requests of a query, one for each user or page.
fn requests(question: Question, server: &Server, users: usize) -> Result<Vec<Vec<u8>>> {
    match question {
        Question::Profile => {
            let variables = (1..=users).map(|n| json!({ "username": username(n) }));
            Ok(variables.map(|variables| request(PROFILE, &variables)).collect())
        }
        Question::Lists => {
            let (mut client, mut after) = (Client::new(server, &Arc::default())?, Value::Null);
            let mut requests = Vec::new();
            for _ in 0..PAGES {
                let request = request(LISTS, &json!({ "after": after }));
                let answer: Value = serde_json::from_slice(client.ask(&request)?)?;
                after = answer["data"]["users"]["pageInfo"]["endCursor"].clone();
                requests.push(request);
            }
            Ok(requests)
        }
    }
}

fn request(document: &str, variables: &Value) -> Vec<u8> {
    let body = json!({ "query": document, "variables": variables }).to_string();
    format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A persistent connection. It does as little as a client can, since it shares the cores.
struct Client {
    connection: BufReader<TcpStream>,
    requests: Arc<Vec<Vec<u8>>>,
    line: String,
    body: Vec<u8>,
}

impl Client {
    fn new(server: &Server, requests: &Arc<Vec<Vec<u8>>>) -> Result<Self> {
        let connection = TcpStream::connect(&server.address)?;
        connection.set_nodelay(true)?;
        Ok(Self {
            connection: BufReader::with_capacity(64 * 1024, connection),
            requests: Arc::clone(requests),
            line: String::new(),
            body: Vec::new(),
        })
    }

    fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.connection.get_mut().write_all(request)?;
        let mut length = 0;
        loop {
            self.line.clear();
            self.connection.read_line(&mut self.line)?;
            match self.line.trim_end().split_once(": ") {
                Some(("content-length", value)) => length = value.parse()?,
                None if self.line == "\r\n" => break,
                _ => {}
            }
        }
        self.body.resize(length, 0);
        self.connection.read_exact(&mut self.body)?;
        if self.body.starts_with(b"{\"data\"") {
            Ok(&self.body)
        } else {
            Err(String::from_utf8_lossy(&self.body).into_owned().into())
        }
    }
}

impl Answer for Client {
    fn answer(&mut self, n: usize) -> Result<()> {
        let requests = Arc::clone(&self.requests);
        self.ask(&requests[n % requests.len()])?;
        Ok(())
    }
}

/// The statements of a query on a connection.
struct Loop {
    question: Question,
    runtime: tokio::runtime::Runtime,
    connection: SqliteConnection,
    statements: HashMap<&'static str, &'static str>,
    /// The users by name.
    users: Vec<i64>,
    /// Whether the users are cached.
    remembers: bool,
}

impl Loop {
    fn new(question: Question, with_users: bool, file: &Path) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let mut connection = runtime.block_on(options.connect())?;
        let statements = [
            ("user", "users::BY_USERNAMES"),
            ("users", "users::FIRST"),
            ("pages", "follows::pages::PAGES"),
        ];
        let statements = statements.map(|(name, path)| (name, statement(path)));
        let ids = sqlx::query_scalar("SELECT id FROM users ORDER BY username_key");
        let users = runtime.block_on(ids.fetch_all(&mut connection))?;
        let statements = statements.into();
        Ok(Self { question, runtime, connection, statements, users, remembers: !with_users })
    }
}

impl Answer for Loop {
    fn answer(&mut self, n: usize) -> Result<()> {
        let Self { question, runtime, connection, statements, users, remembers } = self;
        runtime.block_on(async {
            match question {
                Question::Profile => {
                    let n = n % users.len();
                    let id = if *remembers {
                        users[n]
                    } else {
                        let names = json!([username(n + 1)]).to_string();
                        let user = sqlx::query(statements["user"]).bind(names).bind(NO_READER);
                        user.fetch_one(&mut *connection).await?.try_get(0)?
                    };
                    pages(connection, statements["pages"], &[id], &[FOLLOWERS], 20).await
                }
                Question::Lists => {
                    let after = username(n % PAGES * PAGE);
                    let users = sqlx::query(statements["users"])
                        .bind(i64::try_from(PAGE + 1)?)
                        .bind(false)
                        .bind(false)
                        .bind(after)
                        .bind("~")
                        .bind(NO_READER)
                        .bind(ANY_ROLE);
                    let users = users.fetch_all(&mut *connection).await?;
                    let users = users.iter().take(PAGE).map(|user| user.try_get(2));
                    let ids = users.collect::<sqlx::Result<Vec<i64>>>()?;
                    let lists = [FOLLOWERS, FOLLOWING];
                    pages(connection, statements["pages"], &ids, &lists, 10).await
                }
            }
        })
    }
}

/// A statement for SQLite, by the path of its constant.
fn statement(path: &str) -> &'static str {
    let [(_, all), _] = store::statements();
    let mut found = all.into_iter().filter(|(name, _)| name.ends_with(path));
    found.next().map(|(_, sql)| sql).expect("there is such a constant")
}

/// A reader who is signed out, from whom no user is hidden.
const NO_READER: Option<i64> = None;

/// Users of any role.
const ANY_ROLE: Option<&str> = None;

/// How the page statement distinguishes the two lists.
const FOLLOWERS: i64 = 1;
const FOLLOWING: i64 = 0;

/// Reads the newest entries of these lists of each user, as the store does if `hasNextPage` is not
/// selected.
async fn pages(
    connection: &mut SqliteConnection,
    sql: &'static str,
    owners: &[i64],
    lists: &[i64],
    first: i64,
) -> Result<()> {
    let rule = ListReader::Other(None).rule();
    let of_list = |list: &i64| {
        let list = *list;
        owners.iter().map(move |owner| [*owner, 0, i64::MIN, 0, 0, i64::MAX, 0, 0, list, 0, rule])
    };
    let keys: Vec<_> = lists.iter().flat_map(of_list).collect();
    let rows = sqlx::query(sql).bind(serde_json::to_string(&keys)?).bind(first);
    let rows = rows.fetch_all(connection).await?;
    let edges = rows.iter().map(|row| row.try_get::<&str, _>(7).map(str::len));
    let edges: usize = edges.sum::<sqlx::Result<usize>>()?;
    // An empty list is two brackets; one user may have an empty list, but not all of many.
    let are_empty = keys.len() > 1 && edges <= 2 * keys.len();
    if rows.len() == keys.len() && !are_empty {
        Ok(())
    } else {
        Err("the lists are missing or empty".into())
    }
}
