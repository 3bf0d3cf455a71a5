//! Differences of requests, blocks and mutes, and edges that exclude each other: made in the database
//! directly, found and repaired.

use entourage::{
    domain::{
        Audience, Drift, Edge, EdgeKind, FollowAction, FollowChange, FollowCounts, FollowList,
        Length, Lengths, UserId,
    },
    store::{Graph, Store},
};
use futures_util::future::join_all;

use super::{
    ALICE, BOB, CAROL, DAVE, all_kinds_of_edges, assert_sound, at, cases, change, counts, create,
    drift::{delete_without_keys, find},
    four_users, list, mute, new_user,
};
use crate::support::database::Database;

cases! {
    a_sound_graph_of_all_kinds_of_edges_has_no_drift,
    ;
    database:
    every_wrong_length_is_found_by_name_and_repaired,
    a_missing_row_of_all_lengths_is_found_and_repaired,
    mirrors_of_requests_and_blocks_are_found_and_repaired,
    a_follow_or_request_beside_a_block_is_found_and_removed,
    a_request_beside_a_follow_is_found_and_removed,
    a_request_beside_follow_and_block_is_one_difference,
    contradictions_that_have_disappeared_are_left_alone,
    leftovers_of_all_kinds_of_edges_are_found_and_repaired,
    an_orphan_block_without_a_mirror_is_found_and_repaired,
    blocks_longer_than_a_slice_are_compared,
    contradictions_are_repaired_beside_writes,
}

/// An edge of a kind, with the time of its number.
fn edge_of(kind: EdgeKind, from: UserId, to: UserId, micros: i64) -> Edge {
    Edge { kind, from, to, since: at(micros) }
}

fn request(from: UserId, to: UserId, micros: i64) -> Edge {
    edge_of(EdgeKind::Request, from, to, micros)
}

fn block(from: UserId, to: UserId, micros: i64) -> Edge {
    edge_of(EdgeKind::Block, from, to, micros)
}

fn follow_edge(from: UserId, to: UserId, micros: i64) -> Edge {
    edge_of(EdgeKind::Follow, from, to, micros)
}

/// Adds an edge past the rules: to both tables, and to the lengths of both users.
async fn insert_edge(database: &Database, edge: Edge) {
    let Edge { kind, from, to, since } = edge;
    let since = database.time_literal(since);
    let (tables, columns, lengths) = match kind {
        EdgeKind::Follow => (
            ["follows", "followers"],
            "follower_id, followee_id, followed_at",
            ["following", "followers"],
        ),
        EdgeKind::Request => (
            ["follow_requests", "follow_requests_received"],
            "requester_id, target_id, requested_at",
            ["requests_sent", "requests_received"],
        ),
        EdgeKind::Block => (
            ["blocks", "blocked_by"],
            "blocker_id, blocked_id, blocked_at",
            ["blocking", "blocked_by"],
        ),
    };
    for table in tables {
        let values = format!("{from}, {to}, {since}");
        database.execute(&format!("INSERT INTO {table} ({columns}) VALUES ({values})")).await;
    }
    for (length, user) in lengths.into_iter().zip([from, to]) {
        let set = format!("UPDATE follow_counts SET {length} = {length} + 1");
        database.execute(&format!("{set} WHERE user_id = {user}")).await;
    }
}

/// Asserts that exactly this is found, as this text, that repairing it changes this many rows, and
/// that nothing is found then.
async fn assert_found(database: &Database, expected: &[(Drift, &str)], rows: u64) {
    let found = find(database).await;
    let texts: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected.iter().map(|(drift, _)| *drift).collect::<Vec<_>>());
    assert_eq!(texts, expected.iter().map(|(_, text)| *text).collect::<Vec<_>>());

    assert_eq!(database.store.repair(&found).await.unwrap(), rows);
    assert_sound(database.store()).await;
    assert_eq!(database.store.repair(&found).await.unwrap(), 0, "they have disappeared");
}

async fn a_sound_graph_of_all_kinds_of_edges_has_no_drift(store: &dyn Store) {
    all_kinds_of_edges(store).await;
    assert_sound(store).await;
    assert_eq!(store.repair(&[]).await.unwrap(), 0);
}

async fn every_wrong_length_is_found_by_name_and_repaired(database: &Database) {
    all_kinds_of_edges(database.store()).await;
    // The lengths of alice, in the order of `Length::ALL`.
    let actual = Lengths([1, 2, 1, 0, 0, 1, 1]);
    let columns = [
        ("followers", "8 followers, rows say 1"),
        ("following", "9 following, rows say 2"),
        ("requests_sent", "8 requests sent, rows say 1"),
        ("requests_received", "7 requests received, rows say 0"),
        ("blocking", "7 blocking, rows say 0"),
        ("blocked_by", "8 blocked by, rows say 1"),
        ("muting", "8 muting, rows say 1"),
    ];
    for (length, (column, text)) in Length::ALL.into_iter().zip(columns) {
        let set = format!("UPDATE follow_counts SET {column} = {column} + 7 WHERE user_id = 1");
        database.execute(&set).await;
        let mut stored = actual;
        stored[length] += 7;
        let drift = Drift::Counts { user: ALICE, stored: Some(stored), actual };
        assert_found(database, &[(drift, &format!("user 1: counts say {text}"))], 1).await;
    }

    let all = "followers = 0, following = 3, requests_sent = 4, muting = 5";
    database.execute(&format!("UPDATE follow_counts SET {all} WHERE user_id = 1")).await;
    let stored = Some(Lengths([0, 3, 4, 0, 0, 1, 5]));
    let text = "user 1: counts say 0 followers, 3 following, 4 requests sent and 5 muting, \
                rows say 1, 2, 1 and 1";
    assert_found(database, &[(Drift::Counts { user: ALICE, stored, actual }, text)], 1).await;
}

async fn a_missing_row_of_all_lengths_is_found_and_repaired(database: &Database) {
    all_kinds_of_edges(database.store()).await;
    create(database.store(), UserId(5), "eve").await;
    database.execute("DELETE FROM follow_counts WHERE user_id IN (1, 5)").await;

    let actual = Lengths([1, 2, 1, 0, 0, 1, 1]);
    let text = "user 1: no counts, rows say 1 followers, 2 following, 1 requests sent, \
                1 blocked by and 1 muting";
    let eve = Drift::Counts { user: UserId(5), stored: None, actual: Lengths::default() };
    let expected =
        [(Drift::Counts { user: ALICE, stored: None, actual }, text), (eve, "user 5: no counts")];
    // Alice's number of the last event is raised again.
    assert_found(database, &expected, 3).await;
}

async fn mirrors_of_requests_and_blocks_are_found_and_repaired(database: &Database) {
    all_kinds_of_edges(database.store()).await;
    let time = database.time_literal(at(30));
    for sql in [
        "DELETE FROM follow_requests_received WHERE requester_id = 1".to_owned(),
        "DELETE FROM follow_requests WHERE requester_id = 2".to_owned(),
        "DELETE FROM blocked_by WHERE blocker_id = 3 AND blocked_id = 4".to_owned(),
        format!("UPDATE blocked_by SET blocked_at = {time} WHERE blocker_id = 4"),
        format!(
            "INSERT INTO blocked_by (blocked_id, blocker_id, blocked_at) VALUES (2, 1, {time})"
        ),
    ] {
        database.execute(&sql).await;
    }

    let bob = (Lengths([1, 1, 1, 0, 0, 0, 0]), Lengths([1, 1, 0, 0, 0, 0, 0]));
    let dave = (Lengths([0, 0, 0, 2, 1, 1, 0]), Lengths([0, 0, 0, 1, 1, 1, 0]));
    let counts = |user, (stored, actual)| Drift::Counts { user, stored: Some(stored), actual };
    let expected = [
        (
            Drift::MirrorMissing(request(ALICE, DAVE, 5)),
            "request 1 -> 4 at 2025-06-15 15:06:40.000005 UTC: \
             in follow_requests, not in follow_requests_received",
        ),
        (
            Drift::MirrorStray(block(ALICE, BOB, 30)),
            "block 1 -> 2 at 2025-06-15 15:06:40.000030 UTC: in blocked_by, not in blocks",
        ),
        (counts(BOB, bob), "user 2: counts say 1 requests sent, rows say 0"),
        (
            Drift::MirrorStray(request(BOB, DAVE, 6)),
            "request 2 -> 4 at 2025-06-15 15:06:40.000006 UTC: \
             in follow_requests_received, not in follow_requests",
        ),
        (
            Drift::MirrorMissing(block(CAROL, DAVE, 8)),
            "block 3 -> 4 at 2025-06-15 15:06:40.000008 UTC: in blocks, not in blocked_by",
        ),
        (counts(DAVE, dave), "user 4: counts say 2 requests received, rows say 1"),
        (
            Drift::MirrorMissing(block(DAVE, CAROL, 7)),
            "block 4 -> 3 at 2025-06-15 15:06:40.000007 UTC: in blocks, not in blocked_by",
        ),
        (
            Drift::MirrorStray(block(DAVE, CAROL, 30)),
            "block 4 -> 3 at 2025-06-15 15:06:40.000030 UTC: in blocked_by, not in blocks",
        ),
    ];
    // Six rows of mirrors, and the counts of bob and dave.
    assert_found(database, &expected, 8).await;
}

async fn a_follow_or_request_beside_a_block_is_found_and_removed(database: &Database) {
    all_kinds_of_edges(database.store()).await;
    // Dave blocks carol and carol dave; erin, a user without other edges, blocks alice.
    for edge in [
        follow_edge(CAROL, DAVE, 21),
        follow_edge(ALICE, UserId(6), 22),
        follow_edge(UserId(6), ALICE, 23),
        request(DAVE, CAROL, 24),
        request(ALICE, UserId(6), 25),
    ] {
        insert_edge(database, edge).await;
    }

    let time = |micros| format!("2025-06-15 15:06:40.{micros:06} UTC");
    let text = "one of the users blocks the other";
    let texts = [
        format!("follow 1 -> 6 at {}: {text}", time(22)),
        format!("request 1 -> 6 at {}: {text}", time(25)),
        format!("follow 3 -> 4 at {}: {text}", time(21)),
        format!("request 4 -> 3 at {}: {text}", time(24)),
        format!("follow 6 -> 1 at {}: {text}", time(23)),
    ];
    let expected = [
        Drift::BesideBlock(follow_edge(ALICE, UserId(6), 22)),
        Drift::BesideBlock(request(ALICE, UserId(6), 25)),
        Drift::BesideBlock(follow_edge(CAROL, DAVE, 21)),
        Drift::BesideBlock(request(DAVE, CAROL, 24)),
        Drift::BesideBlock(follow_edge(UserId(6), ALICE, 23)),
    ];
    let expected: Vec<_> = expected.into_iter().zip(texts.iter().map(String::as_str)).collect();
    // Each edge in two tables, and the counts of alice, carol, dave and erin.
    assert_found(database, &expected, 14).await;

    assert_eq!(counts(database.store(), ALICE).await, FollowCounts { followers: 1, following: 2 });
    assert_eq!(list(database.store(), FollowList::Following, ALICE).await, [CAROL, BOB]);
    let own = database.store.own_lengths(Audience::EVERYBODY, CAROL).await.unwrap();
    assert_eq!((own.requests_received, own.blocked), (0, 1));
}

async fn a_request_beside_a_follow_is_found_and_removed(database: &Database) {
    all_kinds_of_edges(database.store()).await;
    insert_edge(database, request(ALICE, BOB, 21)).await;
    insert_edge(database, follow_edge(BOB, DAVE, 22)).await;

    let expected = [
        (
            Drift::BesideFollow(request(ALICE, BOB, 21)),
            "request 1 -> 2 at 2025-06-15 15:06:40.000021 UTC: the user follows already",
        ),
        (
            Drift::BesideFollow(request(BOB, DAVE, 6)),
            "request 2 -> 4 at 2025-06-15 15:06:40.000006 UTC: the user follows already",
        ),
    ];
    // Each request in two tables, and the counts of alice, bob and dave.
    assert_found(database, &expected, 7).await;
    assert_eq!(counts(database.store(), DAVE).await, FollowCounts { followers: 1, following: 0 });
}

/// And its missing mirror is another one, which the repair of the first takes away.
async fn a_request_beside_follow_and_block_is_one_difference(database: &Database) {
    all_kinds_of_edges(database.store()).await;
    insert_edge(database, request(DAVE, CAROL, 21)).await;
    insert_edge(database, follow_edge(DAVE, CAROL, 22)).await;
    database.execute("DELETE FROM follow_requests_received WHERE target_id = 3").await;

    let expected = [
        (
            Drift::BesideBlock(follow_edge(DAVE, CAROL, 22)),
            "follow 4 -> 3 at 2025-06-15 15:06:40.000022 UTC: one of the users blocks the other",
        ),
        (
            Drift::BesideBlock(request(DAVE, CAROL, 21)),
            "request 4 -> 3 at 2025-06-15 15:06:40.000021 UTC: one of the users blocks the other",
        ),
        (
            Drift::MirrorMissing(request(DAVE, CAROL, 21)),
            "request 4 -> 3 at 2025-06-15 15:06:40.000021 UTC: \
             in follow_requests, not in follow_requests_received",
        ),
    ];
    // The follow in two tables, the request in one, and the counts of carol and dave.
    assert_found(database, &expected, 5).await;
}

async fn contradictions_that_have_disappeared_are_left_alone(database: &Database) {
    all_kinds_of_edges(database.store()).await;
    let outdated = [
        // These exist, and nothing excludes them.
        Drift::BesideBlock(follow_edge(ALICE, BOB, 1)),
        Drift::BesideBlock(request(ALICE, DAVE, 5)),
        Drift::BesideFollow(request(ALICE, DAVE, 5)),
        // An edge does not exclude itself.
        Drift::BesideBlock(block(DAVE, CAROL, 7)),
        Drift::BesideFollow(follow_edge(ALICE, BOB, 1)),
        // An edge of another time, or no edge.
        Drift::BesideBlock(follow_edge(ALICE, BOB, 9)),
        Drift::BesideFollow(request(DAVE, BOB, 1)),
        Drift::MirrorMissing(block(DAVE, CAROL, 9)),
        Drift::MirrorStray(block(DAVE, CAROL, 7)),
        Drift::MirrorStray(request(ALICE, DAVE, 5)),
        Drift::OrphanEdge(block(DAVE, CAROL, 7)),
        Drift::OrphanMute { muter: ALICE, muted: BOB },
    ];

    assert_eq!(database.store.repair(&outdated).await.unwrap(), 0);
    assert_sound(database.store()).await;
}

async fn leftovers_of_all_kinds_of_edges_are_found_and_repaired(database: &Database) {
    all_kinds_of_edges(database.store()).await;
    mute(database.store(), DAVE, ALICE, 13).await;
    mute(database.store(), BOB, DAVE, 14).await;
    delete_without_keys(database, "DELETE FROM users WHERE id = 4").await;

    let text = "one of the users does not exist";
    let time = |micros| format!("2025-06-15 15:06:40.{micros:06} UTC");
    let texts = [
        format!("request 1 -> 4 at {}: {text}", time(5)),
        format!("request 2 -> 4 at {}: {text}", time(6)),
        format!("mute 2 -> 4: {text}"),
        format!("block 3 -> 4 at {}: {text}", time(8)),
        format!("block 4 -> 3 at {}: {text}", time(7)),
        format!("mute 4 -> 1: {text}"),
        "user 4: counts of a user who does not exist".to_owned(),
        "user 4: events of a user who does not exist".to_owned(),
    ];
    let expected = [
        Drift::OrphanEdge(request(ALICE, DAVE, 5)),
        Drift::OrphanEdge(request(BOB, DAVE, 6)),
        Drift::OrphanMute { muter: BOB, muted: DAVE },
        Drift::OrphanEdge(block(CAROL, DAVE, 8)),
        Drift::OrphanEdge(block(DAVE, CAROL, 7)),
        Drift::OrphanMute { muter: DAVE, muted: ALICE },
        Drift::OrphanCounts(DAVE),
        Drift::OrphanLog(DAVE),
    ];
    let expected: Vec<_> = expected.into_iter().zip(texts.iter().map(String::as_str)).collect();
    // Each edge in two tables, two mutes, the counts of dave, those of alice, bob and carol, and two
    // events.
    assert_found(database, &expected, 16).await;
}

/// Nothing else is stored with the user who does not exist.
async fn an_orphan_block_without_a_mirror_is_found_and_repaired(database: &Database) {
    all_kinds_of_edges(database.store()).await;
    database.execute("DELETE FROM blocked_by WHERE blocked_id = 4").await;
    database.store.delete_user(DAVE, at(0)).await.unwrap();

    let text = "block 3 -> 4 at 2025-06-15 15:06:40.000008 UTC: one of the users does not exist";
    let expected = [(Drift::OrphanEdge(block(CAROL, DAVE, 8)), text)];
    assert_found(database, &expected, 2).await;
}

async fn blocks_longer_than_a_slice_are_compared(database: &Database) {
    let users = (1..=10_600).map(|id| new_user(UserId(id), &format!("u{id}"))).collect();
    database.store.load(Graph { users, follows: Vec::new() }, &|_| {}).await.unwrap();
    let time = database.time_literal(at(1));
    for table in ["blocks", "blocked_by"] {
        let insert = format!("INSERT INTO {table} (blocker_id, blocked_id, blocked_at)");
        database.execute(&format!("{insert} SELECT id, 1, {time} FROM users WHERE id > 1")).await;
    }
    database.execute("UPDATE follow_counts SET blocking = 1 WHERE user_id > 1").await;
    database.execute("UPDATE follow_counts SET blocked_by = 10599 WHERE user_id = 1").await;
    assert_sound(database.store()).await;

    database.execute("DELETE FROM blocked_by WHERE blocker_id IN (9, 10500)").await;
    database.execute("DELETE FROM blocks WHERE blocker_id = 9").await;
    insert_edge(database, follow_edge(UserId(10_400), ALICE, 2)).await;
    let found = find(database).await;

    let (mut stored, mut actual) = (Lengths::default(), Lengths::default());
    stored[Length::Followers] = 1;
    actual[Length::Followers] = 1;
    stored[Length::BlockedBy] = 10_599;
    actual[Length::BlockedBy] = 10_598;
    let mut of_nine = Lengths::default();
    of_nine[Length::Blocking] = 1;
    let nine = (Some(of_nine), Lengths::default());
    let expected = [
        Drift::Counts { user: ALICE, stored: Some(stored), actual },
        Drift::Counts { user: UserId(9), stored: nine.0, actual: nine.1 },
        Drift::BesideBlock(follow_edge(UserId(10_400), ALICE, 2)),
        Drift::MirrorMissing(block(UserId(10_500), ALICE, 1)),
    ];
    assert_eq!(found, expected);
    // The follow in two tables, a mirror, and the counts of three users.
    assert_eq!(database.store.repair(&found).await.unwrap(), 6);
    assert_sound(database.store()).await;
}

/// Whatever write meets the repair, edges, mirrors and lengths are sound afterwards.
async fn contradictions_are_repaired_beside_writes(database: &Database) {
    four_users(database.store()).await;
    let unfollow = FollowAction::Unfollow { is_counted: true };
    let again = FollowAction::Follow(entourage::domain::FollowLimits::NONE);
    let writes = [
        FollowChange { follower: ALICE, followee: BOB, at: at(0), action: unfollow },
        FollowChange { follower: ALICE, followee: BOB, at: at(0), action: again },
        FollowChange { follower: BOB, followee: ALICE, at: at(0), action: FollowAction::Unblock },
        FollowChange {
            follower: ALICE,
            followee: BOB,
            at: at(0),
            action: FollowAction::Block { limit: 9 },
        },
        FollowChange { follower: ALICE, followee: BOB, at: at(0), action: FollowAction::Accept },
    ];
    for round in 0..40_i64 {
        change(database.store(), BOB, ALICE, FollowAction::Block { limit: 9 }, 100 * round).await;
        let mut edges = vec![follow_edge(ALICE, BOB, 100 * round + 1)];
        if round % 2 == 0 {
            edges.push(request(ALICE, BOB, 100 * round + 2));
        }
        for edge in &edges {
            insert_edge(database, *edge).await;
        }
        let found = find(database).await;
        assert_eq!(found.len(), edges.len());

        let (first, second) =
            (usize::try_from(round).unwrap() % 5, usize::try_from(round).unwrap() % 4);
        let writes = [first, second].map(|place| {
            let at = at(100 * round + 10 + i64::try_from(place).unwrap());
            FollowChange { at, ..writes[place] }
        });
        let write = writes.map(|change| database.store.change_follow(change));
        let (repaired, results) = tokio::join!(database.store.repair(&found), join_all(write));
        repaired.unwrap();
        for result in results {
            result.unwrap();
        }

        assert_sound(database.store()).await;
        for (one, other) in [(ALICE, BOB), (BOB, ALICE)] {
            change(database.store(), one, other, unfollow, 100 * round + 50).await;
            change(database.store(), one, other, FollowAction::Unblock, 100 * round + 50).await;
        }
    }
}
