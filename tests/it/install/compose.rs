//! `compose.yaml`: what it says, and a server that is started as it says.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{assert_setting, file, read};
use crate::support::{
    database::{Database, Engine},
    process::{Server, run, said},
};

/// Reads the file with the YAML package of the clients, which `make clients` installs.
fn services() -> Value {
    const READ: &str = "const { parse } = require('yaml'); \
        const text = require('fs').readFileSync(0, 'utf8'); \
        process.stdout.write(JSON.stringify(parse(text)))";
    let mut node = Command::new("node");
    node.args(["--eval", READ]).current_dir(file("tests/clients"));
    let mut node = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node");
    let mut stdin = node.stdin.take().expect("it is piped");
    stdin.write_all(read("compose.yaml").as_bytes()).expect("node reads it");
    drop(stdin);
    let output = node.wait_with_output().expect("node ends");
    assert!(output.status.success(), "`make clients` installs the package");
    let file: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    file["services"].clone()
}

/// The environment of a service, with the secrets of `.env`.
fn environment(service: &Value) -> Vec<(String, String)> {
    let variables = service["environment"].as_object().expect("a map").iter();
    variables.map(|(name, value)| (name.clone(), fill(value.as_str().expect("a text")))).collect()
}

/// The value with the variables of `.env` filled in, as docs/deploy.md writes them.
fn fill(value: &str) -> String {
    let Some((before, rest)) = value.split_once("${") else { return value.to_owned() };
    let (variable, after) = rest.split_once('}').expect("it ends");
    let secret = "0123456789abcdef".repeat(4);
    let filled = match variable.split_once(':') {
        Some((_, default)) if default.starts_with('-') => default[1..].to_owned(),
        _ => secret,
    };
    format!("{before}{filled}{}", fill(after))
}

#[test]
fn compose_restarts_both_services_and_waits_for_the_database() {
    let services = services();
    for name in ["postgres", "entourage"] {
        assert_eq!(services[name]["restart"], "unless-stopped", "{name}");
    }
    assert_eq!(services["entourage"]["depends_on"]["postgres"]["condition"], "service_healthy");
    assert!(services["postgres"]["healthcheck"]["test"].is_array());
    assert_eq!(services["entourage"]["read_only"], true);
    assert_eq!(services["entourage"]["build"], ".");
}

#[test]
fn compose_needs_the_secrets_that_the_pages_tell_to_write() {
    let compose = read("compose.yaml");
    let required = compose.split("${").skip(1).filter(|rest| rest.contains(":?"));
    let required: Vec<_> = required.filter_map(|rest| rest.split_once(":?")).collect();
    let mut names: Vec<_> = required.into_iter().map(|(name, _)| name).collect();
    names.retain(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'));
    assert_eq!(names, ["POSTGRES_PASSWORD", "ENTOURAGE_JWT_SECRET"]);
    // Written once: PostgreSQL keeps the password of its first start.
    let lines = names.iter().map(|name| format!("{name}=%s\\n"));
    let line = format!("[ -e .env ] || printf '{}'", lines.collect::<String>());
    for page in ["README.md", "docs/deploy.md"] {
        assert!(read(page).contains(&line), "{page}: {line}");
    }
}

#[tokio::test]
async fn a_server_starts_with_the_environment_of_compose() {
    let services = services();
    let environment = environment(&services["entourage"]);
    let postgres = self::environment(&services["postgres"]);
    let value = |variables: &[(String, String)], name: &str| {
        variables
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.clone())
            .expect("it is set")
    };
    let url = url::Url::parse(&value(&environment, "DATABASE_URL")).expect("a URL");
    assert_eq!(url.username(), value(&postgres, "POSTGRES_USER"));
    assert_eq!(url.password(), Some(value(&postgres, "POSTGRES_PASSWORD").as_str()));
    assert_eq!(url.path(), format!("/{}", value(&postgres, "POSTGRES_DB")));
    assert!(!services[url.host_str().expect("a host")].is_null(), "the host is a service");

    Database::empty(Engine::Postgres)
        .await
        .run(async |database| {
            let mut variables = Vec::new();
            for (name, value) in &environment {
                assert_setting(name);
                let value = if name == "DATABASE_URL" { &database.url } else { value };
                variables.push((name.as_str(), value.as_str()));
            }
            let server = Server::with(None, &[], &variables);
            let folder = std::env::temp_dir();
            run(&folder, ["user", "add", "ada", "--no-password"], &variables).success();
            let token = said(run(&folder, ["token", "ada"], &variables));

            let query = "{ viewer { user { username } } }";
            let answer = server.graphql(query, Value::Null, Some(token.trim())).await;
            assert_eq!(answer["data"]["viewer"]["user"]["username"], "ada", "{answer}");
        })
        .await;
}
