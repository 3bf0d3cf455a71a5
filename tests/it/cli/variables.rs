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
    said(run(folder.path(), ["user", "add", "zoe", "--no-password"], &empty));
    said(run(folder.path(), ["token", "zoe"], &empty));
}

#[test]
fn help_names_empty_variables_too() {
    let empty = [("ENTOURAGE_LISTEN", "")];
    let text = said(run(&std::env::temp_dir(), ["serve", "--help"], &empty));
    assert!(text.contains("[env: ENTOURAGE_LISTEN=]"), "{text}");
}
