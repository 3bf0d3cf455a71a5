//! The statements: all are valid, none reads more than it must, and none is miscounted.

use std::{
    fmt::Debug,
    slice,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use entourage::{
    domain::{
        AdminChange, Audience, DisplayName, Ends, ExternalId, FollowAction, FollowLimits,
        FollowList, FollowPosition, ListReader, NewUser, OrderDirection, PageRequest,
        ProfileChange, UserId, UserListRequest, UserOrderField, UserSearch, UsernameKey, Window,
    },
    store::{self, Graph, Metered, Options, Store, statements},
};
use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row, SqlSafeStr};
use tracing::{
    Instrument, Subscriber,
    field::{Field, Visit},
    span::Id,
};
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

use super::{
    ALICE, BOB, CAROL, DAVE, NOBODY, at, cases, change, edge, follow, four_users, groups, new_user,
    newest,
};
use crate::support::admin::step;
use crate::support::database::{Database, Engine};
use crate::support::follow::FollowOne;

cases! {
    ;
    database:
    every_statement_can_be_prepared,
    no_page_reads_or_sorts_a_whole_list,
    no_relation_reads_the_whole_list_of_a_viewer,
    the_meter_counts_the_statements_of_writes,
    the_meter_counts_the_statements_of_reads,
    concurrent_lookups_share_a_statement,
}

/// All statements of an engine, by name.
pub(super) fn of(engine: Engine) -> Vec<(&'static str, &'static str)> {
    let [sqlite, postgres] = statements().map(|(_, statements)| statements);
    match engine {
        Engine::Sqlite => sqlite,
        Engine::Postgres => postgres,
    }
}

/// The statement of an engine whose name has this end.
pub(super) fn statement(engine: Engine, name: &str) -> &'static str {
    let named = of(engine).into_iter().filter(|(path, _)| path.ends_with(name));
    match &*named.collect::<Vec<_>>() {
        [(_, sql)] => sql,
        others => panic!("{name} names {others:?}"),
    }
}

async fn every_statement_can_be_prepared(database: &Database) {
    for (name, sql) in of(database.engine()) {
        let sql = AssertSqlSafe(sql).into_sql_str();
        let prepared = match database.engine() {
            Engine::Sqlite => database.sqlite_connection().await.prepare(sql).await.map(drop),
            Engine::Postgres => database.postgres_connection().await.prepare(sql).await.map(drop),
        };
        assert!(prepared.is_ok(), "{name}: {prepared:?}");
    }
}

/// A celebrity who follows everybody and whom everybody follows, and others who follow a few.
async fn a_celebrity(store: &dyn Store, n: i64) {
    let users = (1..=n).map(|id| new_user(UserId(id), &format!("u{id}"))).collect();
    let mut follows = Vec::new();
    for id in 2..=n {
        follows.push(edge(UserId(id), ALICE, at(id)));
        follows.push(edge(ALICE, UserId(id), at(id)));
        if id > 2 {
            follows.push(edge(UserId(id), BOB, at(id)));
        }
    }
    store.load(Graph { users, follows }, &|_| {}).await.unwrap();
}

/// SQLite plans a statement again when a parameter changes that is a limit by itself.
#[test]
fn sqlite_plans_a_page_once_for_all_sizes() {
    let orders = ["OLDEST", "NEWEST", "FIRST", "LAST"];
    let users = orders.map(|order| format!("users::{order}"));
    let found = orders.map(|order| format!("search::{order}_FOUND"));
    let users = users.iter().chain(&found).map(String::as_str);
    for name in users.chain(["follows::pages::PAGES"]) {
        let sql = statement(Engine::Sqlite, name);
        let limits: Vec<_> = sql.match_indices("LIMIT $").map(|(at, _)| &sql[at..]).collect();
        assert!(!limits.is_empty(), "{sql}");
        assert!(limits.iter().all(|limit| limit["LIMIT $n".len()..].starts_with(" + 0)")), "{sql}");
    }
}

async fn no_page_reads_or_sorts_a_whole_list(database: &Database) {
    a_celebrity(database.store(), 3_000).await;
    match database.engine() {
        Engine::Sqlite => check_sqlite_plan(database).await,
        Engine::Postgres => check_postgres_plans(database).await,
    }
}

async fn check_sqlite_plan(database: &Database) {
    let mut connection = database.sqlite_connection().await;
    let sql = statement(Engine::Sqlite, "follows::pages::PAGES");
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();

    let scans = plan.iter().filter(|line| line.starts_with("SCAN "));
    let expected = ["SCAN json_each", "SCAN k", "SCAN e"];
    for scan in scans {
        assert!(expected.iter().any(|start| scan.starts_with(start)), "{scan} in {plan:#?}");
    }
    // `e` is the result of LIMIT; the tables themselves are searched between two bounds.
    let bounded = "(followed_at,";
    let searches: Vec<_> = plan
        .iter()
        .filter(|line| line.starts_with("SEARCH follow"))
        .filter(|line| !line.starts_with("SEARCH follow_counts"))
        .collect();
    assert_eq!(
        searches.len(),
        8,
        "two lists in two orders, and what lies at both bounds: {plan:#?}"
    );
    assert!(searches.iter().all(|line| line.contains(bounded)), "{plan:#?}");
    assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{plan:#?}");
}

/// A connection with the settings of the program's own, and fresh statistics.
pub(super) async fn postgres_with_our_settings(database: &Database) -> PgConnection {
    let mut connection = database.postgres_connection().await;
    for set in [
        "VACUUM ANALYZE",
        "SET plan_cache_mode = force_generic_plan",
        "SET enable_bitmapscan = off",
    ] {
        sqlx::query(set).execute(&mut connection).await.unwrap();
    }
    connection
}

/// The generic plan of a prepared statement, with the rows that it read. `EXPLAIN` of a statement
/// that is not prepared shows a plan for these arguments only.
pub(super) async fn generic_plan(
    connection: &mut PgConnection,
    sql: &str,
    arguments: &str,
) -> Vec<String> {
    let prepare = AssertSqlSafe(format!("PREPARE asked AS {sql}"));
    connection.execute(prepare).await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) EXECUTE asked({arguments})");
    let rows = sqlx::query_scalar(AssertSqlSafe(explain));
    let plan = rows.fetch_all(&mut *connection).await.unwrap();
    connection.execute("DEALLOCATE asked").await.unwrap();
    plan
}

async fn check_postgres_plans(database: &Database) {
    let mut connection = postgres_with_our_settings(database).await;
    let array = |element: &str| format!("'{{{}}}'", [element; 5].join(","));
    let owners = "'{1,1,2,2,999}'".to_owned();
    let (low, high) = (array(&at(0).to_rfc3339()), array(&at(5_000).to_rfc3339()));
    let (all, none, ids) = (array("21"), array("0"), array("0"));
    let rules = array(&ListReader::Other(None).rule().to_string());
    let page = |name, scans: &[&String], bounds: &[&String]| {
        let readers = [&owners, &none, &rules];
        let arguments = readers.into_iter().chain(scans.iter().chain(bounds).copied());
        (name, arguments.cloned().collect::<Vec<_>>().join(", "), scans.len())
    };
    let rows = "'{1,2,3,4,5}'".to_owned();
    let any = |scans: [&String; 4]| page("ANY", &scans, &[&high, &ids, &low, &ids, &rows]);
    let upper = [&high, &ids];
    for (name, arguments, scans) in [
        page("NEWEST", &[&all, &all], &[]),
        page("NEWEST_FOLLOWERS", &[&all], &[]),
        page("NEWEST_FOLLOWING", &[&all], &[]),
        page("OLDER", &[&all, &all], &upper),
        page("OLDER_FOLLOWERS", &[&all], &upper),
        page("OLDER_FOLLOWING", &[&all], &upper),
        any([&all, &none, &none, &none]),
        any([&none, &all, &none, &none]),
        any([&none, &none, &all, &none]),
        any([&none, &none, &none, &all]),
        any([&all, &all, &all, &all]),
    ] {
        let sql = statement(Engine::Postgres, &format!("follows::pages::{name}"));
        let plan = generic_plan(&mut connection, sql, &arguments).await;
        let text = plan.join("\n");

        assert!(!text.contains("Seq Scan on follows"), "{text}");
        assert!(!text.contains("Seq Scan on followers"), "{text}");
        assert!(!text.contains("Sort Key: e.followed_at"), "{text}");
        assert!(!text.contains("Bitmap"), "{text}");
        let is_scan = |line: &&String| {
            line.contains("Index Only Scan") && (line.contains(" e (") || line.contains(" e_"))
        };
        let lines: Vec<_> = plan.iter().filter(is_scan).collect();
        assert_eq!(lines.len(), scans, "{text}");
        for line in lines {
            let rows = line.split("rows=").nth(1).and_then(|rows| rows.split(' ').next());
            let rows: f64 = rows.unwrap_or("0").parse().unwrap();
            assert!(rows <= 21.0, "{line}\nin {text}");
        }
    }
}

async fn no_relation_reads_the_whole_list_of_a_viewer(database: &Database) {
    a_celebrity(database.store(), 3_000).await;
    let engine = database.engine();
    let [few, many] =
        ["EDGES", "RELATIONS"].map(|name| statement(engine, &format!("follows::{name}")));

    if database.engine() == Engine::Sqlite {
        let mut connection = database.sqlite_connection().await;
        for sql in [few, many] {
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let rows = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            let searches: Vec<_> = plan.iter().filter(|line| line.contains(" e ")).collect();
            let is_by_key = |line: &&String| {
                line.ends_with("USING PRIMARY KEY (followee_id=? AND follower_id=?)")
            };
            assert!(!searches.is_empty() && searches.iter().all(is_by_key), "{plan:#?}");
        }
        return;
    }

    let mut connection = postgres_with_our_settings(database).await;
    let ids = |ids: &mut dyn Iterator<Item = i64>| {
        let ids: Vec<_> = ids.map(|id| id.to_string()).collect();
        format!("'{{{}}}'", ids.join(","))
    };
    let others = ids(&mut (4..30));
    let viewer = |viewer| ids(&mut std::iter::repeat_n(viewer, 26));
    let of_viewer = |id: i64| format!("{id}, {others}, {0}, {others}, {0}", viewer(id));
    for (sql, arguments, few) in [
        (few, format!("{}, {others}", viewer(1)), 0),
        (many, of_viewer(1), 0),
        // The third follows the first two, and is followed by the first.
        (many, of_viewer(3), 1),
    ] {
        let plan = generic_plan(&mut connection, sql, &arguments).await;

        let text = plan.join("\n");
        let is_done =
            |line: &&[String]| line[0].contains(" on follows e") && line[0].contains("(actual");
        let (by_key, by_list): (Vec<_>, Vec<_>) =
            plan.windows(2).filter(is_done).partition(|lines| {
                let condition = &lines[1];
                lines[0].contains("Index Scan using follows_pkey")
                    && condition.contains("followee_id = ")
                    && condition.contains("follower_id = ")
            });
        assert_eq!(by_list.len(), few, "{text}");
        assert!(!by_key.is_empty(), "{text}");
    }
}

/// Counts what sqlx logs within spans named `counted`.
struct Counter;

/// What is logged of a statement.
#[derive(Default)]
struct Statement {
    /// It controls a transaction or prepares a connection.
    is_overhead: bool,
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "summary" {
            self.is_overhead =
                ["BEGIN", "COMMIT", "ROLLBACK"].contains(&value) || value.contains("set_config");
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

/// The number of a span, found again among its extensions.
struct Number(Arc<AtomicU64>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Counter {
    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        id: &Id,
        context: Context<'_, S>,
    ) {
        if attributes.metadata().name() == "counted" {
            let span = context.span(id).expect("it is new");
            span.extensions_mut().insert(Number(Arc::default()));
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        if event.metadata().target() != "sqlx::query" || statement.is_overhead {
            return;
        }
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(number) = span.extensions().get::<Number>() {
                number.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Counts the statements that are sent while `work` runs, by the meter and by the log of sqlx; `store`
/// is where they go.
async fn sent(store: &Metered, work: impl Future) -> (u64, u64) {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let targets = Targets::new()
            .with_target("sqlx::query", LevelFilter::TRACE)
            .with_target("it::store::statements", LevelFilter::TRACE);
        let subscriber = Registry::default().with(Counter.with_filter(targets));
        tracing::subscriber::set_global_default(subscriber).expect("it is set once");
    });

    let before = store.statements().total();
    let span = tracing::info_span!("counted");
    work.instrument(span.clone()).await;
    let metered = store.statements().total() - before;
    // sqlx logs a statement when its connection is done with it, which may be after
    // the answer has arrived. The store has one connection for reads and one for writes: when these
    // two statements are answered, all earlier ones are logged.
    store.ping().await.unwrap();
    store.unfollow(NOBODY, NOBODY, at(0)).await.unwrap();
    let number = span.with_subscriber(|(id, subscriber)| {
        let registry = subscriber.downcast_ref::<Registry>().expect("it was installed above");
        let span = registry.span(id).expect("it is still open");
        let number = Arc::clone(&span.extensions().get::<Number>().expect("it counts").0);
        number.load(Ordering::Relaxed)
    });
    (metered, number.expect("the span is enabled"))
}

/// Asserts that a call sends this many statements, by the meter and by the log of sqlx.
macro_rules! assert_statements {
    ($store:ident, $expected:expr, $call:expr) => {
        let sent = sent(&$store, $call).await;
        assert_eq!(sent, ($expected, $expected), stringify!($call));
    };
}

async fn metered(database: &Database) -> Metered {
    four_users(database.store()).await;
    for id in [BOB, CAROL] {
        follow(database.store(), id, ALICE, id.0).await;
    }
    let options = Options { connections_max: 2, ..Options::default() };
    let store = store::connect(&database.url, options).await.unwrap();
    // Opening a connection sends statements of its own.
    store.ping().await.unwrap();
    Metered::new(store)
}

async fn the_meter_counts_the_statements_of_writes(database: &Database) {
    let store = metered(database).await;

    // SQLite reads, then writes each table by itself; PostgreSQL writes optimistically.
    let by_engine = |sqlite, postgres| match database.engine() {
        Engine::Sqlite => sqlite,
        Engine::Postgres => postgres,
    };
    let limits = FollowLimits { pair_changes_per_day: 99, ..FollowLimits::NONE };
    assert_statements!(store, by_engine(5, 2), store.follow(ALICE, BOB, at(1), FollowLimits::NONE));
    assert_statements!(store, 1, store.follow(ALICE, BOB, at(1), FollowLimits::NONE));
    assert_statements!(
        store,
        by_engine(1, 2),
        store.follow(ALICE, NOBODY, at(1), FollowLimits::NONE)
    );
    assert_statements!(store, by_engine(7, 2), store.unfollow(ALICE, BOB, at(0)));
    assert_statements!(store, by_engine(1, 2), store.unfollow(ALICE, BOB, at(0)));
    assert_statements!(store, by_engine(5, 3), store.follow(ALICE, BOB, at(1), limits));
    assert_statements!(store, by_engine(7, 2), store.unfollow(ALICE, BOB, at(0)));

    let (alice_bob, bob_dave) = ((ALICE, BOB), (BOB, DAVE));
    let follows = |(one, other): (UserId, UserId)| groups::follows(one, other, 1);
    let unfollows = |(one, other): (UserId, UserId)| groups::unfollows(one, other, 2);
    let both = [follows(alice_bob), follows(bob_dave)];
    assert_statements!(store, 0, store.change_follows(&[]));
    assert_statements!(store, by_engine(5, 2), store.change_follows(&both));
    assert_statements!(store, 1, store.change_follows(&both));
    let replaced = [unfollows(alice_bob), groups::follows(ALICE, BOB, 3)];
    assert_statements!(store, by_engine(9, 8), store.change_follows(&replaced));
    let opposite = [follows((ALICE, DAVE)), unfollows(bob_dave)];
    assert_statements!(store, by_engine(9, 2), store.change_follows(&opposite));
    let passing = [follows(bob_dave), unfollows(bob_dave)];
    assert_statements!(store, by_engine(5, 4), store.change_follows(&passing));

    assert_statements!(store, 2, store.create_user(&new_user(UserId(50), "fifty")));
    assert_statements!(store, 2, store.create_user(&new_user(UserId(51), "fifty")));
    let named = NewUser { name: Some("Ann".to_owned()), ..new_user(UserId(52), "ann") };
    assert_statements!(store, 3, store.create_user(&named));
    assert_statements!(store, 1, store.update_profile(ALICE, &ProfileChange::default()));
    let name = Some(Some(DisplayName::parse("Al").expect("a name")));
    let renamed = ProfileChange { name, ..ProfileChange::default() };
    assert_statements!(store, 3, store.update_profile(ALICE, &renamed));
    let nameless = ProfileChange { name: Some(None), ..ProfileChange::default() };
    assert_statements!(store, 2, store.update_profile(ALICE, &nameless));
    assert_statements!(store, 1, store.change_password(ALICE, Some(0), "$argon2id$x", at(1)));
    assert_statements!(store, 2, store.change_password(ALICE, Some(0), "$argon2id$y", at(1)));
    assert_statements!(store, 1, store.end_tokens(ALICE, at(1)));
    let set_role = |role: &str| step(AdminChange::SetRole(ALICE, role.to_owned()));
    assert_statements!(store, 3, store.administer(&set_role("admin")));
    assert_statements!(store, 2, store.administer(&set_role("king")));
    let newest = PageRequest {
        direction: OrderDirection::Desc,
        window: Window::First(9),
        after: None,
        before: None,
        ends: Ends::BOTH,
    };
    assert_statements!(store, 1, store.page_of_audit_log(&newest));
    assert_statements!(store, 1, store.roles());
    let progress: store::OnProgress<'_> = &|_| {};
    assert_statements!(store, 1, store.load(Graph::default(), progress));
    assert_statements!(store, by_engine(15, 16), store.delete_user(CAROL, at(0)));
    assert_statements!(store, 1, store.delete_user(CAROL, at(0)));
    assert_statements!(store, 24, store.find_drift(progress));
    // Both tables of blocks, and what a block excludes.
    change(&store, ALICE, DAVE, FollowAction::Block { limit: 9 }, 5).await;
    assert_statements!(store, 28, store.find_drift(progress));
    store.close().await;
}

async fn the_meter_counts_the_statements_of_reads(database: &Database) {
    let store = metered(database).await;
    let ids = [ALICE, BOB, NOBODY];
    let newest_of = |list| ids.map(|user| newest(list, user, 3));
    let keys = [newest_of(FollowList::Followers), newest_of(FollowList::Following)].concat();
    let name = UsernameKey::parse("alice").expect("a good name");
    let everybody = UserSearch::default();
    let page = PageRequest {
        direction: OrderDirection::Asc,
        window: Window::Last(2),
        after: None,
        before: None,
        ends: Ends::BOTH,
    };
    let list = UserListRequest { order: UserOrderField::Username, page, search: everybody.clone() };
    let bound = Some(FollowPosition { followed_at: at(2), user: ALICE });
    let mut bounded = keys.clone();
    for key in &mut bounded {
        key.request.after = bound;
    }
    bounded.extend_from_slice(&keys);

    assert_statements!(store, 1, store.users_by_ids(Audience::EVERYBODY, &ids));
    assert_statements!(store, 0, store.users_by_ids(Audience::EVERYBODY, &[]));
    assert_statements!(
        store,
        1,
        store.users_by_usernames(Audience::EVERYBODY, std::slice::from_ref(&name))
    );
    assert_statements!(store, 0, store.users_by_usernames(Audience::EVERYBODY, &[]));
    assert_statements!(store, 1, store.page_of_users(Audience::EVERYBODY, &list));
    assert_statements!(store, 1, store.count_users(Audience::EVERYBODY, &everybody));
    assert_statements!(store, 1, store.lists_by_ids(Audience::EVERYBODY, &ids));
    assert_statements!(store, 0, store.lists_by_ids(Audience::EVERYBODY, &[]));
    assert_statements!(store, 1, store.pages_of_follows(Audience::EVERYBODY, &bounded));
    assert_statements!(store, 1, store.pages_of_follows(Audience::EVERYBODY, &keys));
    assert_statements!(store, 0, store.pages_of_follows(Audience::EVERYBODY, &[]));
    assert_statements!(store, 1, store.relations(ALICE, &ids, &[]));
    assert_statements!(store, 1, store.relations(ALICE, &ids, &ids));
    assert_statements!(store, 0, store.relations(ALICE, &[], &[]));
    assert_statements!(store, 1, store.find_account(ALICE));
    assert_statements!(
        store,
        1,
        store.find_account_by_external_id(&ExternalId::parse("x").expect("one"))
    );
    assert_statements!(store, 1, store.find_credentials(&name));
    assert_statements!(store, 1, store.find_credentials_by_id(ALICE));
    assert_statements!(store, 1, store.ping());
    store.close().await;
}

async fn concurrent_lookups_share_a_statement(database: &Database) {
    let store = &metered(database).await;
    let users = [ALICE, BOB, CAROL, DAVE];
    let names =
        ["alice", "bob", "carol"].map(|name| UsernameKey::parse(name).expect("a good name"));
    let everybody = UserSearch::default();
    let oldest = |user| {
        let mut key = newest(FollowList::Followers, user, 3);
        key.request.direction = OrderDirection::Asc;
        key
    };

    macro_rules! assert_one_statement {
        ($asked:expr, $call:expr) => {
            let mut alone = Vec::new();
            for asked in $asked {
                alone.push($call(asked).await.unwrap());
            }
            let calls = async {
                let together = join_all($asked.map($call)).await;
                let together: Vec<_> = together.into_iter().map(Result::unwrap).collect();
                assert_eq!(together, alone, "{}", stringify!($call));
            };
            assert_eq!(sent(store, calls).await, (1, 1), "{}", stringify!($call));
        };
    }
    assert_one_statement!(users, |user| async move {
        store.users_by_ids(Audience::EVERYBODY, &[user]).await
    });
    assert_one_statement!(names.each_ref(), |name| store
        .users_by_usernames(Audience::EVERYBODY, slice::from_ref(name)));
    assert_one_statement!([&everybody; 3], |all| store.count_users(Audience::EVERYBODY, all));
    assert_one_statement!(users, |user| async move {
        store.lists_by_ids(Audience::EVERYBODY, &[user]).await
    });
    assert_one_statement!(
        users,
        |viewer| async move { store.relations(viewer, &users, &users).await }
    );
    let large = |user| newest(FollowList::Followers, user, 100);
    if database.engine() == Engine::Postgres {
        assert_one_statement!(users, |user| async move {
            store.pages_of_follows(Audience::EVERYBODY, &[large(user)]).await
        });
    }
    for key in [|user| newest(FollowList::Followers, user, 3), oldest] {
        assert_one_statement!(users, |user| async move {
            store.pages_of_follows(Audience::EVERYBODY, &[key(user)]).await
        });
    }
    store.close().await;
}
