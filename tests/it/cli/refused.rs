//! Starts that must fail: exit code 1, one line that says what to do, and nothing half-done.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread,
};

use tempfile::TempDir;

use super::{KEY, Server, complaint, is_sqlite, names_in, on, on_both_engines, refused, run};
use crate::support::database::Database;

on_both_engines! {
    a_foreign_database_is_left_alone,
    a_newer_schema_is_left_alone,
    an_older_schema_is_migrated_only_when_allowed,
}

async fn a_foreign_database_is_left_alone(database: &Database) {
    database.execute("CREATE TABLE recipes (id int PRIMARY KEY)").await;
    let line =
        "the database has tables of another program: point DATABASE_URL to an empty database";

    for arguments in [
        &["serve", "--listen", "127.0.0.1:0", "--demo", "--migrate"][..],
        &["migrate"],
        &["migrate", "--check"],
        &["seed"],
        &["user", "add", "ada", "--no-password"],
        &["token", "ada"],
        &["check", "--repair"],
    ] {
        refused(&on(database, arguments), 1, line);
    }
    database.execute("INSERT INTO recipes (id) VALUES (1)").await;
}

async fn a_newer_schema_is_left_alone(database: &Database) {
    database.store().migrate().await.expect("migrates");
    database
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             SELECT 9999, 'of tomorrow', success, checksum, 0 FROM _sqlx_migrations LIMIT 1",
        )
        .await;

    for arguments in [&["serve", "--listen", "127.0.0.1:0", "--migrate"][..], &["migrate"]] {
        let line = complaint(&on(database, arguments), 1);
        let begin = "the database is at migration 9999, the newest of this program is ";
        assert!(line.starts_with(begin), "{line}");
    }
}

async fn an_older_schema_is_migrated_only_when_allowed(database: &Database) {
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    if !is_sqlite(database) {
        let line = "the database has no tables: run `entourage migrate`, or serve with --migrate";
        refused(&on(database, &serve), 1, line);
    }
    database.store().migrate().await.expect("migrates");
    database.undo_last_migration().await;

    if !is_sqlite(database) {
        let line = complaint(&on(database, &serve), 1);
        assert!(line.contains("run `entourage migrate`, or serve with --migrate"), "{line}");
    }
    let line = complaint(&on(database, &["migrate", "--check"]), 1);
    assert!(line.contains("run `entourage migrate`"), "{line}");

    drop(Server::start(database, &["--migrate"]));
    on(database, &["migrate", "--check"]).success().stdout("the schema is up to date\n");
}

/// An empty folder.
fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

#[test]
fn a_port_in_use_is_reported_before_anything_is_created() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();

    let run = run(folder.path(), ["serve", "--demo", "--listen", &address], &[]);
    let line = format!(
        "{address} is in use: stop what listens there, or choose another address with ENTOURAGE_LISTEN"
    );
    refused(&run, 1, &line);
    assert_eq!(names_in(folder.path()), [""; 0]);
}

#[test]
fn an_address_of_another_machine_is_reported() {
    let folder = folder();
    let line = complaint(&run(folder.path(), ["serve", "--listen", "192.0.2.1:80"], &[]), 1);
    assert!(line.starts_with("cannot listen on 192.0.2.1:80 (ENTOURAGE_LISTEN): "), "{line}");
    assert_eq!(names_in(folder.path()), [""; 0]);
}

#[test]
fn a_short_key_is_reported_before_anything_is_created() {
    let folder = folder();
    let rule = "the secret has 5 bytes, and needs at least 32";
    let variables = [("ENTOURAGE_JWT_SECRET", "short")];
    refused(
        &run(folder.path(), ["serve"], &variables),
        1,
        &format!("ENTOURAGE_JWT_SECRET: {rule}"),
    );
    assert_eq!(names_in(folder.path()), [""; 0]);

    fs::write(folder.path().join("key"), "short\n").expect("writes");
    let variables = [("ENTOURAGE_JWT_SECRET_FILE", "key")];
    let line = format!("ENTOURAGE_JWT_SECRET_FILE key: {rule}");
    refused(&run(folder.path(), ["serve"], &variables), 1, &line);
    let variables = [("ENTOURAGE_JWT_SECOND_SECRET_FILE", "key")];
    let line = format!("ENTOURAGE_JWT_SECOND_SECRET_FILE key: {rule}");
    refused(&run(folder.path(), ["serve"], &variables), 1, &line);
    let variables = [("ENTOURAGE_JWT_SECRET_FILE", "nokey")];
    let line = "ENTOURAGE_JWT_SECRET_FILE nokey: no such file";
    refused(&run(folder.path(), ["serve"], &variables), 1, line);

    // An existing key file is never overwritten.
    fs::write(folder.path().join("entourage.secret"), "short").expect("writes");
    let line = format!("entourage.secret: {rule}");
    refused(&run(folder.path(), ["serve"], &[]), 1, &line);
    assert_eq!(names_in(folder.path()), ["entourage.secret", "key"]);
}

#[test]
fn a_budget_below_one_operation_stops_the_start() {
    let folder = folder();
    let lines = [
        (
            ("ENTOURAGE_COST_PER_MINUTE_MAX", "49999"),
            "ENTOURAGE_COST_PER_MINUTE_MAX (49999) is below ENTOURAGE_NODES_MAX (50000), the cost of \
             the largest operation: raise the first or lower the second",
        ),
        (
            ("ENTOURAGE_COST_PER_ADDRESS_MAX", "499999"),
            "ENTOURAGE_COST_PER_ADDRESS_MAX (499999) is below ENTOURAGE_COST_PER_MINUTE_MAX \
             (500000), the budget of one viewer: raise the first or lower the second",
        ),
    ];
    for (variable, line) in lines {
        refused(&run(folder.path(), ["serve"], &[variable]), 1, line);
    }
    assert_eq!(names_in(folder.path()), [""; 0]);
}

#[test]
fn an_unusable_manifest_of_documents_stops_the_start() {
    let folder = folder();
    let write = |json: &str| fs::write(folder.path().join("client.json"), json).expect("writes");
    let serve = |files: &str| {
        complaint(&run(folder.path(), ["serve"], &[("ENTOURAGE_DOCUMENTS", files)]), 1)
    };

    let line = serve("client.json");
    assert!(line.starts_with("cannot read client.json (ENTOURAGE_DOCUMENTS): "), "{line}");
    write("[]");
    let line = serve("client.json");
    let begin = "ENTOURAGE_DOCUMENTS: client.json is not a manifest: ";
    assert!(line.starts_with(begin), "{line}");
    write(r#"{"abc": "query Profile { nam }"}"#);
    let line = serve("client.json");
    let begin = "ENTOURAGE_DOCUMENTS: client.json: the document \"abc\" cannot run here: ";
    assert!(line.starts_with(begin) && line.contains("nam"), "{line}");
    write(r#"{"abc": "query Profile { __typename }"}"#);
    let line = serve(" client.json, other.json,");
    assert!(line.starts_with("cannot read other.json "), "{line}");
    assert_eq!(names_in(folder.path()), ["client.json"]);
}

#[test]
fn postgresql_requires_a_configured_key() {
    let variables = [("DATABASE_URL", "postgres://127.0.0.1:1/follows")];
    let line = "PostgreSQL requires ENTOURAGE_JWT_SECRET or ENTOURAGE_JWT_SECRET_FILE: generate a key \
                with `openssl rand -hex 32`";
    refused(&run(folder().path(), ["serve"], &variables), 1, line);
}

#[test]
fn an_unreachable_database_is_reported_without_its_password() {
    let url = "postgres://bob:hunter2@127.0.0.1:1/follows";
    let variables = [
        ("DATABASE_URL", url),
        ("ENTOURAGE_JWT_SECRET", KEY),
        ("ENTOURAGE_DATABASE_ACQUIRE_TIMEOUT", "1s"),
    ];
    let serve = ["serve", "--listen", "127.0.0.1:0", "--wait", "off"];
    for arguments in [&serve[..], &["migrate"], &["check"]] {
        let line = complaint(&run(folder().path(), arguments, &variables), 1);
        assert!(line.starts_with("cannot connect to the database: "), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn a_file_that_is_not_a_database_is_left_alone() {
    let folder = folder();
    let text = "shopping list: ".repeat(1_000);
    fs::write(folder.path().join("entourage.db"), &text).expect("writes");

    let run = run(folder.path(), ["serve", "--listen", "127.0.0.1:0"], &[]);
    refused(&run, 1, "entourage.db is not a SQLite database");
    assert_eq!(names_in(folder.path()), ["entourage.db"]);
    assert_eq!(fs::read_to_string(folder.path().join("entourage.db")).expect("reads"), text);
}

#[tokio::test]
async fn a_foreign_sqlite_database_keeps_every_byte() {
    let folder = folder();
    let file = folder.path().join("entourage.db");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url)
        .await
        .expect("a file can be made");
    sqlx::query("CREATE TABLE recipes (id int)").execute(&mut connection).await.expect("makes");
    sqlx::Connection::close(connection).await.expect("closes");
    let before = fs::read(&file).expect("reads");

    let run = run(folder.path(), ["serve", "--listen", "127.0.0.1:0"], &[]);
    complaint(&run, 1);
    assert_eq!(names_in(folder.path()), ["entourage.db"]);
    assert!(fs::read(&file).expect("reads") == before, "the file has changed");
}

#[test]
fn commands_that_only_read_create_no_database() {
    let line = "no such database: entourage.db; `entourage migrate` creates it";
    for arguments in [
        &["token", "ada"][..],
        &["check"],
        &["migrate", "--check"],
        &["user", "role", "ada", "admin"],
        &["user", "delete", "ada"],
        &["user", "sign-out", "ada"],
    ] {
        let folder = folder();
        refused(&run(folder.path(), arguments, &[]), 1, line);
        assert_eq!(names_in(folder.path()), [""; 0], "{arguments:?}");
    }
}

#[test]
fn a_missing_folder_is_reported() {
    let folder = folder();
    let variables = [("DATABASE_URL", "sqlite://nowhere/follows.db")];
    let line = complaint(&run(folder.path(), ["migrate"], &variables), 1);
    assert!(line.starts_with("cannot connect to the database: nowhere/follows.db: "), "{line}");
}

#[test]
fn unreadable_keys_of_a_provider_are_reported() {
    let folder = folder();
    fs::write(folder.path().join("text"), "no keys").expect("writes");
    fs::write(folder.path().join("empty"), r#"{"keys": []}"#).expect("writes");
    for (place, begin) in [
        ("nowhere", "ENTOURAGE_JWKS nowhere: "),
        ("text", "ENTOURAGE_JWKS text: it is not a JSON Web Key Set: "),
        ("empty", "ENTOURAGE_JWKS empty: it holds no key for RS256, ES256 or EdDSA"),
        ("http://127.0.0.1:1/keys", "ENTOURAGE_JWKS http://127.0.0.1:1/keys: "),
    ] {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--wait", "off"];
        let line = complaint(&run(folder.path(), serve, &[("ENTOURAGE_JWKS", place)]), 1);
        assert!(line.starts_with(begin), "{line}");
    }
    assert_eq!(names_in(folder.path()), ["empty", "text"]);
}

#[test]
fn a_file_of_providers_that_cannot_be_used_is_reported() {
    let entry = |name: &str, issuer: &str, more: &str| {
        format!(r#"{{ "name": "{name}", "issuer": "{issuer}", "jwks": "nowhere"{more} }}"#)
    };
    let partner = entry("partner", "https://a.example", "");
    let other = r#", "scope_policy": "ignore", "username_claims": ["nickname"], "profiles": false"#;
    let first = [("ENTOURAGE_JWKS", "nowhere"), ("ENTOURAGE_JWT_ISSUER", "https://a.example")];
    for (text, variables, end) in [
        ("[".to_owned(), &[][..], "EOF while parsing a list at line 1 column 1"),
        (format!("[{}]", entry("A", "b", "")), &[], "the name of a provider has 1 to 32 of a-z"),
        (format!("[{}]", entry("a", "b", r#", "scope": "x""#)), &[], "unknown field `scope`"),
        (
            format!("[{}]", entry("a", "b", r#", "role_claim": """#)),
            &[],
            "write the name of a claim",
        ),
        (
            format!("[{}]", entry("a", "b", r#", "jwks_refresh": "5""#)),
            &[],
            "write a number with ms",
        ),
        (r#"[{ "name": "a", "jwks": "b" }]"#.to_owned(), &[], "missing field `issuer`"),
        (
            format!("[{partner}, {}]", entry("partner", "b", "")),
            &[],
            "two are called provider partner",
        ),
        (format!("[{partner}]"), &first, "two have the issuer https://a.example"),
        (format!("[{partner}]"), &first[..1], "provider needs an issuer, since there are several"),
        (format!("[{}]", entry("a", "b", other)), &[], "a: nowhere: No such file or directory"),
    ] {
        let folder = folder();
        fs::write(folder.path().join("providers.json"), &text).expect("writes");
        let file = [("ENTOURAGE_PROVIDERS_FILE", "providers.json")];
        let variables = [&file[..], variables].concat();
        let serve = ["serve", "--listen", "127.0.0.1:0", "--wait", "off"];
        let line = complaint(&run(folder.path(), serve, &variables), 1);
        assert!(line.starts_with("ENTOURAGE_PROVIDERS_FILE providers.json: "), "{line}");
        assert!(line.contains(end), "{line}");
        assert_eq!(names_in(folder.path()), ["providers.json"]);
    }
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let missing = [("ENTOURAGE_PROVIDERS_FILE", "nowhere")];
    let line = complaint(&run(folder().path(), serve, &missing), 1);
    assert!(line.starts_with("ENTOURAGE_PROVIDERS_FILE nowhere: No such file"), "{line}");
}

#[test]
fn keys_of_a_provider_are_read_from_a_url() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/keys", listener.local_addr().expect("it is bound"));
    let answering = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("it asks");
        let asked = BufReader::new(&stream).lines().map_while(Result::ok);
        assert!(asked.take_while(|line| !line.is_empty()).count() > 0);
        let body = r#"{"keys": []}"#;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).expect("it listens");
    });

    let serve = ["serve", "--listen", "127.0.0.1:0", "--wait", "off"];
    let run = run(folder().path(), serve, &[("ENTOURAGE_JWKS", &url)]);
    let line = format!("ENTOURAGE_JWKS {url}: it holds no key for RS256, ES256 or EdDSA");
    refused(&run, 1, &line);
    answering.join().expect("it answered");
}
