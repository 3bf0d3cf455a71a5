//! `import following`, and `export` of the lists of one account.

use entourage::{
    domain::{Follow, FollowAction, FollowChange, Mute, NewUser, UserId, Username},
    store::Graph,
};

use super::{
    complaint,
    import::{Files, assert_report, assert_sound, counts, migrated, user_id},
    on, on_both_engines, on_with_input, refused,
};
use crate::support::database::{Database, Engine};

on_both_engines! {
    a_list_of_mastodon_moves_in_and_out,
    a_list_of_names_needs_no_header,
    an_archive_of_x_moves_in,
    an_archive_goes_on_where_it_was_interrupted,
    lists_of_an_account_are_exported,
    a_list_that_cannot_be_read_is_refused,
}

/// Users with the external ids 1 to 5.
async fn five_users<'a>(database: &'a Database, files: &Files) -> &'a dyn entourage::store::Store {
    let store = migrated(database).await;
    let rows = "id,username\n1,alice\n2,Bob\n3,carol\n4,dan\n5,erin\n";
    on(database, &["import", "users", &files.write("users.csv", rows)]).success();
    store
}

/// What an export prints.
fn exported(database: &Database, arguments: &[&str]) -> String {
    let run = on(database, &[&["export"], arguments].concat()).success();
    String::from_utf8(run.get_output().stdout.clone()).expect("text")
}

const HEADER: &str = "Account address,Show boosts,Notify on new posts,Languages\n";

async fn a_list_of_mastodon_moves_in_and_out(database: &Database) {
    let files = Files::new();
    let store = five_users(database, &files).await;
    let rows = format!(
        "{HEADER}bob@here.example,true,false,\"en, de\"\n\
         @carol@HERE.example,true,false,\n\
         dan@there.example,true,false,\n\
         ghost@here.example,true,false,\n\
         alice@here.example,true,false,\n\
         @erin,true,false,\n\
         bob@here.example,true,false,\n\
         !@here.example,true,false,\n\
         ,true,false,\n"
    );
    let file = files.write("following_accounts.csv", rows);
    let rejects = files.path("rejects.csv").display().to_string();
    let arguments =
        ["import", "following", "Alice", &file, "--domain", "here.example", "--rejects", &rejects];
    let dry = on(database, &[&arguments[..], &["--dry-run"]].concat());
    let reasons = "         2  no such user\n         1  follows themselves\n         1  no name\n         \
                   1  other domain\n";
    let expected = format!("3 would be loaded, 1 there already, 5 rejected\n{reasons}");
    assert_report(&dry, &expected, true);
    let run = on(database, &arguments);
    assert_report(&run, &expected.replace("would be loaded", "loaded"), true);
    assert!(files.read("rejects.csv").starts_with(
        "line,reason,Account address,Show boosts,Notify on new posts,Languages\n\
         4,other domain,dan@there.example,true,false,\n\
         5,no such user,ghost@here.example,true,false,\n\
         6,follows themselves,alice@here.example,true,false,\n"
    ));
    let again = on(database, &arguments);
    let expected = format!("0 loaded, 4 there already, 5 rejected\n{reasons}");
    assert_report(&again, &expected, true);
    let alice = user_id(store, "alice").await;
    assert_eq!(counts(store, alice).await.following, 3);
    assert_sound(store).await;

    let list = exported(
        database,
        &["following", "alice", "--format", "mastodon", "--domain", "here.example"],
    );
    assert!(list.starts_with(HEADER), "{list}");
    let mut rows: Vec<_> = list.lines().skip(1).collect();
    rows.sort_unstable();
    let row = |name: &str| format!("{name}@here.example,true,false,");
    assert_eq!(rows, [row("Bob"), row("carol"), row("erin")]);

    // Into another account, and out again: equal but for the order, since all begin at one moment.
    let file = files.write("again.csv", &list);
    let arguments = ["import", "following", "dan", &file, "--domain", "here.example"];
    assert_report(&on(database, &arguments), "3 loaded, 0 there already, 0 rejected\n", true);
    let again = exported(
        database,
        &["following", "dan", "--format", "mastodon", "--domain", "here.example"],
    );
    assert_eq!(again, list);
}

async fn a_list_of_names_needs_no_header(database: &Database) {
    let files = Files::new();
    let store = five_users(database, &files).await;
    let file = files.write("names.txt", "\u{FEFF}bob\n@carol\n\nerin,and more\n");
    let run = on(database, &["import", "following", "alice", &file]);
    assert_report(&run, "3 loaded, 0 there already, 0 rejected\n", true);
    let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(stderr.contains("CSV without a header; followed by alice"), "{stderr}");

    let run = on_with_input(database, &["import", "following", "bob", "-"], "dan\r\nnobody");
    let expected = "1 loaded, 0 there already, 1 rejected\n         1  no such user\n";
    assert_report(&run, expected, false);
    let ids = "3\n9\n";
    let arguments = ["import", "following", "bob", "-", "--by", "external"];
    let run = on_with_input(database, &arguments, ids);
    assert_report(&run, expected, false);

    // What our own export writes has a header.
    let list = files.write("list.csv", exported(database, &["following", "alice"]));
    let run = on(database, &["import", "following", "dan", &list]);
    assert_report(&run, "3 loaded, 0 there already, 0 rejected\n", true);
    assert_sound(store).await;
    let kinds: Vec<_> = store.imports().await.expect("works").iter().map(|i| i.kind).collect();
    assert_eq!(kinds[0].name(), "following");
}

const ARCHIVE: &str = "window.YTD.following.part0 = [\n\
    {\"following\": {\"accountId\": \"2\", \"userLink\": \"https://x.example/intent?user_id=2\"}},\n\
    {\"following\": {\"accountId\": \"77\", \"userLink\": \"\"}},\n\
    {\"following\": {\"accountId\": \"3\"}}\n]";

async fn an_archive_of_x_moves_in(database: &Database) {
    let files = Files::new();
    let store = five_users(database, &files).await;
    let file = files.write("following.js", ARCHIVE);
    let line = complaint(&on(database, &["import", "following", "alice", &file]), 1);
    let hint = "an archive of X has ids only: pass --accounts CSV, or --by external";
    assert_eq!(line, format!("{file}: {hint}"));
    let run = on(database, &["import", "following", "alice", &file, "--by", "external"]);
    let expected = "2 loaded, 0 there already, 1 rejected\n         1  no such user\n";
    assert_report(&run, expected, false);
    let alice = user_id(store, "alice").await;
    assert_eq!(counts(store, alice).await.following, 2);

    let accounts = files.write("accounts.csv", "username,accountId\n@Dan,2\nERIN,3\n,5\n");
    let arguments = ["import", "following", "bob", &file, "--accounts", &accounts];
    let run = on(database, &arguments);
    let expected =
        "2 loaded, 0 there already, 1 rejected\n         1  not in the table of accounts\n";
    assert_report(&run, expected, false);
    let list = exported(database, &["following", "bob"]);
    assert!(list.contains("\ndan,") && list.contains("\nerin,"), "{list}");
    assert_sound(store).await;
    let run = on_with_input(
        database,
        &["import", "following", "carol", "-", "--by", "external"],
        ARCHIVE,
    );
    assert!(String::from_utf8_lossy(&run.get_output().stdout).contains("1 loaded"), "{run}");
}

async fn an_archive_goes_on_where_it_was_interrupted(database: &Database) {
    let files = Files::new();
    let store = five_users(database, &files).await;
    let file = files.write("following.js", ARCHIVE);
    let arguments = ["import", "following", "alice", &file, "--by", "external"];
    on(database, &arguments).failure();
    // As if it was interrupted after the first of its rows.
    database
        .execute(
            "UPDATE imports SET finished_at = NULL, position = 2, lines = 1, loaded = 1, \
             rejected = 0 WHERE kind = 2",
        )
        .await;
    let run = on(database, &arguments);
    let expected = "1 loaded, 1 there already, 1 rejected\n         1  no such user\n";
    assert_report(&run, expected, false);
    let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(stderr.contains("going on after 1 rows of an earlier run"), "{stderr}");
    assert_sound(store).await;
}

async fn lists_of_an_account_are_exported(database: &Database) {
    let files = Files::new();
    let store = five_users(database, &files).await;
    let mut ids = Vec::new();
    for name in ["alice", "bob", "carol", "dan", "erin"] {
        ids.push(user_id(store, name).await);
    }
    let at = |second: i64| chrono::DateTime::from_timestamp(second, 0).expect("a time");
    let change = async |one: usize, other: usize, second: i64, action: FollowAction| {
        let (follower, followee, at) = (ids[one], ids[other], at(second));
        store.change_follow(FollowChange { follower, followee, at, action }).await.expect("works");
    };
    let follow = || FollowAction::Follow(entourage::domain::FollowLimits::NONE);
    for (one, other, second) in [(1, 0, 10), (2, 0, 20), (3, 0, 20), (0, 2, 5), (0, 1, 30)] {
        change(one, other, second, follow()).await;
    }
    change(0, 4, 40, FollowAction::Block { limit: 9 }).await;
    let until = Mute { until: Some(at(99)) };
    store.mute(ids[0], ids[3], until, at(50), 9).await.expect("works");

    let csv = |list: &str| exported(database, &[list, "alice"]);
    let row = |n: usize, name: &str, second: i64| {
        format!("{name},{},{},1970-01-01T00:00:{second}.000000Z", ids[n], n + 1)
    };
    let header = "username,id,external_id,since";
    let followers = [row(3, "dan", 20), row(2, "carol", 20), row(1, "Bob", 10)];
    let mut newest = followers[..2].to_vec();
    newest.sort_unstable_by_key(|row| {
        std::cmp::Reverse(if row.starts_with("dan") { ids[3] } else { ids[2] })
    });
    let expected = format!("{header}\n{}\n{}\n", newest.join("\n"), followers[2]);
    assert_eq!(csv("followers"), expected);
    let expected = format!("{header}\n{}\n{}\n", row(1, "Bob", 30), row(2, "carol", 5))
        .replace("00:00:5.", "00:00:05.");
    assert_eq!(csv("following"), expected);
    assert_eq!(csv("blocks"), format!("{header}\n{}\n", row(4, "erin", 40)));
    let mute = format!("{header},until\n{},1970-01-01T00:01:39.000000Z\n", row(3, "dan", 50));
    assert_eq!(csv("mutes"), mute);

    let mastodon = |list: &str| {
        exported(database, &[list, "alice", "--format", "mastodon", "--domain", "here.example"])
    };
    let follow = |name: &str| format!("{name}@here.example,true,false,\n");
    assert_eq!(mastodon("following"), format!("{HEADER}{}{}", follow("Bob"), follow("carol")));
    assert_eq!(mastodon("blocks"), "erin@here.example\n");
    // Without the mute that has ended: it would begin again there.
    store.mute(ids[0], ids[1], Mute { until: None }, at(60), 9).await.expect("works");
    assert_eq!(mastodon("mutes"), "Account address,Hide notifications\nBob@here.example,true\n");
    let lines = exported(database, &["blocks", "alice", "--format", "jsonl"]);
    let line: serde_json::Value = serde_json::from_str(&lines).expect("JSON");
    assert_eq!(line["username"], "erin");
    assert_eq!(line["since"], "1970-01-01T00:00:40.000000Z");
}

async fn a_list_that_cannot_be_read_is_refused(database: &Database) {
    let files = Files::new();
    five_users(database, &files).await;
    let names = files.write("names.txt", "bob\n");
    let unknown = on(database, &["import", "following", "zoe", &names]);
    assert!(
        String::from_utf8_lossy(&unknown.get_output().stderr).contains("no such user: \"zoe\"")
    );
    for (text, expected) in [
        ("", "it is empty"),
        ("window.YTD.follower.part0 = [{\"follower\":{\"accountId\":\"1\"}}]", "missing field"),
        ("window.YTD.following.part0 = []; alert(1)", "not one JSON array"),
        ("Account address,Hide notifications\nbob@x,true\n", "it is a list of muted users"),
    ] {
        let file = files.write("following.js", text);
        let arguments = ["import", "following", "alice", &file, "--by", "external"];
        let line = complaint(&on(database, &arguments), 1);
        assert!(line.starts_with(&file) && line.contains(expected), "{line}");
    }
    let accounts = files.write("accounts.csv", "id,username\n1,bob\n");
    let arguments = ["import", "following", "alice", &names, "--accounts", &accounts];
    let line = complaint(&on(database, &arguments), 1);
    assert_eq!(line, format!("{accounts}: no column accountId; columns: id, username"));
    let line = complaint(&on(database, &[&arguments[..], &["--by", "external"]].concat()), 1);
    assert!(line.contains("--accounts has usernames"), "{line}");
    let piped = ["import", "following", "alice", &names, "--accounts", "/dev/stdin"];
    let line = complaint(&on_with_input(database, &piped, "accountId,username\n1,bob\n"), 1);
    assert_eq!(line, "/dev/stdin: it is not a file, and is read twice");
    complaint(&on(database, &[&arguments[..], &["--domain", "x"]].concat()), 2);

    let export = |arguments: &[&str]| on(database, &[&["export"], arguments].concat());
    let needs = "--format mastodon needs --domain";
    refused(&export(&["following", "alice", "--format", "mastodon"]), 1, needs);
    let none = "Mastodon has no file of followers: use another --format";
    let arguments = ["followers", "alice", "--format", "mastodon", "--domain", "x"];
    refused(&export(&arguments), 1, none);
    let only = "--domain is for --format mastodon";
    refused(&export(&["blocks", "alice", "--domain", "x"]), 1, only);
    refused(&export(&["mutes", "zoe"]), 1, "no such user: \"zoe\"");
}

#[tokio::test]
async fn a_list_that_mastodon_does_not_take_is_reported() {
    let database = Database::migrated(Engine::Sqlite).await;
    let name = |n: i64| Username::parse(&format!("u{n}")).expect("a good name");
    let at = chrono::DateTime::UNIX_EPOCH;
    let graph = Graph {
        users: (1..=20_002).map(|n| NewUser::bare(UserId(n), name(n), at)).collect(),
        follows: (2..=20_002)
            .map(|n| Follow { follower: UserId(1), followee: UserId(n), followed_at: at })
            .collect(),
    };
    database.store().load(graph, &|_| ()).await.expect("it is empty");
    let arguments = ["export", "following", "u1", "--format", "mastodon", "--domain", "x"];
    let run = on(&database, &arguments).success();
    let output = run.get_output();
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 20_002);
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "exported 20001 users\nentourage: Mastodon imports no more than 20000 rows of a file\n"
    );
}
