//! Passwords that are typed on a terminal: a pseudo-terminal of the kernel.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    thread,
};

use rustix::{
    fs::{Mode, OFlags},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, tcgetattr},
};
use serde_json::json;
use tempfile::TempDir;

use super::{Server, binary, run, said};

/// Runs a command on a terminal and answers each prompt with a line. Returns whether it succeeded
/// and what was on the screen.
fn typed(folder: &Path, arguments: &[&str], answers: &[(&str, &str)]) -> (bool, String) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let controller = openpt(flags).expect("a pseudo-terminal");
    grantpt(&controller).and_then(|()| unlockpt(&controller)).expect("it is ours");
    let name = ptsname(&controller, Vec::new()).expect("it has a name");
    let open = || {
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        File::from(rustix::fs::open(name.as_c_str(), flags, Mode::empty()).expect("it opens"))
    };
    let mut process = binary(folder)
        .args(arguments)
        .stdin(open())
        .stdout(open())
        .stderr(open())
        .spawn()
        .expect("the binary starts");

    let mut controller = File::from(controller);
    let mut screen = String::new();
    for (prompt, answer) in answers {
        while !screen.ends_with(prompt) {
            let mut byte = [0];
            assert_eq!(controller.read(&mut byte).expect("it prompts"), 1, "{screen}");
            screen.push(char::from(byte[0]));
        }
        while tcgetattr(&controller).expect("a terminal").local_modes.contains(LocalModes::ECHO) {
            thread::yield_now();
        }
        writeln!(controller, "{answer}").expect("it reads");
    }

    // Reading fails once the process has closed the terminal.
    let mut rest = Vec::new();
    let _ = controller.read_to_end(&mut rest);
    screen += &String::from_utf8(rest).expect("text");
    (process.wait().expect("it ends").success(), screen)
}

const FIRST: &str = "Password: ";
const SECOND: &str = "The same again: ";

#[tokio::test]
async fn a_password_is_typed_twice_without_echo() {
    let folder = TempDir::new().expect("a folder");
    let answers = [(FIRST, "long enough"), (SECOND, "long enough")];
    let (done, screen) = typed(folder.path(), &["user", "add", "zoe"], &answers);
    assert!(done && screen.contains("added zoe, id ") && !screen.contains("enough"), "{screen}");

    let answers = [(FIRST, "even longer"), (SECOND, "even longer")];
    let (done, screen) = typed(folder.path(), &["user", "password", "zoe"], &answers);
    assert!(done && !screen.contains("longer"), "{screen}");

    let server = Server::with(Some(folder.path()), &[], &[]);
    let sign_in = "mutation {
        signIn(input: {username: \"zoe\", password: \"even longer\"}) { token }
    }";
    let reply = server.graphql(sign_in, json!({}), None).await;
    assert!(reply["data"]["signIn"]["token"].is_string(), "{reply}");
}

#[test]
fn two_different_passwords_change_nothing() {
    let folder = TempDir::new().expect("a folder");
    let add = ["user", "add", "zoe"];
    let answers = [(FIRST, "long enough"), (SECOND, "long enouhg")];
    let (done, screen) = typed(folder.path(), &add, &answers);
    assert!(!done, "{screen}");
    assert!(screen.contains("the two passwords differ: nothing was changed"), "{screen}");

    let (done, screen) = typed(folder.path(), &add, &[(FIRST, "")]);
    assert!(!done && screen.contains("or pass --no-password"), "{screen}");
    said(run(folder.path(), ["migrate"], &[]));
    assert_eq!(said(run(folder.path(), ["check"], &[])), "OK: 0 users, 0 differences\n");
}
