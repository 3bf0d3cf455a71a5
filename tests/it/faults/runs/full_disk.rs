//! SQLite on a disk that becomes full, and is cleared again.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::TempDir;

use super::{
    people::{People, UNLIMITED, assert_sound, username},
    writers::FOLLOW,
};
use crate::support::{
    answer::{Answer, Caller},
    figures::{tell, until},
    process::Server,
};

/// The size of the disk.
const DISK: &str = "size=16m";
/// The most follows that may fit before the disk is full.
const FOLLOWS_MAX: usize = 3_000;
/// How many writes are refused before the disk is cleared.
const REFUSALS: usize = 20;
/// The longest time until writes succeed, once the disk is cleared.
const RECOVERS_WITHIN: Duration = Duration::from_secs(5);

/// A small disk in memory, unmounted on drop.
struct Disk(TempDir);

impl Disk {
    /// Mounts a disk; `None` without the permission to.
    fn mount() -> Option<Self> {
        let folder = TempDir::new().expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(folder.path());
        mount.output().is_ok_and(|done| done.status.success()).then_some(Self(folder))
    }

    /// Writes a file until the disk is full.
    fn fill(&self) {
        let mut filler = fs::File::create(self.filler()).expect("there is room for a name");
        let mut block = vec![0; 64 * 1024];
        while !block.is_empty() {
            match filler.write_all(&block) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    block.truncate(block.len() / 2);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn clear(&self) {
        fs::remove_file(self.filler()).expect("it is there");
    }

    fn filler(&self) -> std::path::PathBuf {
        self.0.path().join("filler")
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, since a process that has a file open there may still be terminating.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

/// Fills the disk under a server this many times. Mounting a disk takes root; otherwise the run is
/// skipped with a message.
pub(crate) async fn run(rounds: usize) {
    let Some(disk) = Disk::mount() else {
        tell("SQLite on a full disk: not run, since mounting a disk takes root");
        return;
    };
    let url = format!("sqlite://{}", disk.path().join("entourage.db").display());
    let people = People::make(&url, FOLLOWS_MAX * rounds + 1, 1).await;
    let server = Server::at(&url, &UNLIMITED);
    let caller = Caller::of(&server.address);
    let token = people.tokens[0].as_str();
    let follow =
        async |place| caller.ask(Some(token), FOLLOW, json!({ "username": username(place) })).await;

    let (mut next, mut refused, mut recoveries) = (1, 0, Vec::new());
    for round in 1..=rounds {
        follow(next).await.data();
        next += 1;
        disk.fill();
        let mut failed = 0;
        while failed < REFUSALS {
            assert!(next < FOLLOWS_MAX * round, "the disk is not full");
            match follow(next).await {
                Answer::Data(_) => next += 1,
                answer => {
                    assert_eq!(answer, Answer::Refused("UNAVAILABLE".to_owned()));
                    failed += 1;
                }
            }
            let query = "{ viewer { user { following { totalCount } } } }";
            let data = caller.ask(Some(token), query, json!({})).await.data();
            assert_eq!(data["viewer"]["user"]["following"]["totalCount"], next - 1);
        }
        refused += failed;

        disk.clear();
        let room = Instant::now();
        until(RECOVERS_WITHIN, "writes go on", async || {
            matches!(follow(next).await, Answer::Data(_))
        })
        .await;
        recoveries.push(room.elapsed());
        next += 1;
    }
    assert_sound(&url);
    drop(server);
    tell(&format!(
        "SQLite on a full disk, {rounds} times: {refused} writes refused with UNAVAILABLE and none \
         of them made, all {} others kept, reads went on; writes again after {:.0?} (worst)",
        next - 1,
        recoveries.iter().max().expect("there was a round"),
    ));
}
