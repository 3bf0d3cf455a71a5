//! `--help` and `--version`: whole documents, as snapshots.

use insta::assert_snapshot;

use super::{run, said};

fn help(arguments: &[&str]) -> String {
    said(run(&std::env::temp_dir(), arguments.iter().chain(&["--help"]), &[]))
}

#[test]
fn help_lists_the_commands() {
    assert_snapshot!("entourage", help(&[]));
}

#[test]
fn help_of_a_command_lists_its_flags_and_variables() {
    assert_snapshot!("serve", help(&["serve"]));
    assert_snapshot!("migrate", help(&["migrate"]));
    assert_snapshot!("schema", help(&["schema"]));
    assert_snapshot!("seed", help(&["seed"]));
    assert_snapshot!("user", help(&["user"]));
    assert_snapshot!("user_add", help(&["user", "add"]));
    assert_snapshot!("user_password", help(&["user", "password"]));
    assert_snapshot!("user_sign_out", help(&["user", "sign-out"]));
    assert_snapshot!("token", help(&["token"]));
    assert_snapshot!("check", help(&["check"]));
    assert_snapshot!("healthcheck", help(&["healthcheck"]));
    assert_snapshot!("completions", help(&["completions"]));
}

#[test]
fn help_shows_no_secret_of_the_environment() {
    let secrets = [
        ("DATABASE_URL", "postgres://bob:hunter2@db/follows"),
        ("ENTOURAGE_JWT_SECRET", "hunter2 and the rest of the key"),
    ];
    let text = said(run(&std::env::temp_dir(), ["serve", "--help"], &secrets));
    assert!(text.contains("DATABASE_URL") && !text.contains("hunter2"), "{text}");
}

#[test]
fn the_version_is_that_of_the_package() {
    let text = said(run(&std::env::temp_dir(), ["--version"], &[]));
    assert_eq!(text, concat!("entourage ", env!("CARGO_PKG_VERSION"), "\n"));
}
