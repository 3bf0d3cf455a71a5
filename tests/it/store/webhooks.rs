//! The outbox of the host's webhook: what is written to it, and who sends it when.

use std::{collections::HashSet, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use entourage::{
    domain::{
        FollowAction, FollowChange, FollowLimits, PrivacyChange, UserId, Webhook, WebhookAttempt,
        WebhookBacklog, WebhookKind, WebhookNames, WebhookOutcome,
    },
    store::{self, Metered, Options, Store},
};
use futures_util::{FutureExt, future::join_all};
use tokio::time::timeout;

use super::{
    ALICE, BOB, CAROL, DAVE, at, cases, change, follow, four_users,
    groups::{follows, limited, unfollows},
    make_private, mute, users,
};
use crate::support::{
    database::{Database, Engine},
    faults::Fault,
    follow::FollowOne,
    link::Link,
};

cases! {
    ;
    database:
    each_new_follow_and_request_is_a_message,
    a_change_that_is_no_news_is_no_message,
    an_acceptance_after_a_withdrawal_is_a_message,
    a_server_without_a_webhook_writes_no_message,
    a_change_that_fails_leaves_no_message,
    messages_cost_one_statement_a_batch,
    a_claimed_message_is_not_claimed_again_before_its_time,
    the_end_of_an_old_claim_changes_nothing,
    the_oldest_messages_are_claimed_first,
    each_message_is_claimed_by_one_of_several_servers,
    a_parked_message_waits_until_it_is_resent,
    a_message_has_the_names_of_its_users_as_of_now,
    a_hint_follows_a_message_of_this_server,
}

const FOLLOW: FollowAction = FollowAction::Follow(FollowLimits::NONE);

/// A store that writes messages, on a database with four users.
async fn writing(database: &Database) -> Arc<dyn Store> {
    four_users(database.store()).await;
    database.store_with_webhooks().await
}

/// Later than every message of the tests.
fn later(seconds: i64) -> DateTime<Utc> {
    at(0) + TimeDelta::seconds(seconds)
}

/// Claims up to so many of the due messages at a time, for a minute.
async fn claim_at(store: &dyn Store, now: DateTime<Utc>, limit: u32) -> Vec<Webhook> {
    let claimed = store.claim_webhooks(now, now + TimeDelta::minutes(1), limit).await;
    let mut claimed = claimed.unwrap();
    claimed.sort_unstable_by_key(|message| message.at);
    claimed
}

/// What all messages say: what happened, and between whom.
async fn messages(store: &dyn Store) -> Vec<(WebhookKind, UserId, UserId)> {
    let claimed = claim_at(store, later(1), 100).await;
    let ids: HashSet<_> = claimed.iter().map(|message| &message.id).collect();
    assert_eq!(ids.len(), claimed.len());
    claimed.iter().map(|one| (one.kind, one.follower.id, one.followee.id)).collect()
}

fn ended(message: &Webhook, outcome: WebhookOutcome) -> WebhookAttempt {
    WebhookAttempt { id: message.id.clone(), number: message.attempts, outcome }
}

fn parked(message: &Webhook) -> WebhookAttempt {
    ended(message, WebhookOutcome::Parked { failure: "answered 503".to_owned() })
}

async fn each_new_follow_and_request_is_a_message(database: &Database) {
    use WebhookKind::{FollowCreated, FollowRequested};
    let store = &*writing(database).await;
    make_private(store, DAVE).await;

    follow(store, ALICE, BOB, 1).await;
    change(store, ALICE, DAVE, FOLLOW, 2).await;
    change(store, BOB, DAVE, FOLLOW, 3).await;
    change(store, ALICE, DAVE, FollowAction::Accept, 4).await;
    let public = PrivacyChange { is_private: Some(false), ..PrivacyChange::default() };
    store.update_privacy(DAVE, public).await.unwrap();
    change(store, BOB, DAVE, FollowAction::AcceptIfPublic, 5).await;
    for outcome in store.outcomes(&[follows(BOB, ALICE, 6), follows(CAROL, ALICE, 7)]).await {
        outcome.unwrap();
    }

    let expected = [
        (FollowCreated, ALICE, BOB),
        (FollowRequested, ALICE, DAVE),
        (FollowRequested, BOB, DAVE),
        (FollowCreated, ALICE, DAVE),
        (FollowCreated, BOB, DAVE),
        (FollowCreated, BOB, ALICE),
        (FollowCreated, CAROL, ALICE),
    ];
    assert_eq!(messages(store).await, expected);
    store.close().await;
}

async fn a_change_that_is_no_news_is_no_message(database: &Database) {
    let store = &*writing(database).await;
    make_private(store, DAVE).await;
    mute(store, CAROL, ALICE, 0).await;

    follow(store, ALICE, BOB, 1).await;
    // Already there, taken back, and added once more on the same day.
    change(store, ALICE, BOB, FOLLOW, 2).await;
    store.unfollow(ALICE, BOB, at(3)).await.unwrap();
    follow(store, ALICE, BOB, 4).await;
    // Muted, withdrawn, rejected, blocked, removed, refused.
    follow(store, ALICE, CAROL, 5).await;
    change(store, CAROL, DAVE, FOLLOW, 6).await;
    store.unfollow(CAROL, DAVE, at(7)).await.unwrap();
    change(store, BOB, DAVE, FOLLOW, 8).await;
    change(store, BOB, DAVE, FollowAction::Reject, 9).await;
    change(store, CAROL, ALICE, FollowAction::Block { limit: 9 }, 10).await;
    change(store, ALICE, BOB, FollowAction::Remove, 11).await;
    change(store, ALICE, CAROL, FOLLOW, 12).await;
    store.delete_user(BOB, at(13)).await.unwrap();

    let found: Vec<_> = messages(store).await.into_iter().map(|(_, one, two)| (one, two)).collect();
    assert_eq!(found, [(ALICE, BOB), (CAROL, DAVE), (BOB, DAVE)]);
    store.close().await;
}

async fn an_acceptance_after_a_withdrawal_is_a_message(database: &Database) {
    use WebhookKind::{FollowCreated, FollowRequested};
    let store = &*writing(database).await;
    make_private(store, DAVE).await;
    let withdraw = FollowAction::Unfollow { is_counted: true };
    for (micros, action) in (1..).zip([FOLLOW, withdraw, FOLLOW, FollowAction::Accept]) {
        change(store, ALICE, DAVE, action, micros).await;
    }

    let expected = [(FollowRequested, ALICE, DAVE), (FollowCreated, ALICE, DAVE)];
    assert_eq!(messages(store).await, expected);
    store.close().await;
}

async fn a_server_without_a_webhook_writes_no_message(database: &Database) {
    let store = database.store();
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;
    assert_eq!(store.webhook_backlog().await.unwrap(), WebhookBacklog::default());
}

async fn a_change_that_fails_leaves_no_message(database: &Database) {
    let store = &*writing(database).await;
    let one_a_day = FollowLimits { per_day: 1, ..FollowLimits::NONE };
    let batch =
        [limited(follows(ALICE, BOB, 1), one_a_day), limited(follows(ALICE, CAROL, 2), one_a_day)];
    for outcome in store.outcomes(&batch).await {
        outcome.unwrap();
    }
    assert_eq!(messages(store).await.len(), 1, "the second follow is refused");

    // The last statement of the transaction fails.
    let fail = match database.engine() {
        Engine::Sqlite => {
            "CREATE TRIGGER fails BEFORE INSERT ON follow_events BEGIN \
             SELECT raise(ABORT, 'a test'); END"
        }
        Engine::Postgres => {
            "ALTER TABLE follow_events ADD CONSTRAINT fails CHECK (false) NOT VALID"
        }
    };
    database.execute(fail).await;
    let change = FollowChange { follower: CAROL, followee: DAVE, at: at(3), action: FOLLOW };
    store.change_follow(change).await.expect_err("the database refuses");
    assert_eq!(store.webhook_backlog().await.unwrap().waiting, 1);
    store.close().await;
}

#[tokio::test]
async fn a_commit_without_an_answer_leaves_one_message() {
    super::faults::on_postgres(async |database| {
        four_users(database.store()).await;
        let link = Link::to(&database.url).await;
        let options = Options { writes_webhooks: true, ..Options::default() };
        let store = store::connect(&link.url, options).await.unwrap();
        follow(&*store, CAROL, DAVE, 1).await;

        link.faults.set(Fault::AfterCommit);
        follow(&*store, ALICE, BOB, 2).await;
        assert!(link.faults.clear());
        link.faults.set(Fault::Before(1));
        follow(&*store, BOB, ALICE, 3).await;
        assert!(link.faults.clear());

        assert_eq!(messages(&*store).await.len(), 3);
        store.close().await;
    })
    .await;
}

async fn messages_cost_one_statement_a_batch(database: &Database) {
    let writing = writing(database).await;
    let statements = async |store: Arc<dyn Store>, batch: &[FollowChange]| {
        let store = Metered::new(store);
        for outcome in store.change_follows(batch).await {
            outcome.unwrap();
        }
        store.statements().total()
    };
    let without = statements(Arc::clone(&database.store), &[follows(ALICE, BOB, 1)]).await;
    let batch = [follows(BOB, ALICE, 2), follows(BOB, CAROL, 3), follows(CAROL, BOB, 4)];
    assert_eq!(statements(Arc::clone(&writing), &batch).await, without + 1);

    let without = statements(Arc::clone(&database.store), &[unfollows(ALICE, BOB, 5)]).await;
    assert_eq!(statements(Arc::clone(&writing), &[unfollows(BOB, ALICE, 6)]).await, without);
    writing.close().await;
}

async fn a_claimed_message_is_not_claimed_again_before_its_time(database: &Database) {
    let store = &*writing(database).await;
    follow(store, ALICE, BOB, 1).await;

    assert_eq!(claim_at(store, at(0), 9).await, [], "it is not due yet");
    let first = claim_at(store, later(1), 9).await;
    assert_eq!(first.len(), 1);
    assert_eq!(claim_at(store, later(60), 9).await, []);
    let second = claim_at(store, later(61), 9).await;
    assert_eq!(second.len(), 1);
    assert_eq!((first[0].attempts, second[0].attempts), (1, 2));
    assert_eq!(first[0].id, second[0].id);

    let due_at = later(3_600);
    let outcome = WebhookOutcome::Retry { due_at, failure: "answered 503".to_owned() };
    store.settle_webhooks(&[ended(&second[0], outcome)]).await.unwrap();
    assert_eq!(claim_at(store, due_at - TimeDelta::microseconds(1), 9).await, []);
    let third = claim_at(store, due_at, 9).await;
    assert_eq!(third[0].failure.as_deref(), Some("answered 503"));

    store.settle_webhooks(&[ended(&third[0], WebhookOutcome::Done)]).await.unwrap();
    assert_eq!(store.webhook_backlog().await.unwrap(), WebhookBacklog::default());
    store.close().await;
}

async fn the_end_of_an_old_claim_changes_nothing(database: &Database) {
    let store = &*writing(database).await;
    follow(store, ALICE, BOB, 1).await;
    let old = claim_at(store, later(1), 9).await.remove(0);
    let new = claim_at(store, later(61), 9).await.remove(0);

    let retry = WebhookOutcome::Retry { due_at: later(0), failure: "late".to_owned() };
    for outcome in [WebhookOutcome::Done, retry] {
        store.settle_webhooks(&[ended(&old, outcome)]).await.unwrap();
    }
    store.settle_webhooks(&[parked(&old)]).await.unwrap();
    assert_eq!(claim_at(store, later(120), 9).await, []);
    assert_eq!(store.webhook_backlog().await.unwrap().waiting, 1);

    // Nor is a message that is parked removed.
    store.settle_webhooks(&[parked(&new)]).await.unwrap();
    store.settle_webhooks(&[ended(&new, WebhookOutcome::Done)]).await.unwrap();
    assert_eq!(store.webhook_backlog().await.unwrap().parked, 1);
    store.settle_webhooks(&[]).await.unwrap();
    store.close().await;
}

async fn the_oldest_messages_are_claimed_first(database: &Database) {
    let store = &*writing(database).await;
    for (follower, followee, micros) in [(ALICE, BOB, 3), (BOB, CAROL, 1), (CAROL, DAVE, 2)] {
        follow(store, follower, followee, micros).await;
    }
    let backlog = WebhookBacklog { waiting: 3, parked: 0, oldest: Some(at(1)) };
    assert_eq!(store.webhook_backlog().await.unwrap(), backlog);

    let times = |claimed: Vec<Webhook>| claimed.iter().map(|one| one.at).collect::<Vec<_>>();
    assert_eq!(times(claim_at(store, later(1), 2).await), [at(1), at(2)]);
    assert_eq!(times(claim_at(store, later(1), 2).await), [at(3)]);
    store.close().await;
}

async fn each_message_is_claimed_by_one_of_several_servers(database: &Database) {
    let messages = 60;
    users(database.store(), messages + 1).await;
    let stores = [database.store_with_webhooks().await, database.store_with_webhooks().await];
    let batch: Vec<_> = (2..=messages + 1).map(|id| follows(UserId(id), UserId(1), id)).collect();
    for outcome in stores[0].outcomes(&batch).await {
        outcome.unwrap();
    }

    let claiming = stores.iter().cycle().take(8).map(|store| async move {
        let mut claimed = Vec::new();
        loop {
            let next = claim_at(&**store, later(1), 3).await;
            if next.is_empty() {
                return claimed;
            }
            claimed.extend(next.into_iter().map(|message| message.follower.id));
        }
    });
    let mut claimed = join_all(claiming).await.concat();
    claimed.sort_unstable();
    assert_eq!(claimed, (2..=messages + 1).map(UserId).collect::<Vec<_>>());
    for store in stores {
        store.close().await;
    }
}

async fn a_parked_message_waits_until_it_is_resent(database: &Database) {
    let store = &*writing(database).await;
    for (followee, micros) in [(BOB, 1), (CAROL, 2), (DAVE, 3)] {
        follow(store, ALICE, followee, micros).await;
    }
    let claimed = claim_at(store, later(1), 9).await;
    store.settle_webhooks(&claimed.iter().map(parked).collect::<Vec<_>>()).await.unwrap();
    let backlog = WebhookBacklog { waiting: 0, parked: 3, oldest: None };
    assert_eq!(store.webhook_backlog().await.unwrap(), backlog);
    assert_eq!(claim_at(store, later(1_000_000), 9).await, []);

    let mut ids: Vec<_> = claimed.iter().map(|message| message.id.clone()).collect();
    ids.sort_unstable();
    let page = async |after: &str, limit| {
        let page = store.parked_webhooks(after, limit).await.unwrap();
        page.into_iter().map(|message| message.id).collect::<Vec<_>>()
    };
    assert_eq!(page("", 2).await, ids[..2]);
    assert_eq!(page(&ids[1], 2).await, ids[2..]);
    let listed = store.parked_webhooks("", 1).await.unwrap().remove(0);
    assert_eq!((listed.attempts, listed.failure.as_deref()), (1, Some("answered 503")));

    let (two, other) = (ids[..2].to_vec(), "msg_other".to_owned());
    let some = [two.clone(), vec![other.clone()]].concat();
    assert_eq!(store.resend_webhooks(&some, later(5)).await.unwrap(), [other]);
    assert_eq!(page("", 9).await, ids, "nothing has changed");
    assert_eq!(store.resend_webhooks(&two, later(5)).await.unwrap(), [""; 0]);
    assert_eq!(page("", 9).await, ids[2..]);
    assert_eq!(store.resend_webhooks(&two, later(5)).await.unwrap(), two, "they are not parked");
    let resent = claim_at(store, later(5), 9).await;
    assert_eq!(resent.iter().map(|message| message.attempts).collect::<Vec<_>>(), [1, 1]);
    store.close().await;
}

async fn a_message_has_the_names_of_its_users_as_of_now(database: &Database) {
    let store = &*writing(database).await;
    follow(store, ALICE, BOB, 1).await;
    database
        .execute("UPDATE users SET username = 'Alicia', subject = 'auth0|1' WHERE id = 1")
        .await;

    let message = claim_at(store, later(1), 9).await.remove(0);
    let names = |username: &str, external_id: Option<&str>| {
        let (username, external_id) = (username.to_owned(), external_id.map(str::to_owned));
        Some(WebhookNames { username, external_id })
    };
    assert_eq!(message.follower.names, names("Alicia", Some("auth0|1")));
    assert_eq!(message.followee.names, names("Bob", None));

    store.delete_user(ALICE, at(2)).await.unwrap();
    let message = claim_at(store, later(61), 9).await.remove(0);
    assert_eq!((message.follower.id, message.follower.names), (ALICE, None));
    store.close().await;
}

async fn a_hint_follows_a_message_of_this_server(database: &Database) {
    let store = &*writing(database).await;
    assert_eq!(store.webhooks_written().now_or_never(), None);
    follow(store, ALICE, BOB, 1).await;
    timeout(Duration::from_secs(30), store.webhooks_written()).await.expect("a hint");
    store.unfollow(ALICE, BOB, at(2)).await.unwrap();
    assert_eq!(store.webhooks_written().now_or_never(), None);
    store.close().await;
}
