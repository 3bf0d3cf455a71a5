//! `import` and `export`: a file, its rows, and what became of each.

use std::{fs, path::PathBuf, slice::from_ref, time::Duration};

use assert_cmd::assert::Assert;
use entourage::{
    domain::{Audience, FollowAction, FollowChange, FollowCounts, UserId, UsernameKey},
    store::{EventHint, Store},
};
use tempfile::TempDir;
use tokio::time::timeout;

use super::{complaint, on, on_both_engines, on_with_input, said};
use crate::support::{
    database::{Database, Engine},
    follow::counts_of,
};

on_both_engines! {
    users_and_follows_of_the_tutorial_move_in,
    an_import_that_is_repeated_changes_nothing,
    rejected_rows_are_written_with_line_and_reason,
    an_import_begins_anew_unless_it_was_interrupted,
    rows_are_compared_with_who_is_there,
    usernames_that_break_the_rules_are_refused_or_adapted,
    a_dry_run_writes_nothing_and_reports_the_same,
    imported_events_reach_those_who_wait_for_them,
    an_imported_follow_replaces_a_request_and_respects_a_block,
    an_export_is_read_back_and_exports_the_same,
    streams_and_json_lines_are_read,
    too_many_rejected_rows_stop_an_import,
    a_file_that_is_no_table_is_refused_in_one_line,
    columns_that_are_missing_are_named,
    imports_are_listed,
}

/// Files in a folder of their own.
pub(super) struct Files(TempDir);

impl Files {
    pub(super) fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and returns its path.
    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, text).expect("writes");
        path.display().to_string()
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("it is there")
    }
}

/// The report of an import, without its first line's time, and whether the run succeeded.
fn report(run: &Assert) -> (String, bool) {
    let output = run.get_output();
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let (_, numbers) = first.split_once(" s: ").unwrap_or(("", first));
    (format!("{numbers}\n{rest}"), output.status.success())
}

#[track_caller]
pub(super) fn assert_report(run: &Assert, expected: &str, succeeded: bool) {
    let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert_eq!(report(run), (expected.to_owned(), succeeded), "{stderr}");
}

pub(super) async fn migrated(database: &Database) -> &dyn Store {
    database.store().migrate().await.expect("migrates");
    database.store()
}

pub(super) async fn user_id(store: &dyn Store, name: &str) -> UserId {
    let key = UsernameKey::parse(name).expect("a username");
    let users = store.users_by_usernames(Audience::EVERYBODY, from_ref(&key)).await;
    users.expect("the store works").get(&key).expect("they are there").id
}

pub(super) async fn counts(store: &dyn Store, user: UserId) -> FollowCounts {
    counts_of(store.lists_by_ids(Audience::EVERYBODY, &[user]).await.expect("works"))[&user]
}

pub(super) async fn assert_sound(store: &dyn Store) {
    assert_eq!(store.find_drift(&|_| ()).await.expect("the store works"), []);
}

pub(super) const USERS: &str = "id,username,email,member_since\n\
    1,susan,susan@example.com,2012-01-02 03:04:05.678901\n\
    2,john,john@example.com,2012-01-03 03:04:05\n\
    3,mary,mary@example.com,\n";
pub(super) const FOLLOWS: &str = "follower_id,followed_id,timestamp\n\
    1,2,2013-01-01 00:00:00.000001\n\
    3,2,2013-01-02 00:00:00\n\
    2,1,2013-01-03 00:00:00\n";

async fn users_and_follows_of_the_tutorial_move_in(database: &Database) {
    let (store, files) = (migrated(database).await, Files::new());
    let users = on(database, &["import", "users", &files.write("users.csv", USERS)]);
    assert_report(&users, "3 loaded, 0 there already, 0 rejected\n", true);
    let follows = on(database, &["import", "follows", &files.write("follows.csv", FOLLOWS)]);
    assert_report(&follows, "3 loaded, 0 there already, 0 rejected\n", true);

    let (susan, john) = (user_id(store, "susan").await, user_id(store, "John").await);
    let found = store.users_by_ids(Audience::EVERYBODY, &[susan]).await.expect("works");
    assert_eq!(found[&susan].external_id.as_deref(), Some("1"));
    assert_eq!(found[&susan].created_at.to_rfc3339(), "2012-01-02T03:04:05.678901+00:00");
    let counts = counts(store, john).await;
    assert_eq!((counts.followers, counts.following), (2, 1));
    assert_sound(store).await;
}

async fn an_import_that_is_repeated_changes_nothing(database: &Database) {
    let (store, files) = (migrated(database).await, Files::new());
    let (users, follows) = (files.write("users.csv", USERS), files.write("follows.csv", FOLLOWS));
    on(database, &["import", "users", &users]).success();
    on(database, &["import", "follows", &follows]).success();
    let before = on(database, &["export", "follows"]).get_output().stdout.clone();

    let again = on(database, &["import", "users", &users]);
    assert_report(&again, "0 loaded, 3 there already, 0 rejected\n", true);
    let again = on(database, &["import", "follows", &follows]);
    assert_report(&again, "0 loaded, 3 there already, 0 rejected\n", true);
    assert_eq!(on(database, &["export", "follows"]).get_output().stdout, before);
    assert_sound(store).await;
}

async fn rejected_rows_are_written_with_line_and_reason(database: &Database) {
    let (store, files) = (migrated(database).await, Files::new());
    on(database, &["import", "users", &files.write("users.csv", USERS)]).success();
    let rows = "follower,followee,followed_at\r\n\
        1,2,2013-01-01\r\n\
        1,9,2013-01-01\r\n\
        8,1,2013-01-01\r\n\
        1,1,2013-01-01\r\n\
        2,1,yesterday\r\n\
        2,1\r\n\
        \r\n\
        1,2,2014-01-01\r\n\
        1,2,2013-01-01\r\n\
        2,,2013-01-01\r\n\
        3,1,2999-01-01\r\n\
        \"3\",\"1\",\"2013-01-01\"\r\n\
        3,2,\"2013-01-01\r\n";
    let file = files.write("follows.csv", rows);
    let run = on(database, &["import", "follows", &file]);
    let expected = "2 loaded, 1 there already, 9 rejected\n         \
        1  2 columns instead of 3\n         \
        1  follows already, since another time\n         \
        1  follows themselves\n         \
        1  malformed time\n         \
        1  no followee\n         \
        1  no such followee\n         \
        1  no such follower\n         \
        1  quotes are not closed\n         \
        1  time in the future\n";
    assert_report(&run, expected, false);
    let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(stderr.contains("9 rows were rejected: --rejects FILE takes them"), "{stderr}");

    let rejects = files.path("rejects.csv").display().to_string();
    let arguments = ["import", "follows", &file, "--rejects", &rejects];
    let run = on(database, &arguments);
    assert!(report(&run).0.starts_with("0 loaded, 3 there already, 9 rejected"), "{run}");
    assert_eq!(
        files.read("rejects.csv"),
        "line,reason,follower,followee,followed_at\n\
         3,no such followee,1,9,2013-01-01\n\
         4,no such follower,8,1,2013-01-01\n\
         5,follows themselves,1,1,2013-01-01\n\
         6,malformed time,2,1,yesterday\n\
         7,2 columns instead of 3\n\
         9,\"follows already, since another time\",1,2,2014-01-01\n\
         11,no followee,2,,2013-01-01\n\
         12,time in the future,3,1,2999-01-01\n\
         14,quotes are not closed\n"
    );
    run.success();
    let strict = on(database, &[&arguments[..], &["--strict"]].concat());
    assert!(!report(&strict).1);
    assert_sound(store).await;
}

async fn an_import_begins_anew_unless_it_was_interrupted(database: &Database) {
    let (store, files) = (migrated(database).await, Files::new());
    let file = files.write("follows.csv", FOLLOWS);
    let rejects = files.path("rejects.csv").display().to_string();
    let arguments = ["import", "follows", &file, "--rejects", &rejects];
    let run = on(database, &arguments);
    assert!(report(&run).0.starts_with("0 loaded, 0 there already, 3 rejected"), "{run}");
    on(database, &["import", "users", &files.write("users.csv", USERS)]).success();

    // It is done, so a run that fails before its first row leaves nothing to go on from.
    let nowhere = files.path("missing/rejects.csv").display().to_string();
    let failed = on(database, &["import", "follows", &file, "--rejects", &nowhere]);
    assert!(!report(&failed).1);
    let run = on(database, &arguments);
    assert_report(&run, "3 loaded, 0 there already, 0 rejected\n", true);

    // As if it was interrupted after its first rows: only with the file of rejected rows it goes on.
    database.execute("UPDATE imports SET finished_at = NULL, rejects_length = 999").await;
    let line =
        "--rejects is not the file of the run that was interrupted; use that one, or --restart";
    for rejects in [&["--rejects", &rejects][..], &[]] {
        let refused = on(database, &[&["import", "follows", &file][..], rejects].concat());
        let stderr = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
        assert!(stderr.contains(line) && !report(&refused).1, "{stderr}");
    }
    let run = on(database, &[&arguments[..], &["--restart"]].concat());
    assert_report(&run, "0 loaded, 3 there already, 0 rejected\n", true);
    assert_sound(store).await;
}

async fn rows_are_compared_with_who_is_there(database: &Database) {
    let (store, files) = (migrated(database).await, Files::new());
    let first = "external_id,username,name,role\na,ann,Ann,moderator\nb,bob,,\n";
    on(database, &["import", "users", &files.write("first.csv", first)]).success();
    let second = "external_id,username,name,role\n\
        a,ann,Ann,moderator\n\
        a,ann,Anna,\n\
        b,bobby,,\n\
        c,BOB,,\n\
        d,dan,,king\n\
        e,eve,,\n\
        e,eve,,\n\
        e,eva,,\n";
    let run = on(database, &["import", "users", &files.write("second.csv", second)]);
    let expected = "1 loaded, 2 there already, 5 rejected\n         \
        2  is there with another username\n         \
        1  is there with another name\n         \
        1  unknown role\n         \
        1  username is taken\n";
    assert_report(&run, expected, false);
    let ann = user_id(store, "ann").await;
    assert_eq!(
        store.find_account(ann).await.expect("works").expect("there").role.name,
        "moderator"
    );
    assert_sound(store).await;
}

async fn usernames_that_break_the_rules_are_refused_or_adapted(database: &Database) {
    let (store, files) = (migrated(database).await, Files::new());
    let rows = "id,username,name\n\
        1,Zoë O'Neill,\n\
        2,zoe_o_neill,Zoe\n\
        3,ZOE O NEILL,\n\
        4,日本,\n\
        5,ann.lee-x,\n";
    let file = files.write("users.csv", rows);
    let refused = on(database, &["import", "users", &file, "--dry-run"]);
    assert!(report(&refused).0.starts_with("2 would be loaded, 0 there already, 3 rejected"));
    let rejects = files.path("rejects.csv").display().to_string();
    let arguments = ["import", "users", &file, "--usernames", "adapt", "--rejects", &rejects];
    let run = on(database, &arguments);
    assert_report(&run, "5 loaded, 0 there already, 0 rejected\n4 usernames were adapted\n", true);
    assert_eq!(
        files.read("rejects.csv"),
        "line,reason,id,username,name\n\
         2,\"adapted: username \"\"Zoë O'Neill\"\" to Zoe_O_Neill\",1,Zoë O'Neill,\n\
         3,\"adapted: username \"\"zoe_o_neill\"\" to zoe_o_neill_2\",2,zoe_o_neill,Zoe\n\
         4,\"adapted: username \"\"ZOE O NEILL\"\" to ZOE_O_NEILL_3\",3,ZOE O NEILL,\n\
         5,\"adapted: username \"\"日本\"\" to user_4\",4,日本,\n"
    );
    let again = on(database, &arguments);
    assert_report(&again, "0 loaded, 5 there already, 0 rejected\n", true);
    let japan = user_id(store, "user_4").await;
    let found = store.users_by_ids(Audience::EVERYBODY, &[japan]).await.expect("works");
    assert_eq!(found[&japan].name.as_deref(), Some("日本"));
    assert_sound(store).await;
}

async fn a_dry_run_writes_nothing_and_reports_the_same(database: &Database) {
    let (store, files) = (migrated(database).await, Files::new());
    on(database, &["import", "users", &files.write("users.csv", USERS)]).success();
    let rows = "follower,followee,followed_at\n1,2,2013-01-01\n1,2,2013-01-01\n7,2,\n2,2,\n3,1,\n";
    let file = files.write("follows.csv", rows);
    let dry = report(&on(database, &["import", "follows", &file, "--dry-run"]));
    let exported = on(database, &["export", "follows"]).get_output().stdout.clone();
    assert_eq!(exported, b"follower,followee,followed_at\n");
    assert_eq!(store.imports().await.expect("works").len(), 1, "that of the users");
    let real = report(&on(database, &["import", "follows", &file]));
    assert_eq!(dry.0.replace("would be loaded", "loaded"), real.0);
    assert!(real.0.starts_with("2 loaded, 1 there already, 2 rejected\n"), "{}", real.0);
}

async fn imported_events_reach_those_who_wait_for_them(database: &Database) {
    let files = Files::new();
    let store = migrated(database).await;
    let file = files.write("users.csv", "username\nann\nbob\n");
    on(database, &["import", "users", &file]).success();
    let bob = user_id(store, "bob").await;
    let (mut hints, has_all) = store.watch_events().await.expect("the store works");
    assert!(has_all);

    let file = files.write("follows.csv", "follower,followee\nann,bob\n");
    on(database, &["import", "follows", &file, "--by", "username", "--events"]).success();

    let hint = timeout(Duration::from_secs(10), hints.next()).await.expect("a hint");
    match hint.expect("the store works") {
        EventHint::Grown(logs) => assert_eq!(*logs, [bob]),
        EventHint::AnyGrown => assert_eq!(database.engine(), Engine::Sqlite),
    }
}

async fn an_imported_follow_replaces_a_request_and_respects_a_block(database: &Database) {
    let (store, files) = (migrated(database).await, Files::new());
    on(database, &["import", "users", &files.write("users.csv", USERS)]).success();
    let ids = [user_id(store, "susan").await, user_id(store, "john").await];
    let at = chrono::DateTime::UNIX_EPOCH;
    let mary = user_id(store, "mary").await;
    let private = entourage::domain::PrivacyChange { is_private: Some(true), ..Default::default() };
    store.update_privacy(ids[1], private).await.expect("works");
    let change = |follower, followee, action| FollowChange { follower, followee, at, action };
    let ask = FollowAction::Follow(entourage::domain::FollowLimits::NONE);
    store.change_follow(change(ids[0], ids[1], ask)).await.expect("works");
    let block = FollowAction::Block { limit: 9 };
    store.change_follow(change(mary, ids[1], block)).await.expect("works");
    let last = store.last_events(&ids).await.expect("works");

    let run = on(database, &["import", "follows", &files.write("follows.csv", FOLLOWS)]);
    let expected = "2 loaded, 0 there already, 1 rejected\n         \
        1  one of the users blocks the other\n";
    assert_report(&run, expected, false);
    assert_eq!(store.last_events(&ids).await.expect("works"), last, "an import is no event");
    assert_sound(store).await;
    let counts = counts(store, ids[1]).await;
    assert_eq!((counts.followers, counts.following), (1, 1));

    let more = "follower,followee\n3,1\n";
    let more = files.write("more.csv", more);
    on(database, &["import", "follows", &more, "--events"]).success();
    assert_eq!(store.last_events(&ids).await.expect("works")[&ids[0]], last[&ids[0]] + 1);
    assert_sound(store).await;
}

async fn an_export_is_read_back_and_exports_the_same(database: &Database) {
    let files = Files::new();
    migrated(database).await;
    let rows = "{\"id\":7,\"external_id\":\"h|7\",\"username\":\"ann-lee\",\"name\":\"Ann \\\"A\\\", Lee\",\
        \"bio\":\"two\\nlines\",\"avatar_url\":\"https://example.com/a\",\
        \"created_at\":\"2020-01-02T03:04:05.678901Z\",\"role\":\"moderator\"}\n\
        {\"id\":\"9\",\"username\":\"bob\",\"external_id\":\"h|9\"}\n";
    let users = files.write("users.jsonl", rows);
    on(database, &["import", "users", &users]).success();
    let rows = "follower,followee,followed_at\n7,9,2021-01-01\n9,7,2021-01-02T00:00:00.5Z\n";
    let follows = files.write("follows.csv", rows);
    on(database, &["import", "follows", &follows, "--by", "id"]).success();
    let exported = |database: &Database, what: &str, format: &str| {
        let run = on(database, &["export", what, "--format", format]).success();
        String::from_utf8(run.get_output().stdout.clone()).expect("text")
    };
    let all = |database: &Database| {
        ["csv", "jsonl"]
            .map(|format| ["users", "follows"].map(|what| exported(database, what, format)))
    };
    let before = all(database);
    assert!(before[0][0].starts_with(
        "id,external_id,username,name,bio,avatar_url,created_at,role\n\
         7,h|7,ann-lee,\"Ann \"\"A\"\", Lee\",\"two\nlines\",https://example.com/a,\
         2020-01-02T03:04:05.678901Z,moderator\n"
    ));

    // Into an empty database of the other engine, in either format.
    for (format, [users, follows]) in ["csv", "jsonl"].into_iter().zip(&before) {
        let (users, follows) = (
            files.write(&format!("users.{format}"), users),
            files.write(&format!("follows.{format}"), follows),
        );
        let other = Database::migrated(database.engine().other()).await;
        on(&other, &["import", "users", &users]).success();
        on(&other, &["import", "follows", &follows, "--by", "id"]).success();
        assert_eq!(all(&other), before);
    }
}

async fn streams_and_json_lines_are_read(database: &Database) {
    let store = migrated(database).await;
    let users = "{\"external_id\":\"a\",\"username\":\"ann\"}\n{\"username\":\"bob\"}\n[1]\n";
    let run = on_with_input(database, &["import", "users", "-"], users);
    let expected = "2 loaded, 0 there already, 1 rejected\n         1  not a JSON object\n";
    assert_report(&run, expected, false);
    let follows = "follower;followee;at\n@Ann;bob;1600000000\n";
    let run = on_with_input(database, &["import", "follows", "-", "--by", "username"], follows);
    assert_report(&run, "1 loaded, 0 there already, 0 rejected\n", true);
    assert_eq!(counts(store, user_id(store, "bob").await).await.followers, 1);
}

async fn too_many_rejected_rows_stop_an_import(database: &Database) {
    let files = Files::new();
    migrated(database).await;
    let rows = "username\nann\n!\n!\nbob\n";
    let file = files.write("users.csv", rows);
    let run = on(database, &["import", "users", &file, "--max-rejects", "1"]);
    let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    let line = "stopped after 4 rows: 2 of 4 rows were rejected, more than --max-rejects allows";
    assert!(stderr.contains(line), "{stderr}");
    let run = on(database, &["import", "users", &file, "--max-rejects", "2"]);
    assert!(report(&run).0.starts_with("2 loaded, 0 there already, 2 rejected"), "{run}");
}

async fn a_file_that_is_no_table_is_refused_in_one_line(database: &Database) {
    let files = Files::new();
    migrated(database).await;
    let folder = files.0.path().display().to_string();
    for (file, expected) in [
        (folder, "it is a folder"),
        (files.write("empty.csv", ""), "it is empty"),
        (files.write("packed.csv", b"\x1F\x8B\x08\0"), "it is compressed"),
        (files.write("wide.csv", b"\xFF\xFEu\0"), "it is in UTF-16"),
        (files.write("app.db", "SQLite format 3\0"), "it is a SQLite database"),
        (files.write("latin.csv", b"user,n\xE4me\n"), "line 1: not UTF-8"),
        (files.write("open.csv", "\"username\n"), "line 1: quotes are not closed"),
        (files.path("missing.csv").display().to_string(), "cannot read it: No such file"),
    ] {
        let line = complaint(&on(database, &["import", "users", &file]), 1);
        assert!(line.starts_with(&format!("{file}: {expected}")), "{line}");
        assert!(line.matches("(os error").count() <= 1, "{line}");
    }
}

async fn columns_that_are_missing_are_named(database: &Database) {
    let files = Files::new();
    migrated(database).await;
    let file = files.write("people.csv", "nick,title\nann,Ann\n");
    let line = complaint(&on(database, &["import", "users", &file]), 1);
    let expected = "no column for username; columns: nick, title; say which one it is by --map \
                    username=COLUMN";
    assert_eq!(line, format!("{file}: {expected}"));
    for (map, expected) in [
        ("username=nickname", "no column \"nickname\" for username; columns: nick, title"),
        ("nick=username", "--map: unknown field \"nick\"; fields: id, external_id"),
    ] {
        let line = complaint(&on(database, &["import", "users", &file, "--map", map]), 1);
        assert!(line.starts_with(&format!("{file}: {expected}")), "{line}");
    }
    let run = on(database, &["import", "users", &file, "--map", "username=nick,name=title"]);
    assert_report(&run, "1 loaded, 0 there already, 0 rejected\n", true);
}

async fn imports_are_listed(database: &Database) {
    let files = Files::new();
    migrated(database).await;
    on(database, &["imports"]).success().stdout("").stderr("no file was imported\n");
    let users = files.write("users.csv", USERS);
    on(database, &["import", "users", &users]).success();
    let follows = files.write("a\tb.csv", FOLLOWS.replace("3,2,", "9,2,"));
    on(database, &["import", "follows", &follows]).failure();
    let stream = "username\nann\n";
    on_with_input(database, &["import", "users", "-"], stream).success();
    on_with_input(database, &["import", "users", "-"], "username\nann\nbob\n").success();
    let set = |column: &str, second: i64, file: &str| {
        let at = chrono::DateTime::from_timestamp(1_750_000_000 + second, 0).expect("a time");
        let at = database.time_literal(at);
        format!("UPDATE imports SET {column} = {at} WHERE file LIKE '%{file}'")
    };
    database.execute(&set("started_at", 2, "b.csv")).await;
    database.execute(&set("started_at", 1, "users.csv")).await;
    database.execute(&set("started_at", 0, "-")).await;
    database.execute(&set("finished_at", 60, "users.csv")).await;
    database.execute("UPDATE imports SET finished_at = NULL WHERE file LIKE '%b.csv'").await;

    let table = said(on(database, &["imports"]));
    let folder = files.path("").display().to_string();
    let table: Vec<_> = table.lines().map(|line| line.replace(&folder, "")).collect();
    assert_eq!(
        table[..3],
        [
            "KIND           LINES      LOADED     PRESENT    REJECTED  STARTED               \
             FINISHED              FILE",
            "follows            4           2           0           1  2025-06-15T15:06:42Z  \
             -                     a\\tb.csv",
            "users              4           3           0           0  2025-06-15T15:06:41Z  \
             2025-06-15T15:07:40Z  users.csv",
        ]
    );
    assert_eq!(table.len(), 5, "each stream is an import of its own: {table:?}");

    let lines = said(on(database, &["imports", "--json"]));
    let first: serde_json::Value = lines.lines().next().unwrap_or_default().parse().expect("JSON");
    let expected = serde_json::json!({
        "file": follows, "kind": "follows", "lines": 4, "loaded": 2, "present": 0, "rejected": 1,
        "startedAt": "2025-06-15T15:06:42Z", "finishedAt": null,
    });
    assert_eq!(first, expected);
}
