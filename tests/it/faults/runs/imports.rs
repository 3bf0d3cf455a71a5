//! An import that is killed again and again ends as one that was not.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use entourage::store::{self, Options, Store};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use super::people::assert_sound;
use crate::support::{
    database::{Database, Engine},
    figures::{tell, until},
    process::{at, binary, said},
};

/// The longest wait for a number of rows.
const PATIENCE: Duration = Duration::from_mins(2);

/// So that each kill hits another chunk.
const SMALL_CHUNKS: [&str; 2] = ["--chunk-time", "20ms"];

/// The size of the run.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) users: usize,
    pub(crate) follows: usize,
    /// The kills of each of the two imports.
    pub(crate) kills: usize,
}

/// Rows of users; each hundredth cannot be taken, for one of twelve reasons.
fn users(size: Size) -> Vec<u8> {
    let mut file =
        b"id,external_id,username,name,bio,avatar_url,created_at,role,password_hash\n".to_vec();
    for n in 1..=size.users {
        let row = match n.is_multiple_of(100).then_some(n / 100 % 12) {
            None => format!("{n},h{n},user_{n},User {n},,,2020-01-01T00:00:{:02}Z,,", n % 60),
            Some(0) => format!("{n},h{n},,,,,,,"),
            Some(1) => format!("{n},h{n},user {n},,,,,,"),
            Some(2) => format!("{n},h{n},USER_1,,,,,,"),
            Some(3) => format!("{n},h1,user_{n},,,,,,"),
            Some(4) => format!("1,h{n},user_{n},,,,,,"),
            Some(5) => format!("x,h{n},user_{n},,,,,,"),
            Some(6) => format!("{n},h{n},user_{n},{},,,,,", "x".repeat(101)),
            Some(7) => format!("{n},h{n},user_{n},,,ftp://x,,,"),
            Some(8) => format!("{n},h{n},user_{n},,,,2999-01-01,,"),
            Some(9) => format!("{n},h{n},user_{n},,,,,king,"),
            Some(10) => format!("{n},h{n},user_{n},,,,,,plain"),
            Some(_) => format!("{n},h{n},user_{n}"),
        };
        file.extend(row.into_bytes());
        file.push(b'\n');
    }
    file
}

/// Rows of follows, likewise.
fn follows(size: Size) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(24);
    let mut file = b"follower,followee,followed_at\n".to_vec();
    for n in 1..=size.follows {
        let [one, other] = [(); 2].map(|()| random.random_range(1..=size.users));
        let time = format!("2021-01-01 00:00:00.{:06}", n % 1_000_000);
        let row = match n.is_multiple_of(100).then_some(n / 100 % 12) {
            None => format!("h{one},h{other},{time}"),
            Some(0) => format!("nobody,h{other},{time}"),
            Some(1) => format!("h{one},nobody,{time}"),
            Some(2) => format!("h{one},h{one},{time}"),
            Some(3) => format!("h{one},h{other},yesterday"),
            Some(4) => format!("h{one},h{other},2999-01-01"),
            Some(5) => format!(",h{other},{time}"),
            Some(6) => format!("h{one},,{time}"),
            Some(7) => format!("h{one},h{other}"),
            Some(8) => format!("h{one},h{other},{time},x"),
            Some(9) => format!("h{one}\0,h{other},{time}"),
            Some(10) => format!("h{one},h{other},infinity"),
            Some(_) => format!("h{one},\"h{other}\"\"\",{time}"),
        };
        file.extend(row.into_bytes());
        file.push(b'\n');
    }
    file
}

/// Writes both files into a folder.
pub(super) fn write_files(folder: &Path, size: Size) {
    fs::write(folder.join("users.csv"), users(size)).expect("writes");
    fs::write(folder.join("follows.csv"), follows(size)).expect("writes");
}

/// What an import leaves behind.
#[derive(PartialEq, Eq)]
struct Left {
    users: String,
    follows: String,
    rejects: [String; 2],
}

impl Left {
    fn read(url: &str, folder: &Path) -> Self {
        let exported = |what| {
            let run = at(url, &["export", what]).success();
            String::from_utf8(run.get_output().stdout.clone()).expect("text")
        };
        let rejects = ["users", "follows"].map(|kind| {
            let file = fs::read_to_string(folder.join(format!("{kind}.rejects.csv")));
            file.expect("it was written")
        });
        Self { users: exported("users"), follows: exported("follows"), rejects }
    }
}

/// Starts an import of a file in the folder.
pub(super) fn start(url: &str, folder: &Path, kind: &str, options: &[&str]) -> Child {
    let (file, rejects) = (format!("{kind}.csv"), format!("{kind}.rejects.csv"));
    let mut command = binary(folder);
    command.args(["import", kind, &file, "--rejects", &rejects]).args(options);
    command.env("DATABASE_URL", url);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts")
}

/// Runs an import until it has read so many lines of its file, and kills it.
async fn kill_at(store: &dyn Store, mut import: Child, lines: i64) {
    let has_read = async || {
        let imports = store.imports().await.expect("it answers");
        imports.first().is_some_and(|import| import.progress.lines >= lines)
    };
    until(PATIENCE, "read", async || has_read().await).await;
    import.kill().expect("it can be killed");
    import.wait().expect("it ends");
}

/// Imports both files into the database at a URL. Returns how many times it was killed.
async fn import(url: &str, folder: &Path, size: Size, kills: usize) -> usize {
    let store = store::connect(url, Options::default()).await.expect("it is there");
    let mut random = ChaCha8Rng::seed_from_u64(42);
    let mut killed = 0;
    for (kind, rows) in [("users", size.users), ("follows", size.follows)] {
        let rows = i64::try_from(rows).expect("they are few");
        let mut moments: Vec<_> = (0..kills).map(|_| random.random_range(1..rows)).collect();
        moments.sort_unstable();
        for lines in moments {
            kill_at(&*store, start(url, folder, kind, &SMALL_CHUNKS), lines).await;
            killed += 1;
        }
        let done = start(url, folder, kind, &SMALL_CHUNKS).wait().expect("it ends");
        assert!(done.success(), "{kind}");
    }
    store.close().await;
    killed
}

pub(crate) async fn run(engine: Engine, size: Size) {
    let folder = TempDir::new().expect("a folder");
    write_files(folder.path(), size);
    let mut line = String::new();
    let mut left: Vec<Left> = Vec::new();
    for kills in [0, size.kills] {
        let database = Database::closed(engine).await;
        database
            .run(async |database| {
                said(at(&database.url, &["migrate"]));
                let began = Instant::now();
                let killed = import(&database.url, folder.path(), size, kills).await;
                let _ = write!(line, "{killed} kills: {:.1?}; ", began.elapsed());
                assert_sound(&database.url);
                left.push(Left::read(&database.url, folder.path()));
            })
            .await;
        for kind in ["users", "follows"] {
            fs::remove_file(folder.path().join(format!("{kind}.rejects.csv")))
                .expect("it is there");
        }
    }
    let [whole, killed] = &left[..] else { panic!("two imports") };
    assert!(whole == killed, "the import that was killed ended in another way");
    for (rejects, rows) in whole.rejects.iter().zip([size.users, size.follows]) {
        assert!(rejects.lines().count() > rows / 100, "each hundredth row is rejected");
    }
    tell(&format!("{line}{} users and {} follows, byte-equal", size.users, size.follows));
}
