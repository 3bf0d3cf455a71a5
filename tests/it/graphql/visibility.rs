//! Who sees what: random graphs with private accounts, hidden lists, requests, blocks and mutes are
//! read by everybody, and each answer is compared with an oracle that walks the whole graph.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use entourage::{
    domain::{
        BlockOutcome, ExternalId, FollowAction, FollowChange, FollowChanged, FollowLimits,
        FollowOutcome, Limits, ListVisibility, Mute, MuteOutcome, NewUser, PrivacyChange, Role,
        SystemClock, UserId, Username,
    },
    graphql::{Api, Caller, GlobalId, Request},
    service::{Parts, Service, Session, SystemRandom, Viewer},
    store::Store,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::support::{
    app::tokens,
    database::{Database, Engine},
    figures::{number_of, tell},
    graph::beginning,
};

/// The number of graphs of each engine. `VISIBILITY_GRAPHS` overrides it.
const GRAPHS: u64 = 6;
const USERS: i64 = 12;

#[tokio::test]
async fn every_answer_is_that_of_the_oracle_on_sqlite() {
    compare(Engine::Sqlite).await;
}

#[tokio::test]
async fn every_answer_is_that_of_the_oracle_on_postgresql() {
    compare(Engine::Postgres).await;
}

async fn compare(engine: Engine) {
    let mut cases = 0;
    for seed in 0..number_of("VISIBILITY_GRAPHS", GRAPHS) {
        let database = Database::migrated(engine).await;
        database
            .run(async |database| {
                let graph = Graph::random(seed);
                graph.write(database.store()).await;
                cases += check(&graph, seed, database).await;
            })
            .await;
    }
    tell(&format!(
        "{cases} cases of a graph, a reader and a document, with and without fast paths"
    ));
}

/// Compares all answers of one graph, and returns their number.
async fn check(graph: &Graph, seed: u64, database: &Database) -> usize {
    let (shared, unshared) =
        (Arc::clone(&database.store), database.store_without_shared_lookups().await);
    let (caching, task) = caching(&shared).await;
    let uncached = Limits { users_cached_max: 0, ..Limits::default() };
    let apis = [
        Api::new(caching, Limits::default()),
        Api::new(service(&shared, uncached), uncached),
        Api::new(service(&unshared, uncached), uncached).without_projection(),
    ];
    let mut cases = 0;
    for reader in Graph::readers() {
        for (query, expected) in documents(graph, &reader) {
            for api in &apis {
                // As a server does for each request.
                let viewer = match reader.user {
                    Some(user) => Some(viewer(&*shared, user).await),
                    None => None,
                };
                let answer = answer(api, &query, viewer).await;
                assert_eq!(answer, json!({ "data": expected }), "seed {seed}, {reader:?}: {query}");
            }
            cases += 1;
        }
    }
    assert_eq!(apis[0].projections().fallbacks() + apis[1].projections().fallbacks(), 0);
    task.abort();
    cases
}

fn service(store: &Arc<dyn Store>, limits: Limits) -> Arc<Service> {
    Service::new(Parts {
        store: Arc::clone(store),
        tokens: tokens(),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        sign_up: true,
        federation: true,
        rate_limits: false,
        events_kept: std::time::Duration::from_hours(1),
        webhook: None,
        limits,
    })
}

/// A service with the cache of users on, as in a server, and the task that keeps it true.
async fn caching(store: &Arc<dyn Store>) -> (Arc<Service>, tokio::task::JoinHandle<()>) {
    let service = service(store, Limits::default());
    let kept = Arc::clone(&service);
    let task = tokio::spawn(async move { kept.keep_users_fresh().await });
    while !service.caches_users() {
        tokio::task::yield_now().await;
    }
    (service, task)
}

async fn viewer(store: &dyn Store, user: UserId) -> Viewer {
    let account = store.find_account(user).await.expect("it answers").expect("the user is there");
    Viewer { permissions: account.role.permissions, account, session: Session::default() }
}

async fn answer(api: &Api, query: &str, viewer: Option<Viewer>) -> Value {
    let request = Request { query: Some(query.to_owned()), ..Request::default() };
    let operation = api.prepare(request).unwrap_or_else(|refused| panic!("{query}: {refused:?}"));
    let caller = Caller { viewer, address: None, request_id: String::new() };
    let reply = api.execute(operation, caller).await;
    serde_json::from_slice(&reply.body).expect("an answer is JSON")
}

/// A graph as plain sets. The last user moderates.
#[derive(Debug, Default)]
struct Graph {
    follows: BTreeMap<(UserId, UserId), DateTime<Utc>>,
    requests: BTreeMap<(UserId, UserId), DateTime<Utc>>,
    blocks: BTreeMap<(UserId, UserId), DateTime<Utc>>,
    mutes: BTreeMap<(UserId, UserId), DateTime<Utc>>,
    privacy: BTreeMap<UserId, Settings>,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    is_private: bool,
    followers: Option<ListVisibility>,
    following: Option<ListVisibility>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reader {
    user: Option<UserId>,
    moderates: bool,
}

const fn is_moderator(user: UserId) -> bool {
    user.0 == USERS
}

fn users() -> impl Iterator<Item = UserId> {
    (1..=USERS).map(UserId)
}

fn name(user: UserId) -> String {
    format!("u{:02}", user.0)
}

fn external_id(user: UserId) -> String {
    format!("h{}", user.0)
}

impl Graph {
    fn random(seed: u64) -> Self {
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut graph = Self::default();
        for user in users() {
            let visibility = |random: &mut ChaCha8Rng| {
                use ListVisibility::{Everybody, Followers, Nobody};
                [None, None, Some(Everybody), Some(Followers), Some(Nobody)]
                    [random.random_range(0..5)]
            };
            let settings = Settings {
                is_private: random.random_bool(0.4),
                followers: visibility(random),
                following: visibility(random),
            };
            graph.privacy.insert(user, settings);
        }
        let is_sparse = random.random_bool(0.3);
        for one in users() {
            for other in users().filter(|other| *other != one) {
                // Few times, so that many have the same.
                let at = beginning() + TimeDelta::seconds(random.random_range(0..40));
                if random.random_bool(0.2) {
                    graph.mutes.insert((one, other), at);
                }
                let is_free = !graph.blocks.contains_key(&(other, one));
                let is_apart = is_free
                    && ![(one, other), (other, one)].iter().any(|pair| {
                        graph.follows.contains_key(pair) || graph.requests.contains_key(pair)
                    });
                match random.random_range(0..100) {
                    0..8 if is_apart => drop(graph.blocks.insert((one, other), at)),
                    8..18 if is_free && graph.privacy[&other].is_private => {
                        graph.requests.insert((one, other), at);
                    }
                    20..60 if is_free && (!is_sparse || random.random_bool(0.3)) => {
                        graph.follows.insert((one, other), at);
                    }
                    _ => {}
                }
            }
        }
        graph
    }

    async fn write(&self, store: &dyn Store) {
        for user in users() {
            let username = Username::parse(&name(user)).expect("a username");
            let role = if is_moderator(user) { "moderator" } else { Role::DEFAULT };
            let mut new = NewUser::bare(user, username, beginning());
            new.role = role.into();
            new.external_id = Some(ExternalId::parse(&external_id(user)).expect("an external id"));
            store.create_user(&new).await.expect("it works");
        }
        let change = async |(follower, followee), at, action| {
            let change = FollowChange { follower, followee, at, action };
            store.change_follow(change).await.expect("it works").outcome
        };
        let follow = FollowAction::Follow(FollowLimits::NONE);
        for (pair, at) in &self.follows {
            let followed = FollowChanged::Follow(Ok(FollowOutcome::Followed));
            assert_eq!(change(*pair, *at, follow).await, followed);
        }
        for (user, settings) in &self.privacy {
            let change = PrivacyChange {
                is_private: Some(settings.is_private),
                accepts_followed: None,
                followers: Some(settings.followers),
                following: Some(settings.following),
            };
            store.update_privacy(*user, change).await.expect("it works").expect("they are there");
        }
        for (pair, at) in &self.requests {
            let requested = FollowChanged::Follow(Ok(FollowOutcome::Requested));
            assert_eq!(change(*pair, *at, follow).await, requested);
        }
        for (pair, at) in &self.blocks {
            let block = FollowAction::Block { limit: 100 };
            let blocked = FollowChanged::Block(Ok(BlockOutcome::Blocked));
            assert_eq!(change(*pair, *at, block).await, blocked);
        }
        for ((muter, muted), at) in &self.mutes {
            let mute = Mute { until: None };
            let outcome = store.mute(*muter, *muted, mute, *at, 100).await.expect("it works");
            assert_eq!(outcome, MuteOutcome::Muted);
        }
    }

    /// The signed-out reader and every user.
    fn readers() -> impl Iterator<Item = Reader> {
        let of_user = |user| Reader { user: Some(user), moderates: is_moderator(user) };
        users().map(of_user).chain([Reader { user: None, moderates: false }])
    }

    /// Whether a reader sees a user at all.
    fn exists(&self, user: UserId, reader: &Reader) -> bool {
        let blocks = |viewer| self.blocks.contains_key(&(user, viewer));
        reader.moderates || !reader.user.is_some_and(blocks)
    }

    /// Whether a reader sees a list of a user.
    fn is_open(&self, owner: UserId, is_followers: bool, reader: &Reader) -> bool {
        let Settings { is_private, followers, following } = self.privacy[&owner];
        let setting = if is_followers { followers } else { following };
        let follows = reader.user.is_some_and(|user| self.follows.contains_key(&(user, owner)));
        let is_for_followers = match setting {
            None => is_private,
            Some(ListVisibility::Everybody) => false,
            Some(ListVisibility::Followers) => true,
            Some(ListVisibility::Nobody) => {
                return reader.moderates || reader.user == Some(owner);
            }
        };
        !is_for_followers || follows || reader.moderates || reader.user == Some(owner)
    }

    /// The list of a user without those who do not exist for the reader, newest first.
    fn list(
        &self,
        owner: UserId,
        is_followers: bool,
        reader: &Reader,
    ) -> Vec<(DateTime<Utc>, UserId)> {
        let ends = |(one, other): (UserId, UserId)| {
            if is_followers { (other, one) } else { (one, other) }
        };
        newest_first(&self.follows, |pair| {
            let (own, user) = ends(pair);
            (own == owner && self.exists(user, reader)).then_some(user)
        })
    }
}

fn newest_first(
    edges: &BTreeMap<(UserId, UserId), DateTime<Utc>>,
    user: impl Fn((UserId, UserId)) -> Option<UserId>,
) -> Vec<(DateTime<Utc>, UserId)> {
    let found: BTreeSet<_> =
        edges.iter().filter_map(|(pair, at)| Some((*at, user(*pair)?))).collect();
    found.into_iter().rev().collect()
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// What is selected of a user, so many levels deep.
fn selection(depth: u32) -> String {
    let fields = "username externalId isPrivate isViewer followerCount followingCount viewerIsFollowing \
        viewerFollowedAt isFollowingViewer viewerHasRequested viewerRequestedAt hasRequestedViewer \
        viewerIsBlocking viewerIsMuting viewerMutedUntil viewerCanFollow viewerCannotFollowReasons";
    if depth == 0 {
        return fields.to_owned();
    }
    let below = selection(depth - 1);
    let list = |field: &str| {
        format!(
            "{field}(first: 20) {{ isHidden totalCount pageInfo {{ hasNextPage hasPreviousPage }} \
             edges {{ followedAt node {{ {below} }} }} }}"
        )
    };
    format!(
        "{fields} {} {} first: followers(first: 1) {{ nodes {{ username }} \
         pageInfo {{ hasNextPage hasPreviousPage }} }} \
         last: following(last: 1, orderBy: {{ direction: ASC }}) {{ nodes {{ username }} \
         totalCount pageInfo {{ hasNextPage hasPreviousPage }} }} \
         count: followers {{ totalCount }} hidden: following {{ isHidden }}",
        list("followers"),
        list("following"),
    )
}

/// The answer to that selection.
fn user(graph: &Graph, reader: &Reader, user: UserId, depth: u32) -> Value {
    let viewer = reader.user;
    let between = |edges: &BTreeMap<_, _>, is_from_viewer: bool| -> Option<DateTime<Utc>> {
        let viewer = viewer?;
        edges.get(&if is_from_viewer { (viewer, user) } else { (user, viewer) }).copied()
    };
    let reasons: Vec<&str> = match viewer {
        None => vec!["UNAUTHENTICATED"],
        Some(viewer) if graph.blocks.contains_key(&(user, viewer)) => vec!["BLOCKED"],
        Some(viewer) if viewer == user => vec!["YOURSELF"],
        Some(viewer) if graph.blocks.contains_key(&(viewer, user)) => vec!["BLOCKING"],
        Some(_) => Vec::new(),
    };
    let (followers, following) = (graph.list(user, true, reader), graph.list(user, false, reader));
    let mut object = json!({
        "username": name(user),
        "externalId": external_id(user),
        "isPrivate": graph.privacy[&user].is_private,
        "isViewer": viewer == Some(user),
        "followerCount": followers.len(),
        "followingCount": following.len(),
        "viewerIsFollowing": between(&graph.follows, true).is_some(),
        "viewerFollowedAt": between(&graph.follows, true).map(text),
        "isFollowingViewer": between(&graph.follows, false).is_some(),
        "viewerHasRequested": between(&graph.requests, true).is_some(),
        "viewerRequestedAt": between(&graph.requests, true).map(text),
        "hasRequestedViewer": between(&graph.requests, false).is_some(),
        "viewerIsBlocking": between(&graph.blocks, true).is_some(),
        "viewerIsMuting": between(&graph.mutes, true).is_some(),
        "viewerMutedUntil": null,
        "viewerCanFollow": reasons.is_empty(),
        "viewerCannotFollowReasons": reasons,
    });
    if depth == 0 {
        return object;
    }
    let open = |is_followers, list: Vec<_>| {
        if graph.is_open(user, is_followers, reader) { list } else { Vec::new() }
    };
    let (followers, following) = (open(true, followers), open(false, following));
    let list = |is_followers, list: &[(DateTime<Utc>, UserId)]| {
        let edge = |(at, other): &(DateTime<Utc>, UserId)| {
            let node = self::user(graph, reader, *other, depth - 1);
            json!({ "followedAt": text(*at), "node": node })
        };
        json!({
            "isHidden": !graph.is_open(user, is_followers, reader),
            "totalCount": list.len(),
            "pageInfo": { "hasNextPage": false, "hasPreviousPage": false },
            "edges": list.iter().map(edge).collect::<Vec<_>>(),
        })
    };
    let names = |list: &[(DateTime<Utc>, UserId)]| -> Vec<Value> {
        list.iter().take(1).map(|(_, user)| json!({ "username": name(*user) })).collect()
    };
    object["followers"] = list(true, &followers);
    object["following"] = list(false, &following);
    object["first"] = json!({
        "nodes": names(&followers),
        "pageInfo": { "hasNextPage": followers.len() > 1, "hasPreviousPage": false },
    });
    object["last"] = json!({
        "nodes": names(&following),
        "totalCount": following.len(),
        "pageInfo": { "hasNextPage": false, "hasPreviousPage": following.len() > 1 },
    });
    object["count"] = json!({ "totalCount": followers.len() });
    object["hidden"] = json!({ "isHidden": !graph.is_open(user, false, reader) });
    object
}

/// The documents that a reader sends, each with its data.
fn documents(graph: &Graph, reader: &Reader) -> Vec<(String, Value)> {
    let seen = || users().filter(|user| graph.exists(*user, reader));
    let mut documents = Vec::new();

    let names: Vec<_> = seen().map(|user| json!({ "username": name(user) })).collect();
    let count = names.len();
    documents.push((
        format!("{{ users(first: {USERS}) {{ totalCount nodes {{ {} }} }} }}", selection(2)),
        json!({ "users": {
            "totalCount": count,
            "nodes": seen().map(|of| user(graph, reader, of, 2)).collect::<Vec<_>>(),
        } }),
    ));
    for arguments in ["query: \"u\"", "query: \"u\", orderBy: { field: CREATED_AT }"] {
        documents.push((
            format!("{{ users({arguments}) {{ totalCount nodes {{ username }} }} }}"),
            json!({ "users": { "totalCount": count, "nodes": &names } }),
        ));
    }
    documents.push((
        "{ users(last: 2, orderBy: { field: CREATED_AT }) { nodes { username } \
           pageInfo { hasPreviousPage hasNextPage } } }"
            .to_owned(),
        json!({ "users": {
            "nodes": &names[count - 2..],
            "pageInfo": { "hasPreviousPage": true, "hasNextPage": false },
        } }),
    ));

    let ids: Vec<_> =
        users().map(|user| String::from(async_graphql::ID::from(GlobalId::User(user)))).collect();
    documents.extend(references(graph, reader, &ids));
    for (of, id) in users().zip(&ids) {
        documents.push((
            format!(
                "{{ user(username: \"{0}\") {{ {1} }} by: user(by: {{ id: \"{id}\" }}) {{ username }} \
                   node(id: \"{id}\") {{ ... on User {{ followers {{ totalCount }} }} }} \
                   users(query: \"{0}\") {{ totalCount nodes {{ username }} }} }}",
                name(of),
                selection(2),
            ),
            if graph.exists(of, reader) {
                json!({
                    "user": user(graph, reader, of, 2),
                    "by": { "username": name(of) },
                    "node": { "followers": user(graph, reader, of, 1)["count"] },
                    "users": { "totalCount": 1, "nodes": [{ "username": name(of) }] },
                })
            } else {
                json!({ "user": null, "by": null, "node": null,
                    "users": { "totalCount": 0, "nodes": [] } })
            },
        ));
    }
    if let Some(viewer) = reader.user {
        documents.push(own_lists(graph, reader, viewer));
    }
    documents
}

/// The documents that refer to all users: by their ids, and by their external ids.
fn references(graph: &Graph, reader: &Reader, ids: &[String]) -> [(String, Value); 3] {
    let node = |of: UserId| graph.exists(of, reader).then(|| user(graph, reader, of, 1));
    let all = || users().map(node).collect::<Vec<_>>();
    let nodes = format!(
        "{{ nodes(ids: {}) {{ ... on User {{ {} }} }} }}",
        serde_json::to_string(ids).expect("it is JSON"),
        selection(1)
    );
    let refs = users().map(|user| format!("{{ externalId: \"{}\" }}", external_id(user)));
    let refs: String = refs.collect();
    let by_ref = format!("{{ usersByRef(refs: [{refs}]) {{ {} }} }}", selection(1));
    let representations = users().zip(ids).map(|(user, id)| match user.0 % 2 {
        0 => format!("{{ __typename: \"User\", id: \"{id}\" }}"),
        _ => format!("{{ __typename: \"User\", externalId: \"{}\" }}", external_id(user)),
    });
    let representations: String = representations.collect();
    let entities = format!(
        "{{ _entities(representations: [{representations}]) {{ ... on User {{ {} }} }} }}",
        selection(1)
    );
    [
        (nodes, json!({ "nodes": all() })),
        (by_ref, json!({ "usersByRef": all() })),
        (entities, json!({ "_entities": all() })),
    ]
}

/// The lists that only the viewer reads.
fn own_lists(graph: &Graph, reader: &Reader, viewer: UserId) -> (String, Value) {
    let list = |edges, time: &str, is_received: bool| {
        let entries = newest_first(edges, |(one, other)| {
            let (own, user) = if is_received { (other, one) } else { (one, other) };
            (own == viewer && graph.exists(user, reader)).then_some(user)
        });
        let edge = |(at, of): &(DateTime<Utc>, UserId)| json!({ time: text(*at), "node": user(graph, reader, *of, 1) });
        json!({
            "totalCount": entries.len(),
            "edges": entries.iter().map(edge).collect::<Vec<_>>(),
        })
    };
    let select = |field: &str, time: &str| {
        let node = selection(1);
        format!("{field}(first: 20) {{ totalCount edges {{ {time} node {{ {node} }} }} }}")
    };
    let query = format!(
        "{{ viewer {{ {} {} {} {} user {{ username }} }} }}",
        select("followRequests", "requestedAt"),
        select("sentFollowRequests", "requestedAt"),
        select("blockedUsers", "blockedAt"),
        select("mutedUsers", "mutedAt"),
    );
    let answer = json!({ "viewer": {
        "followRequests": list(&graph.requests, "requestedAt", true),
        "sentFollowRequests": list(&graph.requests, "requestedAt", false),
        "blockedUsers": list(&graph.blocks, "blockedAt", false),
        "mutedUsers": list(&graph.mutes, "mutedAt", false),
        "user": { "username": name(viewer) },
    } });
    (query, answer)
}
