//! The image, run: its files in a folder of their own, read-only but for the volume, and the
//! instructions of the `Dockerfile` as a user without privileges.
//!
//! Making that folder the root needs root, which the machines that run all tests have.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::dockerfile::{Stage, stages, words};
use crate::support::figures::tell;

/// Folders of this machine with the C library, which the base image has.
const BASE: &str = "for folder in lib lib64 usr/lib; do \
    mkdir -p \"$root/$folder\" && mount --bind \"/$folder\" \"$root/$folder\"; done; ";

/// The files of the image.
struct Image {
    stage: Stage,
    root: TempDir,
    port: u16,
}

impl Image {
    /// Follows the `COPY` instructions of the last stage; the binary is that of the tests.
    fn new() -> Self {
        let [_, _, stage] = stages();
        let root = TempDir::new().expect("a folder");
        let inside = |path: &str| root.path().join(path.trim_start_matches('/'));
        for copy in stage.copies() {
            let target = inside(copy.target);
            fs::create_dir_all(target.parent().expect("a folder")).expect("it is writable");
            if copy.target.ends_with("/entourage") {
                fs::copy(env!("CARGO_BIN_EXE_entourage"), &target).expect("it is readable");
            } else {
                fs::create_dir_all(&target).expect("it is writable");
            }
            let owner =
                copy.owner.map(|owner| owner.split(':').map(|id| id.parse().expect("an id")));
            if let Some(ids) = owner.map(Iterator::collect::<Vec<u32>>) {
                chown(&target, Some(ids[0]), Some(ids[1])).expect("the tests run as root");
            }
        }
        fs::create_dir_all(inside("proc")).expect("it is writable");
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");

        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        Self { stage, root, port }
    }

    /// A command in the image, in a mount namespace that ends with it. Only the volume is writable.
    fn command(&self, words: &[String]) -> Command {
        let volume = self.stage.only("VOLUME");
        let script = format!(
            "set -e; root=$1; shift; mount --bind \"$root\" \"$root\"; {BASE}\
             mount --bind \"$root{volume}\" \"$root{volume}\"; \
             mount -o remount,bind,ro \"$root\"; cd \"$root\"; \
             exec chroot --userspec={} . \"$@\"",
            self.stage.only("USER"),
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script, "sh"]).arg(self.root.path()).args(words);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        for (name, value) in self.variables() {
            super::assert_setting(&name);
            command.env(name, value);
        }
        command.stdin(Stdio::null());
        command
    }

    /// The variables of `ENV`, on a free port.
    fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let port = format!(":{}", self.port);
        let settings = self.stage.all("ENV").flat_map(str::split_whitespace);
        settings.map(move |setting| {
            let (name, value) = setting.split_once('=').expect("NAME=VALUE");
            (name.to_owned(), value.replace(":8000", &port))
        })
    }

    /// Runs the health check, which says why the server is not healthy.
    fn health(&self) -> Result<(), String> {
        let (_, check) = self.stage.only("HEALTHCHECK").split_once("CMD ").expect("a command");
        let output = self.command(&words(check)).output().expect("it starts");
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(reason) }
    }

    /// Starts the server and waits for its banner.
    fn start(&self) -> Container {
        let mut words_of_start = words(self.stage.only("ENTRYPOINT"));
        words_of_start.extend(words(self.stage.only("CMD")));
        let mut command = self.command(&words_of_start);
        let mut process =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let banner = lines.map(|line| line.expect("text"));
        let banner: Vec<_> = banner.take_while(|line| line != "Stop with Ctrl-C.").collect();
        Container { process, banner: banner.join("\n") }
    }
}

/// The running server, which is killed on drop.
struct Container {
    process: Child,
    banner: String,
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The names in a folder, with whether others may read the file.
fn files(folder: &Path) -> Vec<(String, bool)> {
    let entries = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable"));
    let mut files: Vec<_> = entries
        .map(|entry| {
            let mode = entry.metadata().expect("readable").permissions().mode();
            (entry.file_name().to_string_lossy().into_owned(), mode & 0o077 != 0)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_image_serves_from_a_read_only_disk_without_privileges() {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if !is_root {
        tell("making a folder the root of a process needs root, so nothing was checked");
        return;
    }
    let image = Image::new();
    assert!(image.health().is_err_and(|reason| reason.contains("no server answers")));

    let mut server = image.start();
    let address = format!("0.0.0.0:{}", image.port);
    assert!(server.banner.contains(&address), "{}", server.banner);
    assert_eq!(image.health(), Ok(()));

    let volume = image.root.path().join("data");
    let names: Vec<_> = files(&volume).into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"entourage.db".to_owned()), "{names:?}");
    let secret = files(&volume).into_iter().find(|(name, _)| name == "entourage.secret");
    assert_eq!(secret, Some(("entourage.secret".to_owned(), false)));

    let stop = format!("kill -{} {}", image.stage.only("STOPSIGNAL"), server.process.id());
    let stop = stop.replace("SIG", "");
    assert!(Command::new("sh").args(["-c", &stop]).status().expect("a shell").success());
    assert!(server.process.wait().expect("it ends").success());
    assert!(image.health().is_err(), "it has stopped");
}
