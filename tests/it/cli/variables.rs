//! Environment variables whose value is empty, as compose files with `X: ${X:-}` set them.

use std::collections::BTreeSet;

use tempfile::TempDir;

use super::{Server, run, said};

/// The variables in the help of some commands.
fn variables() -> BTreeSet<String> {
    let commands = [&["serve"][..], &["token"], &["check"], &["seed"], &["healthcheck"]];
    let help = commands
        .map(|command| said(run(&std::env::temp_dir(), command.iter().chain(&["--help"]), &[])));
    let names = help.iter().flat_map(|text| text.split("[env: ").skip(1));
    names.map(|rest| rest.split(['=', ']']).next().unwrap_or(rest).to_owned()).collect()
}

#[tokio::test]
async fn an_empty_variable_counts_as_unset() {
    let names = variables();
    assert!(names.len() > 40 && names.contains("DATABASE_URL"), "{names:?}");
    let empty: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    let folder = TempDir::new().expect("a folder");

    let server = Server::with(Some(folder.path()), &[], &empty);
    let reply = server.client.get(format!("http://{}/readyz", server.address)).send().await;
    assert_eq!(reply.expect("it answers").status(), 200);
    drop(server);

    let check = said(run(folder.path(), ["check"], &empty));
    assert_eq!(check, "OK: 0 users, 0 differences\n");
    run(folder.path(), ["user", "add", "zoe", "--no-password"], &empty).success();
    said(run(folder.path(), ["token", "zoe"], &empty));
}

#[test]
fn an_unknown_variable_is_a_warning_at_the_start() {
    let variables = [
        ("ENTOURAGE_SIGNUP", "closed"),
        ("ENTOURAGE_XYZ", "1"),
        ("ENTOURAGE_EMPTY", ""),
        ("ENTOURAGE_PAGE_SIZE_MAX", "50"),
    ];
    let log = Server::with(None, &[], &variables).log();
    let is_warning = |line: &&str| line.contains(r#""level":"WARN""#);
    let warnings: Vec<_> = log.lines().filter(is_warning).collect();
    assert_eq!(warnings.len(), 2, "{log}");
    for (line, sentence) in warnings.iter().zip([
        "ENTOURAGE_SIGNUP is not a setting: did you mean ENTOURAGE_SIGN_UP?",
        "ENTOURAGE_XYZ is not a setting: see `entourage serve --help`",
    ]) {
        assert!(line.contains(sentence), "{line}");
    }

    // Other commands log errors only, unless one asks for more.
    let folder = TempDir::new().expect("a folder");
    said(run(folder.path(), ["migrate"], &variables));
    let variables = [("ENTOURAGE_JWT_SECRETS", "x"), ("RUST_LOG", "warn")];
    let output = run(folder.path(), ["check"], &variables).success().get_output().clone();
    let log = String::from_utf8(output.stderr).expect("text");
    assert!(log.contains("did you mean ENTOURAGE_JWT_SECRET?"), "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
}

#[test]
fn help_names_empty_variables_too() {
    let empty = [("ENTOURAGE_LISTEN", "")];
    let text = said(run(&std::env::temp_dir(), ["serve", "--help"], &empty));
    assert!(text.contains("[env: ENTOURAGE_LISTEN=]"), "{text}");
}
