//! `entourage serve`: the banner, the demo graph, the key file and the shutdown.

use std::{fs, net::TcpStream, os::unix::fs::PermissionsExt};

use jsonwebtoken::decode_header;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{KEY, Server, complaint, names_in, on, on_both_engines, run, said};
use crate::support::database::Database;

on_both_engines! {
    the_demo_accounts_sign_in,
    a_database_with_users_is_not_filled,
    only_demo_accounts_that_sign_in_are_listed,
    a_token_from_the_command_line_is_accepted,
    a_signal_stops_the_server_cleanly,
}

const SIGN_IN: &str = "mutation($username: String!) {
    signIn(input: {username: $username, password: \"entourage\"}) { token }
}";

async fn sign_in(server: &Server, username: &str) -> String {
    let reply = server.graphql(SIGN_IN, json!({ "username": username }), None).await;
    let token = reply["data"]["signIn"]["token"].as_str();
    token.unwrap_or_else(|| panic!("no token: {reply}")).to_owned()
}

async fn the_demo_accounts_sign_in(database: &Database) {
    let server = Server::start(database, &["--demo", "--migrate", "--sign-up", "open"]);

    for (username, role) in [
        ("ada", "user"),
        ("emily", "user"),
        ("diogenes", "restricted"),
        ("hypatia", "moderator"),
        ("grace", "admin"),
    ] {
        assert!(server.banner.contains(&format!("  {username} ")), "{}", server.banner);
        let token = sign_in(&server, username).await;
        let reply = server.graphql("{ viewer { role { name } } }", json!({}), Some(&token)).await;
        assert_eq!(reply["data"]["viewer"]["role"]["name"], role);
    }

    let lists = "{ ada: user(username: \"ada\") { followers { totalCount } }
                   emily: user(username: \"emily\") { followers { totalCount } } }";
    let reply = server.graphql(lists, json!({}), None).await;
    assert_eq!(reply["data"]["ada"]["followers"]["totalCount"], 24);
    assert_eq!(reply["data"]["emily"]["followers"]["totalCount"], 0);
    assert_eq!(said(on(database, &["check"])), "OK: 27 users, 0 differences\n");
}

async fn a_database_with_users_is_not_filled(database: &Database) {
    database.store().migrate().await.expect("migrates");
    on(database, &["user", "add", "zoe", "--no-password"]).success();

    let server = Server::start(database, &["--demo", "--sign-up", "open"]);
    let line = "The database already has users: --demo changed nothing.\n";
    assert!(server.banner.contains(line), "{}", server.banner);
    assert!(!server.banner.contains("diogenes"), "{}", server.banner);
    let reply = server.graphql("{ users { totalCount } }", json!({}), None).await;
    assert_eq!(reply["data"]["users"]["totalCount"], 1);
}

async fn only_demo_accounts_that_sign_in_are_listed(database: &Database) {
    drop(Server::start(database, &["--demo", "--migrate"]));
    on(database, &["user", "delete", "emily"]).success();
    on(database, &["user", "delete", "grace"]).success();

    let server = Server::start(database, &["--demo", "--sign-up", "open"]);
    let listed = |name: &str| server.banner.contains(&format!("\n  {name} "));
    assert!(listed("ada") && listed("hypatia"), "{}", server.banner);
    assert!(!listed("emily") && !listed("grace"), "{}", server.banner);
    assert!(!server.banner.contains("emily"), "{}", server.banner);
}

async fn a_token_from_the_command_line_is_accepted(database: &Database) {
    let server = Server::start(database, &["--demo", "--migrate", "--sign-up", "closed"]);
    let line = "Sign-up is closed: `entourage token emily` prints a bearer token.\n";
    assert!(server.banner.contains(line), "{}", server.banner);
    let tokens = said(on(database, &["token", "emily", "ADA", "--ttl", "5m"]));
    let tokens: Vec<_> = tokens.lines().collect();
    assert_eq!(tokens.len(), 2);

    for (token, username) in tokens.into_iter().zip(["emily", "ada"]) {
        let query = "{ viewer { user { username } permissions } }";
        let reply = server.graphql(query, json!({}), Some(token)).await;
        let expected = json!({ "user": { "username": username }, "permissions": ["FOLLOW"] });
        assert_eq!(reply["data"]["viewer"], expected, "{reply}");
    }
    let narrow = said(on(database, &["token", "grace", "--scope", "follow"]));
    let query = "{ viewer { permissions } }";
    let reply = server.graphql(query, json!({}), Some(narrow.trim())).await;
    assert_eq!(reply["data"]["viewer"]["permissions"], json!(["FOLLOW"]));
}

async fn a_signal_stops_the_server_cleanly(database: &Database) {
    for signal in ["TERM", "INT", "HUP"] {
        let server = Server::start(database, &["--migrate"]);
        let address = server.address.clone();
        server.signal(signal);
        assert!(server.wait().success(), "SIG{signal}");
        assert!(TcpStream::connect(address).is_err(), "something still listens");
    }
}

#[tokio::test]
async fn a_key_is_replaced_without_signing_users_out() {
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path();
    let (old, new) =
        ("the old key of the tests, 32 bytes long", "the new key of the tests, 32 bytes long");
    fs::write(folder.join("old"), format!("{old}\n")).expect("writes");
    fs::write(folder.join("new"), format!("{new}\n")).expect("writes");
    let (first, second) = ("ENTOURAGE_JWT_SECRET_FILE", "ENTOURAGE_JWT_SECOND_SECRET_FILE");
    said(run(folder, ["migrate"], &[]));
    run(folder, ["user", "add", "zoe", "--no-password"], &[]).success();
    let token = |variables: &[(&str, &str)]| {
        said(run(folder, ["token", "zoe"], variables)).trim().to_owned()
    };
    let (of_old, of_new) = (token(&[(first, "old")]), token(&[(first, "new"), (second, "old")]));
    let id = |token: &str| decode_header(token).expect("a header").kid.expect("a key id");
    assert_ne!(id(&of_old), id(&of_new), "the first key signs");
    assert_eq!(id(&of_new), id(&token(&[(first, "new")])), "the id is made of the key");

    // First all servers verify the new key, then they sign with it, then the old one goes.
    for (variables, accepted) in [
        (&[(first, "old"), (second, "new")][..], [true, true]),
        (&[(first, "new"), (second, "old")], [true, true]),
        (&[(first, "new")], [false, true]),
    ] {
        let server = Server::with(Some(folder), &[], variables);
        for (token, is_accepted) in [&of_old, &of_new].into_iter().zip(accepted) {
            let reply =
                server.graphql("{ viewer { role { name } } }", json!({}), Some(token)).await;
            assert_eq!(!reply["data"]["viewer"].is_null(), is_accepted, "{variables:?}: {reply}");
        }
    }
}

#[test]
fn a_server_under_nohup_ignores_its_terminal() {
    let ignores_hang_up = |server: &Server| {
        let status = fs::read_to_string(format!("/proc/{}/status", server.id()));
        let status = status.expect("this is Linux");
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask");
        u64::from_str_radix(mask.trim(), 16).expect("hexadecimal") & 1 == 1
    };
    assert!(ignores_hang_up(&Server::with_nohup()));
    assert!(!ignores_hang_up(&Server::with(None, &[], &[])));
}

fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

#[test]
fn the_key_is_generated_once_and_only_its_owner_may_read_it() {
    let folder = folder();
    drop(Server::with(Some(folder.path()), &[], &[]));
    let file = folder.path().join("entourage.secret");
    let key = fs::read(&file).expect("it was made");
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);

    drop(Server::with(Some(folder.path()), &[], &[]));
    assert_eq!(fs::read(&file).expect("it is there"), key);
}

#[test]
fn a_configured_key_creates_no_key_file() {
    let folder = folder();
    let variables = [("ENTOURAGE_JWT_SECRET", KEY)];
    let server = Server::with(Some(folder.path()), &[], &variables);
    server.signal("TERM");
    server.wait();
    assert_eq!(names_in(folder.path()), ["entourage.db"]);
}

#[tokio::test]
async fn a_second_start_with_demo_prints_the_accounts_again() {
    let folder = folder();
    drop(Server::with(Some(folder.path()), &["--demo"], &[]));
    let server = Server::with(Some(folder.path()), &["--demo"], &[]);
    assert!(server.banner.contains("--demo changed nothing"), "{}", server.banner);
    sign_in(&server, "ada").await;
    assert!(server.banner.contains("  ada "), "{}", server.banner);
}

#[tokio::test]
async fn sign_up_is_open_or_closed_as_configured() {
    let query = "{ __schema { mutationType { fields { name } } } }";
    for (arguments, is_open) in [(&[][..], true), (&["--sign-up", "closed"], false)] {
        let server = Server::with(None, arguments, &[]);
        let reply = server.graphql(query, json!({}), None).await;
        let fields = &reply["data"]["__schema"]["mutationType"]["fields"];
        let has = fields.as_array().is_some_and(|f| f.contains(&json!({ "name": "signUp" })));
        assert_eq!(has, is_open, "{reply}");
        assert_eq!(server.banner.contains("Sign-up is closed"), !is_open, "{}", server.banner);
    }
}

#[tokio::test]
async fn a_variable_sets_its_limit() {
    let variables = [("ENTOURAGE_PAGE_SIZE_MAX", "3")];
    let server = Server::with(None, &[], &variables);
    let reply = server.graphql("{ users(first: 4) { totalCount } }", json!({}), None).await;
    assert_eq!(reply["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{reply}");
    let reply = server.graphql("{ users(first: 3) { totalCount } }", json!({}), None).await;
    assert_eq!(reply.get("errors"), None::<&Value>, "{reply}");
}

#[tokio::test]
async fn slow_operations_are_those_of_the_setting() {
    for (setting, is_logged) in [("1ms", true), ("off", false)] {
        let server = Server::with(None, &["--slow-operation", setting], &[]);
        // Hashing a password takes longer.
        let sign_up = "mutation { signUp(input: {username: \"zoe\", password: \"long enough\"}) {
            token } }";
        server.graphql(sign_up, json!({}), None).await;
        assert_eq!(server.log().contains("a slow operation"), is_logged, "{}", server.log());
    }
}

#[tokio::test]
async fn metrics_can_have_a_listener_of_their_own() {
    let server = Server::with(None, &["--metrics-listen", "127.0.0.1:0"], &[]);
    let line = server.banner.lines().find_map(|line| line.strip_prefix("  metrics   http://"));
    let metrics = line.and_then(|rest| rest.strip_suffix("/metrics")).expect("it is printed");
    let status = async |address: &str| {
        let reply = server.client.get(format!("http://{address}/metrics")).send().await;
        reply.expect("it answers").status().as_u16()
    };
    assert_eq!(status(metrics).await, 200);
    assert_eq!(status(&server.address).await, 404);
}

#[tokio::test]
async fn the_banner_names_the_pages_that_exist() {
    let get = async |server: &Server, path: &str| {
        let reply = server.client.get(format!("http://{}{path}", server.address)).send().await;
        let reply = reply.expect("it answers");
        (reply.status().as_u16(), reply.text().await.expect("text"))
    };
    let names = |server: &Server, what: &str| server.banner.contains(&format!("\n  {what}  "));

    let on = Server::with(None, &[], &[]);
    let (status, page) = get(&on, "/graphiql").await;
    let is_built = !page.contains("built without its pages");
    assert_eq!((status, names(&on, "GraphiQL")), (200, is_built), "{}", on.banner);
    assert_eq!((names(&on, "app     "), names(&on, "pages   ")), (is_built, !is_built));

    for (arguments, variables) in
        [(&["--playground", "off"][..], &[][..]), (&[], &[("ENTOURAGE_PLAYGROUND", "off")])]
    {
        let off = Server::with(None, arguments, variables);
        assert_eq!(get(&off, "/").await.0, 404);
        assert!(!names(&off, "app     ") && !names(&off, "GraphiQL"), "{}", off.banner);
    }
}

#[test]
fn healthcheck_reports_whether_a_server_is_ready() {
    let server = Server::with(None, &[], &[]);
    let address = server.address.clone();
    let here = std::env::temp_dir();
    assert_eq!(said(run(&here, ["healthcheck", "--listen", &address], &[])), "");
    assert_eq!(said(run(&here, ["healthcheck"], &[("ENTOURAGE_LISTEN", &address)])), "");

    drop(server);
    let line = complaint(&run(&here, ["healthcheck", "--listen", &address], &[]), 1);
    assert!(line.starts_with(&format!("no server answers at {address}: ")), "{line}");
    let line = complaint(&run(&here, ["healthcheck", "--listen", "localhost:0"], &[]), 1);
    assert!(line.starts_with("port 0 cannot be checked"), "{line}");
}

#[test]
fn a_second_signal_stops_the_server_at_once() {
    let server = Server::with(None, &[], &[]);
    // An unfinished request keeps the server draining until the drain time is over.
    let mut waiting = TcpStream::connect(&server.address).expect("it listens");
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 9\r\n\r\n{";
    std::io::Write::write_all(&mut waiting, head.as_bytes()).expect("it reads");

    server.signal("TERM");
    while TcpStream::connect(&server.address).is_ok() {
        std::thread::yield_now();
    }
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(1));
}
