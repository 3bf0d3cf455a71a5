//! `--help` and `--version`: whole documents, as snapshots.

use insta::assert_snapshot;

use super::{run, said};

fn help(arguments: &[&str]) -> String {
    said(run(&std::env::temp_dir(), arguments.iter().chain(&["--help"]), &[]))
}

const COMMANDS: [&[&str]; 28] = [
    &["serve"],
    &["migrate"],
    &["schema"],
    &["seed"],
    &["user"],
    &["user", "add"],
    &["user", "password"],
    &["user", "role"],
    &["user", "export"],
    &["user", "show"],
    &["user", "sign-out"],
    &["webhooks"],
    &["webhooks", "list"],
    &["webhooks", "resend"],
    &["export"],
    &["export", "users"],
    &["export", "following"],
    &["import"],
    &["import", "users"],
    &["import", "follows"],
    &["import", "following"],
    &["imports"],
    &["backup"],
    &["restore"],
    &["token"],
    &["check"],
    &["healthcheck"],
    &["completions"],
];

#[test]
fn help_lists_the_commands() {
    assert_snapshot!("entourage", help(&[]));
}

#[test]
fn help_of_a_command_lists_its_flags_and_variables() {
    for command in COMMANDS {
        assert_snapshot!(command.join("_").replace('-', "_"), help(command));
    }
}

#[test]
fn short_help_has_one_line_for_each_flag() {
    for command in COMMANDS {
        let whole = help(command);
        let short = said(run(&std::env::temp_dir(), command.iter().chain(&["-h"]), &[]));
        let flags = |text: &str| {
            let lines = text.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
            let names = lines.map(|line| line.split("  ").next().unwrap_or(line).to_owned());
            names.collect::<Vec<_>>()
        };

        assert_eq!(flags(&short), flags(&whole), "{command:?}");
        let is_flag = |line: &&str| line.trim_start().starts_with('-');
        for line in short.lines().filter(is_flag) {
            assert!(line.len() <= 100, "the first paragraph of this help is too long:\n{line}");
        }
        let is_heading = |line: &str| line.is_empty() || !line.starts_with(' ');
        let is_line = |line: &str| is_heading(line) || line.trim_start().contains("  ");
        assert!(short.lines().all(is_line), "{short}");
        assert!(!short.contains("env:"), "{short}");
    }
    assert_snapshot!("serve_short", said(run(&std::env::temp_dir(), ["serve", "-h"], &[])));
}

#[test]
fn help_shows_no_secret_of_the_environment() {
    let secrets = [
        ("DATABASE_URL", "postgres://bob:hunter2@db/follows"),
        ("ENTOURAGE_JWT_SECRET", "hunter2 and the rest of the key"),
        ("ENTOURAGE_WEBHOOK_URL", "https://app.example/?key=hunter2"),
    ];
    let text = said(run(&std::env::temp_dir(), ["serve", "--help"], &secrets));
    assert!(text.contains("DATABASE_URL") && !text.contains("hunter2"), "{text}");
}

#[test]
fn the_version_is_that_of_the_package() {
    let text = said(run(&std::env::temp_dir(), ["--version"], &[]));
    assert_eq!(text, concat!("entourage ", env!("CARGO_PKG_VERSION"), "\n"));
}
