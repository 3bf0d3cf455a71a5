//! The pages for readers, `README.md` and `docs/`: what they show is true, and no link is dead.

mod configuration;
mod links;
mod providers;
mod snippets;
mod transcripts;

use std::{fs, path::PathBuf};

use entourage::graphql::Code;

use crate::tidy::{Source, assert_none, files};

/// All pages in Markdown.
fn pages() -> Vec<Source> {
    files("", &[".md"])
}

/// A file, by its path from the root of the project.
fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A page in pieces that alternate: text, a fenced block of code, text, and so on. A block begins
/// with the language.
fn pieces(page: &str) -> impl Iterator<Item = &str> {
    page.split("\n```")
}

#[test]
fn the_readme_has_at_most_200_lines() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 200, "{lines} lines: move something to docs/");
}

#[test]
fn every_error_code_is_in_the_page_of_the_api() {
    let page = read("docs/api.md");
    let codes = Code::ALL.iter().map(|code| code.as_str());
    let missing = codes.filter(|code| !page.contains(&format!("`{code}`")));
    assert_none("docs/api.md lacks error codes", &missing.map(str::to_owned).collect::<Vec<_>>());
}

#[test]
fn every_close_code_is_in_the_page_of_subscriptions() {
    let (page, source) = (read("docs/live.md"), read("src/http/live/frames.rs"));
    let (_, table) = page.split_once("| code | why |").expect("the page has a table");
    let (table, _) = table.split_once("\n\n").expect("a text follows");
    let codes: Vec<_> = source
        .split(" close(")
        .filter_map(|rest| rest.get(..4))
        .filter(|code| code.parse::<u16>().is_ok())
        .collect();
    assert!(codes.len() > 10, "{codes:?}");
    let missing = codes.into_iter().filter(|code| !table.contains(code)).map(str::to_owned);
    assert_none("docs/live.md lacks close codes", &missing.collect::<Vec<_>>());
}
