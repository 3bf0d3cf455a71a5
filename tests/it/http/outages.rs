//! What the log has of a database that does not answer.

use std::{sync::Arc, time::Duration};

use chrono::DateTime;
use entourage::{
    service::{Session, Viewer},
    store::Store,
};
use tokio::{sync::watch, time::timeout};

use crate::support::{
    clock::ByHand,
    database::{Database, Engine},
    faults::{Fault, Faults},
    faulty::Faulty,
    figures::until,
    graph::draw,
    hooks::{Receiver, SECRET, service},
    log::Log,
};

/// The work that a server does by itself and tries again each second.
const WORK: [&str; 4] = [
    "events of other servers are polled for now",
    "cannot poll for events",
    "the cache of users is off for now",
    "messages of the webhook wait for the database",
];

#[tokio::test]
async fn an_outage_is_a_few_lines_of_the_log() {
    Database::migrated(Engine::Sqlite)
        .await
        .run(async |database| {
            let (inner, faults) = (database.store_with_webhooks().await, Faults::default());
            let store: Arc<dyn Store> = Arc::new(Faulty { inner, faults: faults.clone() });
            let (receiver, log) = (Receiver::start().await, Log::begin());
            let clock = ByHand::new(DateTime::UNIX_EPOCH);
            let service = service(&store, &clock, receiver.with(&[SECRET]));
            let ada = draw(&*store, "ada").await["ada"];
            let account = store.find_account(ada).await.expect("it answers").expect("a user");
            let permissions = account.role.permissions;
            let viewer = Viewer { account, permissions, session: Session::default() };
            let seen_by = service.seen_by(Some(Arc::new(viewer)));
            // Whose log is polled.
            let feed = seen_by.follow_events(Some(0)).await.expect("it subscribes");
            let (_draining, is_draining) = watch::channel(false);
            let working = async {
                tokio::join!(
                    service.keep_events_flowing(),
                    service.keep_users_fresh(),
                    service.keep_webhooks_delivered(is_draining),
                )
            };
            let mut working = Box::pin(working);

            faults.set(Fault::Down);
            // Long enough for three attempts of each.
            assert!(timeout(Duration::from_millis(2_500), &mut working).await.is_err());
            for what in WORK {
                assert_eq!(log.lines_with(what).len(), 1, "{what}");
            }

            faults.clear();
            let is_over = async || {
                WORK.iter().all(|what| log.lines_with(&format!("over: {what}")).len() == 1)
            };
            tokio::select! {
                _ = &mut working => unreachable!("a server works on"),
                _ = until(Duration::from_secs(30), "all is over", is_over) => {}
            }
            // It may hold a connection, for which `close` would wait.
            drop(working);
            drop(feed);
            store.close().await;
        })
        .await;
}
