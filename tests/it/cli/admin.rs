//! Administration without a server: `user`, `token`, `check`, `migrate`, `schema`, `completions`.

use std::{fs, path::Path};

use tempfile::TempDir;

use assert_cmd::assert::Assert;
use entourage::domain::{NewUser, UserId, Username};

use super::{complaint, is_sqlite, on, on_both_engines, on_with_input, refused, run, said};
use crate::support::database::Database;

on_both_engines! {
    a_lost_id_is_shown_again,
    an_account_is_exported_as_json,
    a_password_without_sign_up_is_reported,
    a_user_is_added_promoted_and_deleted,
    a_password_comes_from_stdin,
    a_new_password_and_signing_out_revoke_tokens,
    tokens_are_for_existing_users,
    corruption_is_found_and_repaired,
    many_differences_are_summed_up,
    migrate_reports_the_state_of_the_schema,
    users_are_listed_suspended_and_reinstated,
    a_machine_is_added_with_a_role_of_its_own,
    the_audit_log_has_what_the_operator_did,
}

async fn an_account_is_exported_as_json(database: &Database) {
    database.store().migrate().await.expect("migrates");
    on(database, &["user", "add", "alice", "--no-password"]).success();
    on(database, &["user", "suspend", "alice"]).success();
    let text = said(on(database, &["user", "export", "ALICE"]));
    let file: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(file["format"], "entourage-account/1");
    assert_eq!(file["account"]["username"], "alice");
    assert_eq!(file["account"]["standing"], "suspended");
    assert!(text.ends_with(",\n\"complete\":true}\n"), "{text}");
    let unknown = on(database, &["user", "export", "bob"]);
    refused(&unknown, 1, "no such user: \"bob\"");
}

async fn a_user_is_added_promoted_and_deleted(database: &Database) {
    database.store().migrate().await.expect("migrates");
    let run = on(database, &["user", "add", "Zoe", "--name", "Zoe Z.", "--no-password"]);
    let (id, sentence) = printed(run);
    let is_number = id.trim_end().parse::<i64>().is_ok();
    assert!(is_number && id.ends_with('\n'), "{id}");
    assert_eq!(sentence, format!("added Zoe, id {id}"));
    let taken = on(database, &["user", "add", "zoe", "--no-password"]);
    refused(&taken, 1, "the username zoe is taken");
    let bad = on(database, &["user", "add", "z e", "--no-password"]);
    refused(
        &bad,
        1,
        "username must be 1 to 64 of a-z, A-Z, 0-9, _, . and -, and not begin with . or -",
    );

    assert_eq!(
        said(on(database, &["user", "role", "zoe", "admin"])),
        "zoe now has the role admin\n"
    );
    let unknown = on(database, &["user", "role", "zoe", "king"]);
    let line = "unknown role; roles: user, restricted, moderator, admin";
    refused(&unknown, 1, line);
    refused(&on(database, &["user", "role", "bob", "admin"]), 1, "no such user: \"bob\"");

    assert_eq!(said(on(database, &["user", "delete", "ZOE"])), "deleted ZOE\n");
    refused(&on(database, &["user", "delete", "zoe"]), 1, "no such user: \"zoe\"");
}

/// What a run that succeeded wrote to stdout and to stderr.
#[track_caller]
fn printed(run: Assert) -> (String, String) {
    let output = run.success().get_output().clone();
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (text(output.stdout), text(output.stderr))
}

async fn a_lost_id_is_shown_again(database: &Database) {
    let store = database.store();
    store.migrate().await.expect("migrates");
    let id = printed(on(database, &["user", "add", "Zoe", "--no-password"])).0;
    let shown = said(on(database, &["user", "show", "zoe"]));
    let (key, created) = shown.lines().nth(5).expect("a line").split_once(": ").expect("a value");
    assert!(key == "created" && created.ends_with('Z'), "{shown}");
    let expected = format!(
        "id: {id}username: Zoe\nname:\nrole: user\nstanding: active\ncreated: {created}\nexternal-id:\n\
         sign-in: only with tokens of `entourage token` or of your backend\n"
    );
    assert_eq!(shown, expected);

    printed(on_with_input(database, &["user", "add", "ada", "--name", "Ada L."], "long enough\n"));
    on(database, &["user", "role", "ada", "moderator"]).success();
    let shown = said(on(database, &["user", "show", "@ADA"]));
    for line in ["name: Ada L.", "role: moderator", "sign-in: password"] {
        assert!(shown.lines().any(|shown| shown == line), "{shown}");
    }

    let created_at = chrono::DateTime::from_timestamp(1_700_000_000, 0).expect("in range");
    let username = Username::parse("bob").expect("a username");
    let bob = NewUser::bare(UserId(7), username, created_at);
    store.create_user(&bob).await.expect("creates");
    database.execute("UPDATE users SET subject = 'idp|\u{1b}[31m1' WHERE id = 7").await;
    let shown = said(on(database, &["user", "show", "bob"]));
    let expected = "id: 7\nusername: bob\nname:\nrole: user\nstanding: active\ncreated: 2023-11-14T22:13:20Z\n\
                    external-id: idp|\\u{1b}[31m1\nsign-in: identity provider\n";
    assert_eq!(shown, expected);
    refused(&on(database, &["user", "show", "carol"]), 1, "no such user: \"carol\"");
}

async fn users_are_listed_suspended_and_reinstated(database: &Database) {
    database.store().migrate().await.expect("migrates");
    for name in ["ada", "bob"] {
        on(database, &["user", "add", name, "--no-password"]).success();
    }
    let suspend = on(database, &["user", "suspend", "bob", "--reason", "spam"]);
    assert_eq!(said(suspend), "suspended bob\n");
    assert_eq!(said(on(database, &["user", "suspend", "bob"])), "suspended bob\n");
    assert!(said(on(database, &["user", "show", "bob"])).contains("\nstanding: suspended\n"));

    let listed = |words: &[&str]| -> Vec<(String, String, String)> {
        let lines = said(on(database, &[&["user", "list"], words].concat()));
        let columns = |line: &str| {
            let mut words = line.split_whitespace().map(str::to_owned);
            let mut next = || words.next().expect("a column");
            (next(), next(), next())
        };
        lines.lines().map(columns).collect()
    };
    let row =
        |name: &str, standing: &str| (name.to_owned(), "user".to_owned(), standing.to_owned());
    assert_eq!(listed(&[]), [row("ada", "active"), row("bob", "suspended")]);
    assert_eq!(listed(&["--suspended"]), [row("bob", "suspended")]);
    assert_eq!(listed(&["--role", "admin"]), []);
    let json = said(on(database, &["user", "list", "--suspended", "--json"]));
    let user: serde_json::Value = serde_json::from_str(&json).expect("one object");
    assert_eq!((&user["username"], &user["standing"]), (&"bob".into(), &"suspended".into()));

    assert_eq!(said(on(database, &["user", "reinstate", "bob"])), "reinstated bob\n");
    assert_eq!(listed(&["--suspended"]), []);
    refused(&on(database, &["user", "suspend", "eve"]), 1, "no such user: \"eve\"");
}

async fn a_machine_is_added_with_a_role_of_its_own(database: &Database) {
    database.store().migrate().await.expect("migrates");
    let add = ["role", "add", "sync", "--permissions", "admin,moderate"];
    assert_eq!(said(on(database, &add)), "sync now has the permissions: moderate,admin\n");
    printed(on(database, &["user", "add", "robot", "--service", "--role", "sync"]));
    let unknown = on(database, &["user", "add", "other", "--service", "--role", "king"]);
    refused(&unknown, 1, "role does not exist");
    assert!(
        said(on(database, &["user", "show", "robot"]))
            .contains("\nrole: sync\nstanding: service\n")
    );
    assert!(said(on(database, &["user", "list", "--service"])).starts_with("robot "));
    let line = "robot is a machine, which cannot be suspended: give it another role, or delete it";
    refused(&on(database, &["user", "suspend", "robot"]), 1, line);
    refused(&on(database, &["user", "reinstate", "robot"]), 1, line);
    assert_eq!(said(on(database, &["token", "robot"])).lines().count(), 1);
    let (exported, _) = printed(on(database, &["export", "users"]));
    assert_eq!(exported.lines().count(), 1, "no machine: {exported}");

    let roles = "user             follow\nrestricted\nmoderator        follow,moderate\n\
                 admin            follow,moderate,admin\nsync             moderate,admin\n";
    assert_eq!(said(on(database, &["role", "list"])), roles);
    let line = "users have this role: `entourage user list --role sync` lists them";
    refused(&on(database, &["role", "remove", "sync"]), 1, line);
    on(database, &["user", "delete", "robot"]).success();
    assert_eq!(said(on(database, &["role", "remove", "sync"])), "removed sync\n");
    refused(&on(database, &["role", "remove", "sync"]), 1, "no such role: \"sync\"");
    let line = "the role admin is built in and cannot be changed";
    refused(&on(database, &["role", "add", "admin", "--permissions", "follow"]), 1, line);
    refused(&on(database, &["role", "remove", "admin"]), 1, line);
    let line = "the name must be 1 to 32 of a-z, 0-9, _ and -";
    refused(&on(database, &["role", "add", "The Boss"]), 1, line);
}

async fn the_audit_log_has_what_the_operator_did(database: &Database) {
    database.store().migrate().await.expect("migrates");
    on(database, &["user", "add", "ada", "--no-password"]).success();
    on_with_input(database, &["user", "password", "ada"], "long enough\n").success();
    on(database, &["user", "suspend", "ada", "--reason", "spam"]).success();
    on(database, &["user", "delete", "ada"]).success();

    let log = said(on(database, &["audit"]));
    let words = |line: &str| line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<_> = log.lines().map(|line| words(line).join(" ")).collect();
    let expected = [
        "operator USER_DELETED ada",
        "operator USER_SUSPENDED ada spam",
        "operator PASSWORD_SET ada",
        "operator USER_CREATED ada user",
    ];
    assert_eq!(lines, expected);
    let newest = said(on(database, &["audit", "--limit", "1", "--json"]));
    let entry: serde_json::Value = serde_json::from_str(&newest).expect("one object");
    assert_eq!(
        (&entry["action"], &entry["actor"]),
        (&"USER_DELETED".into(), &serde_json::Value::Null)
    );
}

async fn a_password_without_sign_up_is_reported(database: &Database) {
    database.store().migrate().await.expect("migrates");
    let line = "entourage: the password is stored, but cannot be used: sign-up is closed, so \
                `signIn` does not exist. ENTOURAGE_SIGN_UP=open opens it, for the server and for \
                this command\n";
    let is_open = is_sqlite(database);
    let add = |arguments: &[&str]| {
        let words = [&["user", "add"], arguments].concat();
        printed(on_with_input(database, &words, "long enough\n")).1
    };
    assert_eq!(add(&["zoe"]).ends_with(line), !is_open);
    assert!(!add(&["ada", "--sign-up", "open"]).ends_with(line));
    assert!(add(&["bob", "--sign-up", "closed"]).ends_with(line));
    assert!(!add(&["eve", "--sign-up", "closed", "--no-password"]).ends_with(line));

    let password = ["user", "password", "zoe"];
    let change = |setting: &[&str]| {
        let words = [&password, setting].concat();
        printed(on_with_input(database, &words, "even longer\n")).1
    };
    assert_eq!(change(&[]), if is_open { "" } else { line });
    assert_eq!(change(&["--sign-up", "open"]), "");
    assert_eq!(change(&["--sign-up", "closed"]), line);
}

async fn a_password_comes_from_stdin(database: &Database) {
    database.store().migrate().await.expect("migrates");
    let add = ["user", "add", "zoe"];
    let line = "no password on stdin: write it as one line, or pass --no-password";
    refused(&on_with_input(database, &add, ""), 1, line);
    let line = "password must have at least 8 characters";
    refused(&on_with_input(database, &add, "short\n"), 1, line);

    printed(on_with_input(database, &add, "long enough\nand what follows\n"));
    let server = super::Server::start(database, &["--sign-up", "open"]);
    let sign_in = "mutation {
        signIn(input: {username: \"zoe\", password: \"long enough\"}) { token }
    }";
    let reply = server.graphql(sign_in, serde_json::json!({}), None).await;
    assert!(reply["data"]["signIn"]["token"].is_string(), "{reply}");
}

async fn a_new_password_and_signing_out_revoke_tokens(database: &Database) {
    database.store().migrate().await.expect("migrates");
    on_with_input(database, &["user", "add", "zoe"], "long enough\n").success();
    let server = super::Server::start(database, &["--sign-up", "open"]);
    let is_valid = async |token: &str| {
        let token = Some(token.trim_end());
        let reply =
            server.graphql("{ viewer { user { id } } }", serde_json::json!({}), token).await;
        reply["data"]["viewer"].is_object()
    };
    let first = said(on(database, &["token", "zoe"]));
    assert!(is_valid(&first).await);

    let password = ["user", "password", "zoe", "--sign-up", "open"];
    let line = "no password on stdin: write it as one line";
    refused(&on_with_input(database, &password, ""), 1, line);
    let line = "password must have at least 8 characters";
    refused(&on_with_input(database, &password, "short\n"), 1, line);
    assert!(is_valid(&first).await);
    let line = "changed the password of zoe and signed them out everywhere\n";
    assert_eq!(said(on_with_input(database, &password, "even longer\n")), line);
    let second = said(on(database, &["token", "zoe"]));
    assert_eq!((is_valid(&first).await, is_valid(&second).await), (false, true));
    let sign_in = "mutation {
        signIn(input: {username: \"zoe\", password: \"even longer\"}) { token }
    }";
    let reply = server.graphql(sign_in, serde_json::json!({}), None).await;
    assert!(reply["data"]["signIn"]["token"].is_string(), "{reply}");

    let line = "signed out zoe everywhere\n";
    assert_eq!(said(on(database, &["user", "sign-out", "zoe"])), line);
    let third = said(on(database, &["token", "zoe"]));
    assert_eq!((is_valid(&second).await, is_valid(&third).await), (false, true));
    for (arguments, input) in
        [(["user", "password", "bob"], "long enough\n"), (["user", "sign-out", "bob"], "")]
    {
        let run = on_with_input(database, &arguments, input);
        refused(&run, 1, "no such user: \"bob\"");
    }
}

async fn tokens_are_for_existing_users(database: &Database) {
    database.store().migrate().await.expect("migrates");
    on(database, &["user", "add", "zoe", "--no-password"]).success();
    refused(&on(database, &["token", "zoe", "bob"]), 1, "no such user: \"bob\"");
    assert_eq!(said(on(database, &["token", "zoe", "zoe"])).lines().count(), 2);
}

async fn corruption_is_found_and_repaired(database: &Database) {
    database.store().migrate().await.expect("migrates");
    said(on(database, &["seed", "--users", "50", "--follows", "400"]));
    assert_eq!(said(on(database, &["check"])), "OK: 50 users, 0 differences\n");

    let first = "(SELECT min(id) FROM users)";
    let wrong = "UPDATE follow_counts SET followers = followers + 7 WHERE user_id = ";
    database.execute(&format!("{wrong}{first}")).await;
    let mirror = "SELECT followee_id, follower_id FROM followers ORDER BY 1 DESC, 2 LIMIT 1";
    let lost = "DELETE FROM followers WHERE (followee_id, follower_id) IN ";
    database.execute(&format!("{lost}(SELECT * FROM ({mirror}) AS edge)")).await;

    let run = on(database, &["check"]);
    let line = "2 differences found: run `entourage check --repair`";
    assert_eq!(complaint(&run, 1), line);
    let found = String::from_utf8(run.get_output().stdout.clone()).expect("text");
    let found: Vec<_> = found.lines().collect();
    assert_eq!(found.len(), 2);
    assert!(found.iter().any(|line| line.contains("counts say")), "{found:?}");
    assert!(found.iter().any(|line| line.contains("not in followers")), "{found:?}");

    let repaired = said(on(database, &["check", "--repair"]));
    assert!(repaired.contains("\nrepaired 2 differences, "), "{repaired}");
    assert_eq!(said(on(database, &["check"])), "OK: 50 users, 0 differences\n");
}

async fn many_differences_are_summed_up(database: &Database) {
    database.store().migrate().await.expect("migrates");
    said(on(database, &["seed", "--users", "50", "--follows", "400"]));
    database.execute("DELETE FROM followers").await;
    database.execute("UPDATE users SET subject = '' WHERE id = (SELECT min(id) FROM users)").await;

    let found = |arguments: &[&str]| {
        let run = on(database, arguments);
        assert_eq!(complaint(&run, 1), "401 differences found: run `entourage check --repair`");
        let text = String::from_utf8(run.get_output().stdout.clone()).expect("text");
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let few = found(&["check"]);
    assert_eq!(few.len(), 20 + 3);
    let summary = ["and 381 more, which --verbose prints; in all:", "       400  missing mirrors"];
    assert_eq!(few[20..22], summary);
    assert_eq!(found(&["check", "--verbose"]).len(), 401);

    let run = on(database, &["check", "--repair"]);
    assert_eq!(complaint(&run, 1), "1 difference left that only you can correct");
    let text = String::from_utf8(run.get_output().stdout.clone()).expect("text");
    assert!(text.ends_with("\nrepaired 400 differences, 400 rows changed\n"), "{text}");
}

async fn migrate_reports_the_state_of_the_schema(database: &Database) {
    let line = "the database has no tables: run `entourage migrate`, or serve with --migrate";
    refused(&on(database, &["migrate", "--check"]), 1, line);
    assert_eq!(said(on(database, &["migrate"])), "migrated the schema\n");
    assert_eq!(said(on(database, &["migrate"])), "the schema is up to date\n");
    assert_eq!(said(on(database, &["migrate", "--check"])), "the schema is up to date\n");
}

#[test]
fn the_schema_is_the_committed_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let printed = said(run(root, ["schema"], &[]));
    let file = fs::read_to_string(root.join("schema.graphql")).expect("the file is there");
    assert!(printed == file, "stale: run `make schema`");
    assert_eq!(said(run(root, ["schema", "--check", "schema.graphql"], &[])), "");
}

#[test]
fn the_schema_is_also_printed_as_a_subgraph() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let printed = said(run(root, ["schema", "--federation"], &[]));
    assert!(printed == entourage::graphql::subgraph_sdl());
    let check = ["schema", "--federation", "--check", "schema.graphql"];
    let line = complaint(&run(root, check, &[]), 1);
    assert!(line.ends_with("run `entourage schema --federation > schema.graphql`"), "{line}");
}

#[test]
fn a_stale_schema_is_reported() {
    let folder = TempDir::new().expect("a folder");
    let text = said(run(folder.path(), ["schema"], &[]));
    let (first, rest) = text.split_once('\n').expect("many lines");
    fs::write(folder.path().join("old.graphql"), format!("{first}\n# old\n{rest}"))
        .expect("writes");

    let line = complaint(&run(folder.path(), ["schema", "--check", "old.graphql"], &[]), 1);
    let begin = "old.graphql differs from the schema of this program at line 2, which should be ";
    assert!(line.starts_with(begin), "{line}");
    let line = complaint(&run(folder.path(), ["schema", "--check", "none"], &[]), 1);
    assert!(line.starts_with("cannot read none: "), "{line}");
}

#[test]
fn shells_complete_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let text = said(run(&std::env::temp_dir(), ["completions", shell], &[]));
        for command in ["healthcheck", "sign-out", "show"] {
            assert!(text.contains(command), "{shell}: {command}");
        }
    }
}
