//! Projected answers equal those of the resolvers, byte for byte: random documents are answered in
//! both ways and compared, without and with the cache of users.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, TimeZone, Utc};
use entourage::{
    domain::{AvatarUrl, Bio, Clock, DisplayName, Limits, ProfileChange, UsernameKey},
    graphql::{Api, Caller, Request, lists::LISTS, projected_fields},
    service::{Parts, Service, SystemRandom, Viewer},
    store::Store,
};
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::timeout};

use crate::support::{
    app::tokens,
    database::{Database, Engine},
    graph::draw,
};

const DOCUMENTS: u64 = 400;

/// Two lists of one level that ask the same pages of some of the same users, one of them for
/// counts only.
const SAME_PAGES: &str = r#"{ user(username: "cid") {
    following { nodes { username followers { totalCount } } }
    followers { nodes { followers { nodes { id } } } } } }"#;

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 1, 31, 12, 0, 0).single().expect("a time")
    }
}

#[tokio::test]
async fn random_documents_are_answered_alike_on_sqlite() {
    compare(Engine::Sqlite).await;
}

#[tokio::test]
async fn random_documents_are_answered_alike_on_postgresql() {
    compare(Engine::Postgres).await;
}

async fn compare(engine: Engine) {
    let database = Database::migrated(engine).await;
    let store = Arc::clone(&database.store);
    fill(&*store).await;
    let api = |service| Api::new(service, Limits::default());
    let uncached = || api(service(&store));
    let (projecting, resolving) = (uncached(), uncached().without_projection());
    let (caching_service, task) = caching(&store).await;
    let caching = api(caching_service);
    let viewers = [None, Some(viewer(&service(&store), "ann").await)];
    let cursors = Cursors::of(&resolving).await;

    let mut answered = 0;
    let random = (0..DOCUMENTS).map(|seed| Document::of(seed, &cursors).query());
    for (seed, query) in random.chain([SAME_PAGES.to_owned()]).enumerate() {
        for viewer in &viewers {
            let resolved = answer(&resolving, &query, viewer.clone()).await;
            for api in [&projecting, &caching] {
                let projected = answer(api, &query, viewer.clone()).await;
                assert_eq!(projected, resolved, "seed {seed}: {query}");
            }
            answered += usize::from(!resolved.contains("\"errors\""));
        }
    }
    assert!(answered > 300, "only {answered} documents have an answer");
    for api in [&projecting, &caching] {
        assert!(api.projections().total() > DOCUMENTS);
        assert_eq!(api.projections().fallbacks(), 0);
    }
    assert_eq!(resolving.projections().total(), 0);
    task.abort();
}

/// A service with the cache of users on, as in a server, and the task that keeps it true.
async fn caching(store: &Arc<dyn Store>) -> (Arc<Service>, JoinHandle<()>) {
    let service = service(store);
    let task = tokio::spawn({
        let service = Arc::clone(&service);
        async move { service.keep_users_fresh().await }
    });
    let cache_is_on = async {
        while !service.caches_users() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), cache_is_on).await.expect("the cache turns on");
    (service, task)
}

/// The lists of a user.
fn lists() -> Vec<&'static str> {
    LISTS.into_iter().filter(|list| list.parent == "User").map(|list| list.field).collect()
}

/// The fields of a user whose values are plain data.
fn leaves() -> Vec<&'static str> {
    let fields = projected_fields().filter(|(ty, _)| *ty == "User").map(|(_, field)| field);
    fields.filter(|field| !lists().contains(field)).chain(["__typename"]).collect()
}

/// Cursors of each list of ann, who has long ones.
struct Cursors(HashMap<&'static str, Vec<String>>);

impl Cursors {
    async fn of(api: &Api) -> Self {
        let selected: String =
            lists().iter().map(|list| format!("{list} {{ edges {{ cursor }} }} ")).collect();
        let query = format!("{{ user(username: \"ann\") {{ {selected} }} }}");
        let answer: Value = serde_json::from_str(&answer(api, &query, None).await).expect("JSON");
        let cursors = |list: &str| {
            let edges = answer["data"]["user"][list]["edges"].as_array().expect("a list");
            let cursor = |edge: &Value| edge["cursor"].as_str().expect("a cursor").to_owned();
            edges.iter().map(cursor).collect()
        };
        Self(lists().into_iter().map(|list| (list, cursors(list))).collect())
    }
}

/// Users in all their variety, who follow each other.
async fn fill(store: &dyn Store) {
    let ids = draw(
        store,
        "ann -> bob cid dan eve fay
         bob -> ann cid
         cid -> ann bob dan eve fay gus
         dan -> ann
         eve -> cid ann
         fay -> ann bob cid dan eve gus
         gus ->",
    )
    .await;
    let change = |name: &str, bio: &str| ProfileChange {
        name: Some(Some(DisplayName::parse(name).expect("a name"))),
        bio: Some(Some(Bio::parse(bio).expect("a text"))),
        avatar_url: None,
    };
    let escapes = change("Ann \"the\" first", "a\\b\n\u{2028} ünï 🎉 </script>");
    store.update_profile(ids["ann"], &escapes).await.expect("it works");
    let picture = AvatarUrl::parse("https://example.org/bob.png").expect("a URL");
    let change = ProfileChange { avatar_url: Some(Some(picture)), ..change("Bob", "x") };
    store.update_profile(ids["bob"], &change).await.expect("it works");
}

fn service(store: &Arc<dyn Store>) -> Arc<Service> {
    Service::new(Parts {
        store: Arc::clone(store),
        tokens: tokens(),
        clock: Arc::new(Noon),
        random: Arc::new(SystemRandom),
        sign_up: true,
        federation: false,
        rate_limits: false,
        events_kept: Duration::from_hours(1),
        webhook: None,
        limits: Limits::default(),
    })
}

async fn viewer(service: &Service, username: &str) -> Viewer {
    let key = UsernameKey::parse(username).expect("a username");
    let token = service.operator().token(&key, None, chrono::TimeDelta::hours(1)).await;
    let token = token.expect("the store works").expect("the user is there");
    service.authenticate(&token).await.expect("the token is good")
}

async fn answer(api: &Api, query: &str, viewer: Option<Viewer>) -> String {
    let variables = json!({ "two": 2, "yes": true, "no": false });
    let variables = variables.as_object().expect("an object").clone();
    let request = Request { query: Some(query.to_owned()), variables, ..Request::default() };
    let reply = match api.prepare(request) {
        Ok(operation) => {
            let caller = Caller { viewer, address: None, request_id: "1".to_owned() };
            api.execute(operation, caller).await
        }
        Err(reply) => reply,
    };
    String::from_utf8(reply.body).expect("JSON is UTF-8")
}

/// Writes a random document.
struct Document<'c> {
    cursors: &'c Cursors,
    rng: ChaCha8Rng,
    aliases: u32,
    fragments: Vec<String>,
}

impl<'c> Document<'c> {
    fn of(seed: u64, cursors: &'c Cursors) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { cursors, rng, aliases: 0, fragments: Vec::new() }
    }

    /// An operation with everything that it spreads.
    fn query(mut self) -> String {
        let roots = self.rng.random_range(1..4);
        let roots: Vec<_> = (0..roots).map(|_| self.root()).collect();
        let variables = "($two: Int, $yes: Boolean!, $no: Boolean!)";
        // Each variable is used, as validation wants it.
        let uses = "used: user(username: \"gus\") { username @include(if: $yes) name @skip(if: $no)
            following(first: $two) { totalCount } }";
        format!("query {variables} {{ {uses} {} }} {}", roots.join(" "), self.fragments.join(" "))
    }

    fn root(&mut self) -> String {
        let name = self.alias();
        match self.rng.random_range(0..5) {
            0 => format!("{name} user(username: \"Ann\") {}", self.user(3)),
            1 => format!(
                "{name} node(id: \"VXNlcjoy\") {{ __typename id ... on User {} }}",
                self.user(2)
            ),
            2 => format!(
                "{name} nodes(ids: [\"VXNlcjox\", \"nobody\", \"VXNlcjoz\"]) {{ ... on User {} }}",
                self.user(2)
            ),
            3 => format!("{name} viewer {{ user {} role {{ name }} }}", self.user(2)),
            _ => {
                let order = self.pick(&["", "orderBy: {field: CREATED_AT, direction: DESC}"]);
                let page = self.pick(&["first: 3", "last: 2", "query: \"f\""]);
                format!("{name} users({page} {order}) {}", self.connection(2, false))
            }
        }
    }

    fn user(&mut self, depth: u32) -> String {
        let leaves = leaves();
        let mut fields: Vec<_> = (0..self.rng.random_range(1..5))
            .map(|_| format!("{}{}", self.pick(&leaves), self.condition()))
            .collect();
        for _ in 0..if depth == 0 { 0 } else { self.rng.random_range(0..3) } {
            fields.push(self.follows(depth - 1));
        }
        self.wrapped("User", &fields)
    }

    fn follows(&mut self, depth: u32) -> String {
        let list = self.pick(&lists());
        let page = self.pick(&[
            "",
            "(first: 0)",
            "(first: 2)",
            "(first: $two)",
            "(last: 3)",
            "(last: 1, orderBy: {direction: ASC})",
            "(orderBy: {})",
            "(orderBy: null, after: null)",
            "(first: 2, AFTER)",
            "(last: 2, AFTER, BEFORE)",
            "(BEFORE)",
        ]);
        let cursors = &self.cursors.0[list];
        let mut bound = |name| {
            let cursor = cursors.choose(&mut self.rng).expect("there is one");
            format!("{name}: \"{cursor}\"")
        };
        let page = page.replace("AFTER", &bound("after")).replace("BEFORE", &bound("before"));
        let name = if page.is_empty() { String::new() } else { self.alias() };
        format!("{name} {list}{page}{} {}", self.condition(), self.connection(depth, true))
    }

    fn connection(&mut self, depth: u32, of_follows: bool) -> String {
        let mut fields = Vec::new();
        for _ in 0..self.rng.random_range(1..4) {
            fields.push(match self.rng.random_range(0..5) {
                0 => "totalCount".to_owned(),
                1 => {
                    let page_info = ["endCursor", "hasNextPage", "hasPreviousPage", "startCursor"];
                    format!("pageInfo {{ {} __typename }}", self.pick(&page_info))
                }
                2 => format!("nodes {}", self.user(depth)),
                3 => {
                    let leaf = if of_follows { "followedAt" } else { "__typename" };
                    let leaf = self.pick(&[leaf, "cursor"]);
                    format!("edges {{ {leaf} node {} }}", self.user(depth))
                }
                _ => "__typename".to_owned(),
            });
        }
        format!("{{ {} }}", fields.join(" "))
    }

    /// Fields as a selection, as it is, in an inline fragment, or in a fragment.
    fn wrapped(&mut self, ty: &str, fields: &[String]) -> String {
        let fields = fields.join(" ");
        match self.rng.random_range(0..6) {
            0 => format!("{{ ... {{ {fields} }} __typename }}"),
            1 => {
                format!("{{ ... on {ty} @include(if: $yes) {{ {fields} }} ... on Node {{ id }} }}")
            }
            2 => {
                let name = format!("F{}", self.fragments.len());
                self.fragments.push(format!("fragment {name} on {ty} {{ {fields} }}"));
                format!("{{ username ...{name} ...{name} }}")
            }
            _ => format!("{{ {fields} }}"),
        }
    }

    fn condition(&mut self) -> &'static str {
        self.pick(&["", "", "", " @skip(if: $no)", " @skip(if: $yes)", " @include(if: true)"])
    }

    /// A response key of its own. A document may not have many of them.
    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("a{}:", self.aliases)
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from.choose(&mut self.rng).expect("there is one")
    }
}
