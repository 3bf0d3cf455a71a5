//! Rows of users that are cached between requests: never stale after a change in this process, and
//! for a second at most after a change elsewhere.

use std::{future::Future, sync::Arc, time::Duration};

use chrono::TimeDelta;
use entourage::{
    domain::{
        DisplayName, Ends, FollowList, FollowPageKey, Limits, ListReader, OrderDirection,
        PageRequest, ProfileChange, SystemClock, User, UserId, UsernameKey, Window,
    },
    service::{ListedUser, Parts, Service, SystemRandom, Viewer},
    store::{Metered, Statements, Store},
};
use futures_util::FutureExt;
use tokio::{task::JoinHandle, time::Instant};

use crate::support::{
    app::tokens,
    database::{Database, Engine},
    graph::draw,
};

/// Makes a test of each case on each engine.
macro_rules! on_both_engines {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $case() {
                super::run(super::Engine::Sqlite, super::$case).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $case() {
                super::run(super::Engine::Postgres, super::$case).await;
            })+
        }
    };
}

on_both_engines! {
    a_cached_user_costs_no_statement,
    a_page_of_cached_users_costs_one_statement,
    a_change_here_is_seen_by_the_next_read,
    a_change_is_seen_even_if_its_caller_leaves,
    a_change_elsewhere_is_seen_within_a_second,
    a_user_deleted_elsewhere_is_gone_within_a_second,
}

/// A service with a cache of users, and another store on the same database.
struct Servers {
    service: Arc<Service>,
    statements: Statements,
    elsewhere: Arc<dyn Store>,
    refresher: JoinHandle<()>,
}

async fn run<F: Future<Output = ()>>(engine: Engine, case: impl FnOnce(Servers) -> F) {
    let database = Database::migrated(engine).await;
    draw(database.store(), "ann -> bob cid\nbob -> ann\ncid -> ann").await;
    let servers = Servers::on(&database).await;
    let refresher = servers.refresher.abort_handle();
    case(servers).await;
    refresher.abort();
}

impl Servers {
    async fn on(database: &Database) -> Self {
        let store = Metered::new(Arc::clone(&database.store));
        let statements = store.statements();
        let service = Service::new(Parts {
            store: Arc::new(store),
            tokens: tokens(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            sign_up: true,
            federation: false,
            rate_limits: false,
            events_kept: Duration::from_hours(1),
            webhook: None,
            limits: Limits { users_cached_max: 100, ..Limits::default() },
        });
        let refresher = {
            let service = Arc::clone(&service);
            tokio::spawn(async move { service.keep_users_fresh().await })
        };
        let elsewhere = database.another_store().await;
        let servers = Self { service, statements, elsewhere, refresher };
        servers.within_seconds(10, async || servers.has_cached_ann().await).await;
        servers
    }

    /// Whether a second read of ann costs no statement.
    async fn has_cached_ann(&self) -> bool {
        self.user("ann").await;
        self.cost(self.user("ann")).await.0 == 0
    }

    async fn user(&self, name: &str) -> Option<Arc<User>> {
        let key = UsernameKey::parse(name).expect("a username");
        let mut users = self
            .service
            .seen_by(None)
            .users_by_usernames(std::slice::from_ref(&key))
            .await
            .expect("it works");
        users.remove(&key)
    }

    async fn viewer(&self, name: &str) -> Viewer {
        let key = UsernameKey::parse(name).expect("a username");
        let token = self.service.operator().token(&key, None, TimeDelta::hours(1)).await;
        let token = token.expect("it works").expect("the user is there");
        self.service.authenticate(&token).await.expect("the token is good")
    }

    /// The names of the users on the first page of a user's followers.
    async fn followers(&self, username: &str) -> Vec<String> {
        let user = self.user(username).await.expect("a user").id;
        let request = PageRequest {
            direction: OrderDirection::Desc,
            window: Window::First(10),
            after: None,
            before: None,
            ends: Ends::NONE,
        };
        let keys = [FollowPageKey {
            user,
            list: FollowList::Followers,
            reader: ListReader::Other(None),
            request,
        }];
        let pages = self.service.seen_by(None).pages_of_follows(&keys).await;
        let page = pages.expect("it works").pop().expect("a page").1.page;
        let name = |item: &ListedUser| item.user.name.as_deref().unwrap_or_default().to_owned();
        page.items.iter().map(name).collect()
    }

    /// How many statements some work took, and its result.
    async fn cost<T>(&self, work: impl Future<Output = T>) -> (u64, T) {
        let before = self.statements.total();
        let done = work.await;
        (self.statements.total() - before, done)
    }

    /// Waits until something is true, for at most this many seconds.
    async fn within_seconds(&self, seconds: u64, is_true: impl AsyncFn() -> bool) {
        let begin = Instant::now();
        while !is_true().await {
            assert!(begin.elapsed() < Duration::from_secs(seconds), "not within {seconds} s");
            tokio::task::yield_now().await;
        }
    }
}

fn named(name: &str) -> ProfileChange {
    let name = DisplayName::parse(name).expect("a name");
    ProfileChange { name: Some(Some(name)), bio: None, avatar_url: None }
}

async fn a_cached_user_costs_no_statement(servers: Servers) {
    let bob = servers.user("bob").await.expect("bob is there");
    // On SQLite a write through another connection evicts everything, perhaps just now.
    servers
        .within_seconds(5, async || {
            servers.user("bob").await;
            let (by_name, named) = servers.cost(servers.user("BOB")).await;
            let by_id = servers.cost(servers.service.seen_by(None).users_by_ids(&[bob.id])).await.0;
            assert_eq!(named.as_ref(), Some(&bob));
            (by_name, by_id) == (0, 0)
        })
        .await;
}

async fn a_page_of_cached_users_costs_one_statement(servers: Servers) {
    servers
        .within_seconds(5, async || {
            servers.followers("ann").await;
            let (statements, followers) = servers.cost(servers.followers("ann")).await;
            assert_eq!(followers.len(), 2);
            statements == 1
        })
        .await;
}

async fn a_change_here_is_seen_by_the_next_read(servers: Servers) {
    let bob = servers.viewer("bob").await;
    for n in 0..20 {
        let name = format!("Bob {n}");
        servers.followers("ann").await;
        servers
            .service
            .seen_by(Some(Arc::new(bob.clone())))
            .update_profile(&named(&name))
            .await
            .expect("it works");
        assert_eq!(
            servers.user("bob").await.and_then(|bob| bob.name.clone()),
            Some(name.as_str().into())
        );
        assert!(servers.followers("ann").await.contains(&name));
    }
}

async fn a_change_is_seen_even_if_its_caller_leaves(servers: Servers) {
    let bob = servers.viewer("bob").await;
    for n in 0..20 {
        let name = format!("Bob {n}");
        servers.user("bob").await;
        let change = named(&name);
        let left = servers
            .service
            .seen_by(Some(Arc::new(bob.clone())))
            .update_profile(&change)
            .now_or_never();
        assert!(left.is_none(), "the caller leaves before the change is made");
        servers
            .within_seconds(5, async || {
                servers.user("bob").await.is_some_and(|bob| bob.name.as_deref() == Some(&name))
            })
            .await;
    }
}

async fn a_change_elsewhere_is_seen_within_a_second(servers: Servers) {
    let bob = servers.user("bob").await.expect("bob is there").id;
    servers.followers("ann").await;
    servers.elsewhere.update_profile(bob, &named("Robert")).await.expect("it works");
    // The limit is a second; the machine may be slow to run a test.
    servers
        .within_seconds(5, async || servers.followers("ann").await.contains(&"Robert".to_owned()))
        .await;
}

async fn a_user_deleted_elsewhere_is_gone_within_a_second(servers: Servers) {
    let bob: UserId = servers.user("bob").await.expect("bob is there").id;
    assert!(
        servers.elsewhere.delete_user(bob, chrono::DateTime::UNIX_EPOCH).await.expect("it works")
    );
    servers.within_seconds(5, async || servers.user("bob").await.is_none()).await;
    assert_eq!(servers.followers("ann").await.len(), 1);
}

#[tokio::test]
async fn without_a_listening_connection_nothing_is_cached() {
    let database = Database::migrated(Engine::Postgres).await;
    draw(database.store(), "ann -> bob").await;
    let servers = Servers::on(&database).await;
    let bob = servers.user("bob").await.expect("bob is there").id;

    let listening = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname = current_database() AND application_name = 'entourage listener'";
    database.execute(listening).await;
    servers.within_seconds(5, async || !servers.has_cached_ann().await).await;
    servers.elsewhere.update_profile(bob, &named("Robert")).await.expect("it works");
    assert_eq!(
        servers.user("bob").await.and_then(|bob| bob.name.clone()).as_deref(),
        Some("Robert")
    );

    servers.within_seconds(10, async || servers.has_cached_ann().await).await;
    servers.refresher.abort();
}
