//! The recipes of `docs/moving-in.md`, run as they are written there, each with an application's own
//! database. `MOVING_IN_USERS=50000` takes the size of a real one.

use std::{collections::HashMap, fs, path::Path, process::Command};

use entourage::{
    domain::{
        Audience, Ends, ExternalId, FollowList, FollowPageKey, ListReader, OrderDirection,
        PageRequest, UserId, Window,
    },
    store::Store,
};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::file;
use crate::support::{
    app::{TestApp, settings},
    database::{Database, Engine},
    figures::number_of,
    follow::counts_of,
};

/// The users whose lists are compared.
const COMPARED: i64 = 1_000;

fn number_of_users() -> i64 {
    number_of("MOVING_IN_USERS", 500)
}

/// The commands of a recipe.
fn recipe(heading: &str) -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/moving-in.md"));
    let page = page.expect("the page is there");
    let (_, section) = page.split_once(&format!("### {heading}\n")).expect("the recipe is there");
    let (_, block) = section.split_once("```sh\n").expect("it has commands");
    block.split("```").next().expect("it ends").to_owned()
}

/// Runs a recipe in a folder as a person would, and returns what it printed.
async fn run(recipe: String, folder: &Path, database: &Database, application: &str) -> String {
    let binaries = Path::new(env!("CARGO_BIN_EXE_entourage")).parent().expect("a folder");
    let script = format!("PATH=\"$BINARIES:$PATH\"\n{recipe}");
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", &script]).current_dir(folder).env("BINARIES", binaries);
    shell.env("DATABASE_URL", &database.url).env("APP_DATABASE", application);
    let output = spawn_blocking(move || shell.output()).await.expect("it does not panic");
    let output = output.expect("there is bash");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Our ids of users by their ids in the application.
async fn ids(store: &dyn Store, users: i64) -> HashMap<i64, UserId> {
    let mut ids = HashMap::new();
    for first in (1..=users).step_by(1_000) {
        let last = (first + 999).min(users);
        let names: Vec<_> = (first..=last)
            .map(|id| ExternalId::parse(&id.to_string()).expect("an external id"))
            .collect();
        let found = store.users_by_external_ids(Audience::EVERYBODY, &names).await;
        for (name, user) in found.expect("the store works") {
            ids.insert(name.as_str().parse().expect("a number"), user.id);
        }
    }
    ids
}

/// A list of a user as the application and as we have it: its length and its newest users.
type List = (i64, Vec<UserId>);

async fn lists(store: &dyn Store, user: UserId) -> [List; 2] {
    let counts = store.lists_by_ids(Audience::EVERYBODY, &[user]).await.expect("the store works");
    let counts = counts_of(counts)[&user];
    let page = async |list| {
        let request = PageRequest {
            direction: OrderDirection::Desc,
            window: Window::First(50),
            after: None,
            before: None,
            ends: Ends::BOTH,
        };
        let key = FollowPageKey { user, list, reader: ListReader::Other(None), request };
        let pages = store.pages_of_follows(Audience::EVERYBODY, &[key]).await;
        let mut pages = pages.expect("the store works");
        let page = pages.remove(&key).expect("the user exists").page;
        page.items.iter().map(|item| item.user).collect::<Vec<_>>()
    };
    [
        (counts.followers, page(FollowList::Followers).await),
        (counts.following, page(FollowList::Following).await),
    ]
}

/// Signs in with an old password.
async fn sign_in(database: Database, username: &str, password: &str) {
    let app = TestApp::on(database, settings()).await;
    let query = "mutation ($in: SignInInput!) { signIn(input: $in) { token userErrors { code } } }";
    for (password, code) in [(password, None), ("wrong horse", Some("WRONG_CREDENTIALS"))] {
        let input = json!({ "username": username, "password": password });
        let answer = app.graphql(query, json!({ "in": input }), None).await;
        let answer = &answer["data"]["signIn"];
        assert_eq!(answer["token"].is_string(), code.is_none(), "{answer}");
        assert_eq!(answer["userErrors"][0]["code"].as_str(), code);
    }
}

/// What the application itself would answer, without the follow of oneself that it adds for its own
/// purposes.
async fn lists_of_flask(
    application: &mut SqliteConnection,
    ids: &HashMap<i64, UserId>,
    user: i64,
) -> [List; 2] {
    let mut list = async |owner: &str, other: &str| {
        let sql = format!(
            "SELECT {other} FROM follows WHERE {owner} = ? AND follower_id <> followed_id \
             ORDER BY timestamp DESC"
        );
        let others = sqlx::query_scalar(AssertSqlSafe(sql)).bind(user);
        let others: Vec<i64> = others.fetch_all(&mut *application).await.expect("it answers");
        let length = i64::try_from(others.len()).expect("few");
        (length, others.iter().take(50).map(|id| ids[id]).collect::<Vec<_>>())
    };
    [list("followed_id", "follower_id").await, list("follower_id", "followed_id").await]
}

async fn flask_moves_in(engine: Engine) {
    let (folder, users) = (TempDir::new().expect("a folder"), number_of_users());
    let script = file("moving_in/application.py");
    let mut python = Command::new(file("python/.venv/bin/python"));
    python.arg(script).arg(folder.path().join("app.db"));
    python.args([users.to_string(), (users * 12).to_string()]);
    let made = spawn_blocking(move || python.output()).await.expect("it does not panic");
    let made = made.expect("there is Python after `make clients`");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let database = Database::migrated(engine).await;
    let printed = run(recipe("Flask and SQLAlchemy"), folder.path(), &database, "").await;
    let loaded = format!("{} loaded, 0 there already, {users} rejected", users * 12);
    assert!(printed.contains(&format!("{users} loaded, 0 there already, 0 rejected")), "{printed}");
    assert!(printed.contains(&loaded), "users follow themselves in the application: {printed}");

    let url = format!("sqlite://{}", folder.path().join("app.db").display());
    let mut application = SqliteConnection::connect(&url).await.expect("the file is there");
    let store = database.store();
    let ids = ids(store, users).await;
    assert_eq!(i64::try_from(ids.len()).expect("few"), users);
    for user in 1..=users.min(COMPARED) {
        let expected = lists_of_flask(&mut application, &ids, user).await;
        assert_eq!(lists(store, ids[&user]).await, expected, "user {user}");
    }
    assert_eq!(store.find_drift(&|_| {}).await.expect("the store works"), []);
    sign_in(database, "user2", "cat").await;
}

#[tokio::test]
async fn a_flask_application_moves_to_sqlite() {
    flask_moves_in(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_flask_application_moves_to_postgresql() {
    flask_moves_in(Engine::Postgres).await;
}

/// Six users of an application on PostgreSQL move in, each of whom follows the next two.
async fn others_move_in(tables: &str, heading: &str, username: &str, password: &str) {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let application = Database::empty(Engine::Postgres).await;
        for statement in tables.split_inclusive(";\n") {
            application.execute(statement).await;
        }
        let (folder, database) =
            (TempDir::new().expect("a folder"), Database::migrated(engine).await);
        let moves = async |application: &Database| {
            run(recipe(heading), folder.path(), &database, &application.url).await
        };
        let printed = application.run(moves).await;
        let reports: Vec<_> = printed.lines().filter(|line| line.contains(" loaded, ")).collect();
        let is_report = |line: &str, loaded: u32| {
            line.ends_with(&format!("{loaded} loaded, 0 there already, 0 rejected"))
        };
        assert!(is_report(reports[0], 6) && is_report(reports[1], 12), "{printed}");

        let store = database.store();
        let ids = ids(store, 6).await;
        for user in 1..=6 {
            let [followers, following] = lists(store, ids[&user]).await;
            let other = |distance: i64| ids[&((user - 1 + distance).rem_euclid(6) + 1)];
            assert_eq!((followers.0, following.0), (2, 2));
            let sorted = |mut users: Vec<UserId>| {
                users.sort_unstable();
                users
            };
            assert_eq!(sorted(following.1), sorted(vec![other(1), other(2)]));
            assert_eq!(sorted(followers.1), sorted(vec![other(-1), other(-2)]));
        }
        assert_eq!(store.find_drift(&|_| {}).await.expect("the store works"), []);
        sign_in(database, username, password).await;
    }
}

const PASSWORD: &str = "correct horse";
const BCRYPT: &str = "$2a$04$yppZuU0NrHxbiZ3ZWq8C9eu3mSalPkrEAQCJHxRInsluTyNJPS2s.";

/// As `manage.py migrate` makes them, with the columns that the recipe reads.
const DJANGO: &str = "
    CREATE TABLE auth_user (id int PRIMARY KEY, password varchar(128) NOT NULL,
        username varchar(150) NOT NULL UNIQUE, first_name varchar(150) NOT NULL,
        last_name varchar(150) NOT NULL, email varchar(254) NOT NULL, date_joined timestamptz NOT NULL);
    CREATE TABLE app_profile (id bigint PRIMARY KEY, user_id int NOT NULL REFERENCES auth_user);
    CREATE TABLE app_profile_follows (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        from_profile_id bigint NOT NULL REFERENCES app_profile,
        to_profile_id bigint NOT NULL REFERENCES app_profile);
    INSERT INTO auth_user
        SELECT n, CASE n WHEN 6 THEN '!Lm0vKTdaJn3XlHC5nVzw9bDzEfxQMfpYUUsHDjKU' ELSE
            'pbkdf2_sha256$1000000$5MMDzqpST9WYtUUDyBICSK$o/uR1WHhKzcO8stvK3bjIhwLlKFy3LaySi0hZldL4wo='
            END, CASE n WHEN 3 THEN 'zoë@example.com' ELSE 'user' || n END, 'First ' || n, '',
            'user@example.com', now() FROM generate_series(1, 6) n;
    INSERT INTO app_profile SELECT 100 + n, n FROM generate_series(1, 6) n;
    INSERT INTO app_profile_follows (from_profile_id, to_profile_id)
        SELECT 100 + n, 101 + (n - 1 + d) % 6 FROM generate_series(1, 6) n, generate_series(1, 2) d;";

/// As Active Record makes them.
const RAILS: &str = "
    CREATE TABLE users (id bigint PRIMARY KEY, name varchar, email varchar, password_digest varchar,
        created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);
    CREATE TABLE relationships (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, follower_id int,
        followed_id int, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);
    INSERT INTO users SELECT n, CASE n WHEN 1 THEN 'Example User' ELSE 'User ' || n END,
        'user@example.com', 'HASH', now(), now() FROM generate_series(1, 6) n;
    INSERT INTO relationships (follower_id, followed_id, created_at, updated_at)
        SELECT n, 1 + (n - 1 + d) % 6, now(), now()
        FROM generate_series(1, 6) n, generate_series(1, 2) d;";

#[tokio::test]
async fn a_django_application_moves_to_both_engines() {
    others_move_in(DJANGO, "Django", "user1", PASSWORD).await;
}

#[tokio::test]
async fn a_rails_application_moves_to_both_engines() {
    others_move_in(&RAILS.replace("HASH", BCRYPT), "Rails", "Example_User", PASSWORD).await;
}
