//! Deliveries to the host's webhook: what is sent, when it is sent again, and when no more.

use std::{collections::HashSet, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use entourage::{
    app::Settings,
    domain::{
        Clock, FollowAction, FollowChange, FollowLimits, GlobalId, NewUser, UserId, Username,
        Webhook, WebhookBacklog,
    },
    service::{Service, WebhookReceiver, WebhookSecrets},
    store::Store,
};
use futures_util::future::join;
use reqwest::Method;
use serde_json::json;
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};

use super::send;
use crate::support::{
    app::{TestApp, settings},
    clock::ByHand,
    database::{Database, Engine},
    faults::{Fault, Faults},
    faulty::Faulty,
    hooks::{OLD_SECRET, Receiver, SECRET, service},
};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
/// The seconds between the ten attempts.
const WAITS: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
const LONG: Duration = Duration::from_mins(1);

/// A host with a receiver, and a server whose clock stands still.
struct Host {
    receiver: Receiver,
    clock: ByHand,
    store: Arc<dyn Store>,
    service: Arc<Service>,
}

impl Host {
    async fn on(database: &Database) -> Self {
        let store = database.store_with_webhooks().await;
        for (id, name) in (1..).zip(["alice", "bob", "carol", "dave"]) {
            let username = Username::parse(name).expect("a username");
            let user = NewUser::bare(UserId(id), username, start());
            store.create_user(&user).await.expect("the store works");
        }
        let (receiver, clock) = (Receiver::start().await, ByHand::new(start()));
        let service = service(&store, &clock, receiver.with(&[SECRET]));
        Self { receiver, clock, store, service }
    }

    async fn follow(&self, follower: i64, followee: i64) {
        let (follower, followee) = (UserId(follower), UserId(followee));
        let action = FollowAction::Follow(FollowLimits::NONE);
        let change = FollowChange { follower, followee, at: self.clock.now(), action };
        self.store.change_follow(change).await.expect("the store works");
    }

    /// Creates users who follow alice.
    async fn followers_of_alice(&self, n: i64) {
        for id in 5..5 + n {
            let username = Username::parse(&format!("u{id}")).expect("a username");
            let user = NewUser::bare(UserId(id), username, start());
            self.store.create_user(&user).await.expect("the store works");
            self.follow(id, 1).await;
        }
    }

    /// Delivers what is due, and returns the number of all messages that were received.
    async fn deliver(&self) -> usize {
        self.service.deliver_webhooks().await;
        self.receiver.received().len()
    }

    async fn backlog(&self) -> (i64, i64) {
        let WebhookBacklog { waiting, parked, .. } =
            self.store.webhook_backlog().await.expect("the store works");
        (waiting, parked)
    }

    fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    async fn parked(&self) -> Vec<Webhook> {
        self.service.operator().parked_webhooks("", 100).await.expect("the store works")
    }
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 0).expect("in range")
}

/// Runs a test with a host on each engine.
async fn on_each_engine(test: impl AsyncFn(&Host)) {
    for engine in ENGINES {
        let test = &test;
        Database::migrated(engine)
            .await
            .run(async |database| {
                let host = Host::on(database).await;
                test(&host).await;
                host.store.close().await;
            })
            .await;
    }
}

#[tokio::test]
async fn a_message_is_what_the_page_says() {
    Database::migrated(Engine::Sqlite)
        .await
        .run(async |database| {
            let host = Host::on(database).await;
            database.execute("UPDATE users SET subject = 'auth0|\"2' WHERE id = 2").await;
            host.follow(1, 2).await;
            host.advance(7);
            assert_eq!(host.deliver().await, 1);

            let message = host.receiver.received().remove(0);
            assert_eq!(message.line, "POST /hooks HTTP/1.1");
            assert_eq!(message.header("content-type"), "application/json");
            assert!(message.header("user-agent").starts_with("entourage/"));
            assert!(message.id().starts_with("msg_") && !message.id().contains('.'));
            assert_eq!(message.header("webhook-timestamp"), "1750000007");
            assert_eq!(message.header("webhook-signature"), message.expected_signature(SECRET));
            let user = |id, name, external_id: Option<&str>| {
                json!({ "id": GlobalId::User(UserId(id)).text(), "username": name, "externalId": external_id })
            };
            let expected = json!({
                "type": "follow.created",
                "timestamp": "2025-06-15T15:06:40.000000Z",
                "data": {
                    "follower": user(1, "alice", None),
                    "followee": user(2, "bob", Some("auth0|\"2")),
                },
            });
            assert_eq!(message.json(), expected);
            assert_eq!(message.body, expected.to_string(), "the order is fixed");
            assert_eq!(host.backlog().await, (0, 0));
            assert_eq!(host.deliver().await, 1, "it is sent once");
            host.store.close().await;
        })
        .await;
}

#[tokio::test]
async fn two_secrets_are_two_signatures() {
    on_each_engine(async |host| {
        host.follow(1, 2).await;
        let receiver = host.receiver.with(&[SECRET, OLD_SECRET]);
        service(&host.store, &host.clock, receiver).deliver_webhooks().await;

        let message = host.receiver.received().remove(0);
        let both = [SECRET, OLD_SECRET].map(|secret| message.expected_signature(secret)).join(" ");
        assert_eq!(message.header("webhook-signature"), both);
    })
    .await;
}

#[tokio::test]
async fn a_message_is_sent_again_until_it_is_parked() {
    on_each_engine(async |host| {
        host.receiver.answer("500 Internal Server Error");
        host.follow(1, 2).await;
        assert_eq!(host.deliver().await, 1);
        for (wait, sent) in WAITS.into_iter().zip(1..) {
            host.advance(wait - 1);
            assert_eq!(host.deliver().await, sent, "before {wait} s");
            host.advance(1);
            assert_eq!(host.deliver().await, sent + 1, "after {wait} s");
        }

        let received = host.receiver.received();
        let ids: HashSet<_> = received.iter().map(|message| message.id().to_owned()).collect();
        assert_eq!(ids.len(), 1, "each attempt has the id of the message");
        for message in &received {
            assert_eq!(message.header("webhook-signature"), message.expected_signature(SECRET));
        }
        let times = received.iter().map(|message| message.header("webhook-timestamp"));
        assert_eq!(times.collect::<HashSet<_>>().len(), 10, "each attempt has its own time");

        assert_eq!(host.backlog().await, (0, 1));
        host.advance(1_000_000);
        assert_eq!(host.deliver().await, 10);
        let parked = host.parked().await.remove(0);
        assert_eq!((parked.attempts, parked.failure.as_deref()), (10, Some("answered 500")));

        host.receiver.answer("200 OK");
        let resent = host.service.operator().resend_webhooks(&[parked.id]).await;
        assert_eq!(resent.expect("the store works"), [""; 0]);
        assert_eq!(host.deliver().await, 11);
        assert_eq!(host.backlog().await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn each_status_of_success_is_one() {
    on_each_engine(async |host| {
        for (followee, status) in (2..).zip(["200 OK", "202 Accepted", "204 No Content"]) {
            host.receiver.answer(status);
            host.follow(1, followee).await;
            host.deliver().await;
            assert_eq!(host.backlog().await, (0, 0), "{status}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it() {
    on_each_engine(async |host| {
        host.receiver.answer("503 Service Unavailable\r\nretry-after: 600");
        host.follow(1, 2).await;
        assert_eq!(host.deliver().await, 1);

        host.receiver.answer("204 No Content");
        host.advance(599);
        host.follow(1, 3).await;
        assert_eq!(host.deliver().await, 1, "nor are others sent");
        host.advance(1);
        assert_eq!(host.deliver().await, 3);
        assert_eq!(host.backlog().await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_switches_deliveries_off() {
    on_each_engine(async |host| {
        host.receiver.answer("410 Gone");
        host.follow(1, 2).await;
        assert_eq!(host.deliver().await, 1);

        host.receiver.answer("204 No Content");
        host.follow(1, 3).await;
        host.advance(1_000_000);
        assert_eq!(host.deliver().await, 1);
        assert_eq!(host.backlog().await, (2, 0), "messages wait");

        let restarted = service(&host.store, &host.clock, host.receiver.with(&[SECRET]));
        restarted.deliver_webhooks().await;
        assert_eq!(host.receiver.received().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_redirect_is_a_failure() {
    on_each_engine(async |host| {
        host.receiver.answer("307 Temporary Redirect\r\nlocation: /elsewhere");
        host.follow(1, 2).await;
        assert_eq!(host.deliver().await, 1);
        assert_eq!(host.backlog().await, (1, 0));

        let claimed = host.store.claim_webhooks(start() + TimeDelta::hours(1), start(), 9).await;
        let failure = claimed.expect("the store works").remove(0).failure;
        assert_eq!(failure.as_deref(), Some("answered 307: redirects are not followed"));
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_is_away_is_a_failure() {
    on_each_engine(async |host| {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/?key=hunter2", listener.local_addr().expect("it is bound"));
        drop(listener);
        let secrets = WebhookSecrets::parse(SECRET).expect("a secret");
        let receiver = WebhookReceiver::new(&url, secrets).expect("a URL of the loopback");
        host.follow(1, 2).await;
        service(&host.store, &host.clock, receiver).deliver_webhooks().await;

        let claimed = host.store.claim_webhooks(start() + TimeDelta::hours(1), start(), 9).await;
        let failure = claimed.expect("the store works").remove(0).failure.expect("it failed");
        assert!(failure.starts_with("cannot connect: "), "{failure}");
        assert!(!failure.contains("hunter2"), "{failure}");
    })
    .await;
}

#[tokio::test]
async fn a_message_about_a_deleted_user_is_dropped() {
    on_each_engine(async |host| {
        host.follow(1, 2).await;
        host.follow(2, 3).await;
        host.store.delete_user(UserId(1), start()).await.expect("the store works");
        assert_eq!(host.deliver().await, 1);
        assert_eq!(host.backlog().await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn in_an_outage_most_messages_keep_their_attempts() {
    on_each_engine(async |host| {
        host.receiver.answer("500 Internal Server Error");
        host.followers_of_alice(60).await;
        let sent = host.deliver().await;
        assert!((16..32).contains(&sent), "{sent}");
        assert_eq!(host.deliver().await, sent);
        host.advance(1);
        assert_eq!(host.deliver().await, sent + 1);

        host.receiver.answer("204 No Content");
        host.advance(10);
        host.deliver().await;
        assert_eq!(host.backlog().await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn two_servers_deliver_each_message_once() {
    on_each_engine(async |host| {
        host.followers_of_alice(60).await;
        let other = service(&host.store, &host.clock, host.receiver.with(&[SECRET]));
        join(host.service.deliver_webhooks(), other.deliver_webhooks()).await;

        let received = host.receiver.received();
        let ids: HashSet<_> = received.iter().map(|message| message.id().to_owned()).collect();
        assert_eq!((received.len(), ids.len()), (60, 60));
        assert_eq!(host.backlog().await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_message_of_a_server_that_died_is_delivered() {
    on_each_engine(async |host| {
        host.follow(1, 2).await;
        host.receiver.open(false);
        let dying = timeout(LONG, async {
            tokio::select! {
                () = host.service.deliver_webhooks() => {}
                _ = host.receiver.wait_for(1) => {}
            }
        });
        dying.await.expect("it is sent");
        host.receiver.open(true);

        let other = service(&host.store, &host.clock, host.receiver.with(&[SECRET]));
        other.deliver_webhooks().await;
        assert_eq!(host.receiver.received().len(), 1, "it may still be on its way");
        host.advance(120);
        other.deliver_webhooks().await;
        let received = host.receiver.received();
        assert_eq!(received.len(), 2);
        assert_eq!(received[0].id(), received[1].id());
        assert_eq!(host.backlog().await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_slow_database_delays_no_delivery() {
    on_each_engine(async |host| {
        host.follow(1, 2).await;
        let inner = Arc::clone(&host.store);
        let faults = Faults::default();
        // Only the first claim is answered.
        faults.set(Fault::StuckFrom(1));
        let store: Arc<dyn Store> = Arc::new(Faulty { inner, faults });
        let service = service(&store, &host.clock, host.receiver.with(&[SECRET]));
        tokio::select! {
            () = service.deliver_webhooks() => unreachable!("the database does not answer"),
            sent = timeout(Duration::from_secs(10), host.receiver.wait_for(1)) => {
                assert_eq!(sent.expect("it is sent meanwhile").len(), 1);
            }
        }
    })
    .await;
}

/// A running server with a webhook, and the token of alice, who can follow bob.
async fn server(store: &Arc<dyn Store>, receiver: &Receiver) -> (TestApp, String) {
    let webhook = Some(receiver.with(&[SECRET]));
    let app = TestApp::over(Arc::clone(store), Settings { webhook, ..settings() }).await;
    let token = app.sign_up("alice").await;
    app.sign_up("bob").await;
    (app, token)
}

async fn follow_bob(app: &TestApp, token: &str) {
    let query = r#"mutation { follow(input: { user: { username: "bob" } }) { outcome } }"#;
    let reply = app.graphql(query, json!({}), Some(token)).await;
    assert_eq!(reply["data"]["follow"]["outcome"], "FOLLOWED", "{reply}");
}

#[tokio::test]
async fn a_server_delivers_a_follow_at_once() {
    for engine in ENGINES {
        Database::migrated(engine)
            .await
            .run(async |database| {
                let (store, receiver) =
                    (database.store_with_webhooks().await, Receiver::start().await);
                let (mut app, token) = server(&store, &receiver).await;
                follow_bob(&app, &token).await;

                let received = timeout(LONG, receiver.wait_for(1)).await.expect("a message");
                assert_eq!(received[0].json()["data"]["followee"]["username"], "bob");
                let metrics = send(app.request(Method::GET, "/metrics")).await.body;
                assert!(metrics.contains("entourage_webhooks_waiting"), "{metrics}");
                app.stop();
                app.stopped().await;
            })
            .await;
    }
}

#[tokio::test]
async fn a_server_that_stops_waits_for_the_receiver() {
    Database::migrated(Engine::Sqlite)
        .await
        .run(async |database| {
            let (store, receiver) = (database.store_with_webhooks().await, Receiver::start().await);
            let (mut app, token) = server(&store, &receiver).await;
            receiver.open(false);
            follow_bob(&app, &token).await;
            timeout(LONG, receiver.wait_for(1)).await.expect("a message");

            app.stop();
            sleep(Duration::from_millis(50)).await;
            receiver.open(true);
            app.stopped().await;
            let backlog = database.store().webhook_backlog().await.expect("the store works");
            assert_eq!(backlog, WebhookBacklog::default());
        })
        .await;
}
