//! `backup` and `restore`: copies of a SQLite file, and what they refuse.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use super::{Server, complaint, names_in, refused, said};
use crate::support::{
    database::{Database, Engine},
    process::at,
};

/// A database with users in a folder of its own.
struct Place(TempDir);

impl Place {
    /// With users of these names.
    fn with(names: &[&str]) -> Self {
        let place = Self(TempDir::new().expect("a folder"));
        said(at(&place.url(), &["migrate"]));
        for name in names {
            at(&place.url(), &["user", "add", name, "--no-password"]).success();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.text("graph.db"))
    }

    /// The usernames in the database.
    fn users(&self) -> Vec<String> {
        let list = said(at(&self.url(), &["user", "list"]));
        list.lines().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
    }

    fn backup(&self, name: &str) -> String {
        let file = self.text(name);
        said(at(&self.url(), &["backup", &file]));
        file
    }

    #[track_caller]
    fn assert_refused(&self, arguments: &[&str], expected: &str) {
        let (before, users) = (names_in(self.0.path()), self.users());
        let line = complaint(&at(&self.url(), arguments), 1);
        assert!(line.contains(expected), "{line}");
        assert_eq!(self.users(), users, "the database is as it was");
        assert_eq!(names_in(self.0.path()), before, "nothing is left");
    }
}

/// Runs SQL on a file.
async fn execute(path: &Path, sql: &str) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.expect("it opens");
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect("good SQL");
    connection.close().await.expect("it closes");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn a_backup_is_restored() {
    let place = Place::with(&["alice", "bob"]);
    let file = place.text("backup.db");
    let said_of = said(at(&place.url(), &["backup", &file]));
    let bytes = fs::metadata(&file).expect("it is there").len();
    assert_eq!(said_of, format!("copied {} to {file}: {bytes} bytes\n", place.text("graph.db")));
    assert_eq!(mode(Path::new(&file)), 0o600);

    said(at(&place.url(), &["user", "delete", "bob"]));
    at(&place.url(), &["user", "add", "carol", "--no-password"]).success();
    fs::set_permissions(place.path("graph.db"), fs::Permissions::from_mode(0o640)).expect("works");
    let graph = place.text("graph.db");
    let has_users = format!("{graph}: it has users; --force replaces it");
    place.assert_refused(&["restore", &file], &has_users);
    let restored = said(at(&place.url(), &["restore", "--force", &file]));
    assert_eq!(
        restored,
        format!("restored {graph} from {file}: {bytes} bytes; run `entourage check` next\n")
    );
    assert_eq!(place.users(), ["alice", "bob"]);
    assert_eq!(mode(&place.path("graph.db")), 0o640, "as before, for the user of the server");
    said(at(&place.url(), &["check"]));
    at(&place.url(), &["user", "add", "dave", "--no-password"]).success();
    assert_eq!(place.users(), ["alice", "bob", "dave"]);
    assert_eq!(names_in(place.0.path()), ["backup.db", "graph.db"]);
}

#[test]
fn a_backup_is_restored_where_there_is_no_database() {
    let place = Place::with(&["alice"]);
    let file = place.backup("backup.db");
    let other = TempDir::new().expect("a folder");
    let url = format!("sqlite://{}", other.path().join("new.db").display());
    said(at(&url, &["restore", &file]));
    assert!(said(at(&url, &["user", "list"])).starts_with("alice "));
    assert_eq!(mode(&other.path().join("new.db")), 0o600);
    // One without users is replaced as well.
    let url = format!("sqlite://{}", other.path().join("empty.db").display());
    said(at(&url, &["migrate"]));
    said(at(&url, &["restore", &file]));
    assert!(said(at(&url, &["user", "list"])).starts_with("alice "));
}

#[tokio::test]
async fn a_database_is_backed_up_but_not_replaced_beside_a_server() {
    let place = Place::with(&["alice"]);
    let before = place.backup("before.db");
    let server = Server::at(&place.url(), &["--sign-up", "open"]);
    let sign_up = "mutation { signUp(input: {username: \"bob\", password: \"correct horse\"}) \
                   { userErrors { code } } }";
    let answer = server.graphql(sign_up, serde_json::json!({}), None).await;
    assert_eq!(answer["data"]["signUp"]["userErrors"], serde_json::json!([]), "{answer}");

    let line = complaint(&at(&place.url(), &["restore", "--force", &before]), 1);
    let open = "another process has it open: stop the server first";
    assert_eq!(line, format!("{}: {open}", place.text("graph.db")));
    // What the server has written is in its log, and in the copy.
    let during = place.backup("during.db");
    let query = "{ users { totalCount } }";
    let answer = server.graphql(query, serde_json::json!({}), None).await;
    assert_eq!(answer["data"]["users"]["totalCount"], 2, "{answer}");
    drop(server);

    said(at(&place.url(), &["restore", "--force", &during]));
    assert_eq!(place.users(), ["alice", "bob"]);
    // Also after the server was killed, which leaves its log behind.
    said(at(&place.url(), &["restore", "--force", &before]));
    assert_eq!(place.users(), ["alice"]);
}

#[tokio::test]
async fn what_is_no_backup_is_refused() {
    let place = Place::with(&["alice"]);
    let file = place.backup("backup.db");
    let whole = fs::read(&file).expect("it is there");

    let exists = format!("{file}: it is there already; name a new file");
    place.assert_refused(&["backup", &file], &exists);
    let nowhere = place.text("missing/backup.db");
    place.assert_refused(&["backup", &nowhere], "No such file or directory");
    place.assert_refused(&["restore", &nowhere], "No such file or directory");
    let folder = place.0.path().display().to_string();
    place.assert_refused(&["restore", &folder], "it is not a file");
    place.assert_refused(&["restore", &place.text("graph.db")], "it is the database itself");

    let write = |name: &str, bytes: &[u8]| {
        fs::write(place.path(name), bytes).expect("writes");
        place.text(name)
    };
    let force = |file: &str, expected: &str| {
        place.assert_refused(&["restore", "--force", file], expected);
    };
    force(&write("text.db", &b"not a database ".repeat(100)), "it is not a SQLite database");
    force(&write("empty.db", b""), "the database has no tables");
    let half = write("half.db", &whole[..whole.len() / 2 / 2_048 * 2_048]);
    force(&half, "malformed");
    // A page of a table that is read by a check only.
    let mut damaged = whole.clone();
    let last = damaged.len() - 2_048;
    damaged[last..last + 64].fill(0xFF);
    let damaged = write("damaged.db", &damaged);
    force(&damaged, "damaged");

    execute(&place.path("foreign.db"), "CREATE TABLE things (id INTEGER)").await;
    force(&place.text("foreign.db"), "tables that are not ours");
    fs::copy(&file, place.path("newer.db")).expect("copies");
    let newer = "INSERT INTO _sqlx_migrations \
                 (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'later', true, x'00', 0)";
    execute(&place.path("newer.db"), newer).await;
    force(&place.text("newer.db"), "the schema is of migration 9999");
}

#[tokio::test]
async fn another_program_and_damage_are_not_replaced_by_mistake() {
    let place = Place::with(&["alice"]);
    let file = place.backup("backup.db");
    execute(&place.path("foreign.db"), "CREATE TABLE things (id INTEGER)").await;
    let url = format!("sqlite://{}", place.text("foreign.db"));
    for arguments in [&["restore", &file][..], &["restore", "--force", &file]] {
        let line = complaint(&at(&url, arguments), 1);
        assert!(line.contains("tables that are not ours"), "{line}");
    }
    let copy = place.text("copy.db");
    let line = complaint(&at(&url, &["backup", &copy]), 1);
    assert!(line.contains("tables that are not ours"), "{line}");

    let broken = place.path("broken.db");
    let url = format!("sqlite://{}", broken.display());
    fs::write(&broken, b"no database ".repeat(10_000)).expect("writes");
    fs::write(place.path("broken.db-wal"), b"an old log").expect("writes");
    let line = complaint(&at(&url, &["restore", &file]), 1);
    assert!(line.contains("it cannot be read") && line.ends_with("--force replaces it"), "{line}");
    said(at(&url, &["restore", "--force", &file]));
    assert!(said(at(&url, &["user", "list"])).starts_with("alice "));
    let left: Vec<_> = names_in(place.0.path());
    assert!(left.iter().all(|name| !name.contains(".tmp") && !name.contains(".old")), "{left:?}");
}

#[test]
fn a_restore_that_fails_late_changes_nothing() {
    let place = Place::with(&["alice"]);
    let file = place.backup("backup.db");
    // A folder cannot be replaced by a file, which the last step finds out.
    fs::create_dir(place.path("folder.db")).expect("a folder");
    fs::write(place.path("folder.db-wal"), b"an old log").expect("writes");
    let before = names_in(place.0.path());
    let url = format!("sqlite://{}", place.text("folder.db"));
    let line = complaint(&at(&url, &["restore", "--force", &file]), 1);
    assert!(line.ends_with("Is a directory (os error 21)"), "{line}");
    assert_eq!(names_in(place.0.path()), before);
    assert_eq!(fs::read(place.path("folder.db-wal")).expect("it is there"), b"an old log");
}

#[test]
fn the_database_behind_a_symbolic_link_is_replaced() {
    let place = Place::with(&["alice"]);
    let file = place.backup("backup.db");
    at(&place.url(), &["user", "add", "bob", "--no-password"]).success();
    let elsewhere = TempDir::new().expect("a folder");
    let link = elsewhere.path().join("link.db");
    symlink(place.path("graph.db"), &link).expect("a link");
    let url = format!("sqlite://{}", link.display());
    let line = complaint(&at(&url, &["restore", "--force", &place.text("graph.db")]), 1);
    assert!(line.ends_with("it is the database itself"), "{line}");
    said(at(&url, &["restore", "--force", &file]));
    assert_eq!(place.users(), ["alice"]);
    assert_eq!(names_in(elsewhere.path()), ["link.db"]);
    assert!(link.is_symlink());

    fs::remove_file(place.path("graph.db")).expect("it is there");
    let line = complaint(&at(&url, &["restore", &file]), 1);
    assert!(line.contains("No such file or directory"), "{line}");
}

#[test]
fn the_log_of_a_copy_by_hand_is_restored_too() {
    let place = Place::with(&["alice"]);
    let server = Server::at(&place.url(), &[]);
    at(&place.url(), &["user", "add", "bob", "--no-password"]).success();
    server.signal("KILL");
    drop(server);
    for ending in ["", "-wal"] {
        fs::copy(place.path(&format!("graph.db{ending}")), place.path(&format!("hand.db{ending}")))
            .expect("copies");
    }
    said(at(&place.url(), &["user", "delete", "bob"]));
    said(at(&place.url(), &["restore", "--force", &place.text("hand.db")]));
    assert_eq!(place.users(), ["alice", "bob"]);
}

#[tokio::test]
async fn postgresql_has_programs_of_its_own() {
    let database = Database::empty(Engine::Postgres).await;
    database
        .run(async |database| {
            let dump = "the database is on PostgreSQL: use `pg_dump --format=custom --file=x.dump \
                        \"$DATABASE_URL\"`";
            refused(&at(&database.url, &["backup", "x.dump"]), 1, dump);
            let restore = "the database is on PostgreSQL: use `pg_restore \
                           --dbname=\"$DATABASE_URL\" --no-owner x.dump`";
            refused(&at(&database.url, &["restore", "x.dump"]), 1, restore);
        })
        .await;
}
