//! The commands in `README.md` print what it shows.

use std::path::Path;

use super::read;
use crate::support::process::{Server, run, said};

const ADDRESS: &str = "http://127.0.0.1:8000";
const TOKEN_OF: &str = "TOKEN=$(./target/demo/entourage token ";

/// The commands of the README that can be pasted, each with its output.
fn transcript(readme: &str) -> Vec<(&str, String)> {
    let mut steps: Vec<(&str, String)> = Vec::new();
    for block in readme.split("```console\n").skip(1) {
        let block = block.split("```").next().expect("it ends");
        for line in block.lines() {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push((command, String::new())),
                (None, Some((_, printed))) => *printed += line,
                (None, None) => panic!("output without a command: {line}"),
            }
        }
    }
    steps.retain(|(command, _)| !command.starts_with("make "));
    steps
}

/// The words of a command, unquoted.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in command.chars() {
        match quote {
            Some(mark) if c == mark => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == ' ' => words.push(std::mem::take(&mut word)),
            Some(_) | None => word.push(c),
        }
    }
    words.push(word);
    words
}

/// The output that curl would print.
async fn curl(server: &Server, command: &str, token: &str) -> String {
    let mut words = words(command).into_iter().skip(1);
    let mut request = None;
    let mut headers = Vec::new();
    while let Some(word) = words.next() {
        match (word.as_str(), &mut words) {
            ("-s", _) => {}
            ("-H", words) => headers.push(words.next().expect("a header")),
            ("-d", words) => request = words.next(),
            (url, _) => assert!(url.starts_with(ADDRESS), "{url}"),
        }
    }
    let url = format!("http://{}/graphql", server.address);
    let mut post = server.client.post(url).body(request.expect("a body"));
    for header in headers {
        let (name, value) = header.split_once(": ").expect("a header");
        post = post.header(name, value.replace("$TOKEN", token));
    }
    post.send().await.expect("it answers").text().await.expect("text")
}

/// Whether a page shows an answer as this text, in which `...` is the rest of a token.
fn is_shown_as(answer: &str, shown: &str) -> bool {
    let Some((before, after)) = shown.split_once("...") else { return answer == shown };
    let rest = answer.strip_prefix(before);
    rest.and_then(|rest| rest.split_once('"')).is_some_and(|(_, rest)| after == format!("\"{rest}"))
}

#[test]
fn an_answer_that_differs_from_the_page_is_found() {
    assert!(is_shown_as("{\"token\":\"eyJabc\"}", "{\"token\":\"eyJ...\"}"));
    assert!(!is_shown_as("{\"token\":null}", "{\"token\":\"eyJ...\"}"));
    assert!(!is_shown_as("{\"token\":\"eyJabc\",\"a\":1}", "{\"token\":\"eyJ...\"}"));
    assert!(is_shown_as("{}", "{}") && !is_shown_as("{}", "{"));
}

#[tokio::test]
async fn the_commands_in_the_readme_print_what_it_shows() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder: &Path = folder.path();
    let server = Server::with(Some(folder), &["--demo"], &[]);
    let mut token = String::new();
    let readme = read("README.md");
    let steps = transcript(&readme);
    assert_eq!(steps.len(), 8);
    assert!(read("Makefile").contains("cargo run --locked --profile demo -- serve --demo"));

    for (command, printed) in steps {
        if let Some(name) = command.strip_prefix(TOKEN_OF) {
            token = said(run(folder, ["token", name.trim_end_matches(')')], &[]));
            token.truncate(token.trim_end().len());
        } else {
            let answer = curl(&server, command, &token).await;
            assert!(is_shown_as(&answer, &printed), "{command}\n{answer}\n{printed}");
        }
    }
}

/// Whether a line of the banner is about the browser pages, which a build may lack.
fn is_of_pages(line: &&str) -> bool {
    ["  app ", "  GraphiQL ", "  pages "].iter().any(|start| line.starts_with(start))
}

#[test]
fn the_readme_shows_the_actual_banner() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::with(Some(folder.path()), &["--demo"], &[]);
    let readme = read("README.md");
    let banner = server.banner.replace(&server.address, "127.0.0.1:8000");
    let (_, shown) = readme.split_once("$ make run\n").expect("it is shown");
    let (shown, _) = shown.split_once("```").expect("it ends");

    let printed = banner.lines().filter(|line| !is_of_pages(line));
    let shown: Vec<_> = shown.lines().filter(|line| !is_of_pages(line)).collect();
    assert_eq!(printed.take(shown.len()).collect::<Vec<_>>(), shown);
}
