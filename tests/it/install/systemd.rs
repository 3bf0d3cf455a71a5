//! The unit of systemd: it is valid, hardened, and its settings start a server.

use std::{fs, process::Command};

use super::{assert_setting, read};
use crate::support::{
    figures::tell,
    process::{KEY, Server},
};

/// The values of a key of the unit, in order.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let lines = unit.lines().filter_map(|line| line.split_once('='));
    lines.filter(|(name, _)| *name == key).map(|(_, value)| value).collect()
}

#[tokio::test]
async fn a_server_starts_with_the_settings_of_the_unit() {
    let unit = read("deploy/entourage.service");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("key"), KEY).expect("it is writable");
    let state = folder.path().to_str().expect("text");

    let settings = values(&unit, "Environment").into_iter().flat_map(str::split_whitespace);
    let settings = settings.map(|setting| {
        let value = setting.replace("%d", state).replace("/var/lib/entourage", state);
        let (name, value) = value.split_once('=').expect("NAME=VALUE");
        assert_setting(name);
        (name.to_owned(), value.to_owned())
    });
    let settings: Vec<_> = settings.collect();
    let settings: Vec<_> = settings.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let server = Server::with(Some(folder.path()), &[], &settings);

    assert!(folder.path().join("entourage.db").exists());
    assert!(!folder.path().join("entourage.secret").exists(), "the key is the credential");
    let answer = server.graphql("{ __typename }", serde_json::Value::Null, None).await;
    assert_eq!(answer["data"]["__typename"], "Query");
}

#[test]
fn the_unit_comes_back_and_has_one_writable_folder() {
    let unit = read("deploy/entourage.service");
    for (key, value) in [
        ("Restart", "always"),
        ("StartLimitIntervalSec", "0"),
        ("DynamicUser", "yes"),
        ("ProtectSystem", "strict"),
        ("StateDirectory", "entourage"),
        ("ExecStart", "/usr/local/bin/entourage serve"),
        ("EnvironmentFile", "-/etc/entourage/environment"),
    ] {
        assert_eq!(values(&unit, key), [value], "{key}");
    }
    for path in ["/usr/local/bin/", "/etc/entourage/key", "/etc/entourage/environment"] {
        assert!(read("docs/deploy.md").contains(path), "the page does not install {path}");
    }
}

#[test]
fn systemd_accepts_the_unit_and_finds_it_hardened() {
    let unit = read("deploy/entourage.service");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("entourage.service");
    let unit = unit.replace("/usr/local/bin/entourage", env!("CARGO_BIN_EXE_entourage"));
    fs::write(&file, unit).expect("it is writable");

    // The exposure is from 0 to 100; a service without any protection has 96.
    for arguments in
        [vec!["verify", "--man=no"], vec!["security", "--offline=yes", "--threshold=15"]]
    {
        let output = Command::new("systemd-analyze").args(&arguments).arg(&file).output();
        let Ok(output) = output else {
            tell("there is no systemd-analyze here, so nothing was checked");
            return;
        };
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(output.status.success(), "{arguments:?}: {text}");
        assert!(arguments[0] != "verify" || text.is_empty(), "{text}");
    }
}
