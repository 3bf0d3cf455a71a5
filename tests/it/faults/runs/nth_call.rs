//! A database that fails once, at each step of each mutation.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use entourage::{
    domain::{
        Audience, FollowLimits, FollowOutcome, NewUser, PrivacyChange, Standing, UserId, Username,
        UsernameKey,
    },
    store::{self, CreateOutcome, Options, Store},
};
use futures_util::future::join_all;
use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::support::follow::{FOLLOWED, FollowOne};
use crate::support::{
    answer::Answer,
    app::{TestApp, uncached},
    database::Database,
    faults::{Fault, Faults},
    faulty::Faulty,
    figures::tell,
    graph::beginning,
    link::Link,
};

/// More steps than any mutation has.
const STEPS_MAX: usize = 200;
/// The number of simultaneous readers after a fault.
const READERS: usize = 16;

/// A mutation that a viewer sends. `ME`, `OTHER` and `NEW` stand for the names of users.
struct Mutation {
    field: &'static str,
    input: &'static str,
    payload: &'static str,
    /// How to check in the database whether it was executed; `None` if it changes nothing.
    happened: Option<Happened>,
}

/// The change that a mutation makes.
#[derive(Clone, Copy)]
enum Happened {
    Followed,
    Unfollowed,
    /// The other user follows or does not.
    Accepted,
    Removed,
    Blocked,
    Muted,
    BecamePrivate,
    SignedUp,
    TokensEnded,
    Renamed,
    Deleted,
    Suspended,
}

const MUTATIONS: [Mutation; 14] = [
    Mutation {
        field: "follow",
        input: r#"user: {username: "OTHER"}"#,
        payload: "outcome user { followers { totalCount } } viewer { user { following { totalCount } } }",
        happened: Some(Happened::Followed),
    },
    Mutation {
        field: "unfollow",
        input: r#"user: {username: "OTHER"}"#,
        payload: "outcome user { followers { totalCount } } viewer { user { following { totalCount } } }",
        happened: Some(Happened::Unfollowed),
    },
    Mutation {
        field: "acceptFollowRequest",
        input: r#"user: {username: "OTHER"}"#,
        payload: "outcome followerEdge { node { username } } viewer { user { followerCount } }",
        happened: Some(Happened::Accepted),
    },
    Mutation {
        field: "removeFollower",
        input: r#"user: {username: "OTHER"}"#,
        payload: "outcome user { isFollowingViewer } viewer { user { followerCount } }",
        happened: Some(Happened::Removed),
    },
    Mutation {
        field: "block",
        input: r#"user: {username: "OTHER"}"#,
        payload: "outcome user { viewerIsBlocking } viewer { blockedUsers { totalCount } }",
        happened: Some(Happened::Blocked),
    },
    Mutation {
        field: "mute",
        input: r#"user: {username: "OTHER"}"#,
        payload: "outcome user { viewerIsMuting } viewer { mutedUsers { totalCount } }",
        happened: Some(Happened::Muted),
    },
    Mutation {
        field: "updatePrivacy",
        input: "isPrivate: true",
        payload: "viewer { privacy { isPrivate } }",
        happened: Some(Happened::BecamePrivate),
    },
    Mutation {
        field: "signUp",
        input: r#"username: "NEW", password: "another good one""#,
        payload: "token viewer { user { following { totalCount } } }",
        happened: Some(Happened::SignedUp),
    },
    Mutation {
        field: "signIn",
        input: r#"username: "ME", password: "a good one""#,
        payload: "token viewer { user { following { totalCount } } }",
        happened: None,
    },
    Mutation {
        field: "changePassword",
        input: r#"currentPassword: "a good one", newPassword: "another good one""#,
        payload: "token viewer { user { username } }",
        happened: Some(Happened::TokensEnded),
    },
    Mutation {
        field: "signOutEverywhere",
        input: "",
        payload: "",
        happened: Some(Happened::TokensEnded),
    },
    Mutation {
        field: "updateProfile",
        input: r#"name: "Another Name""#,
        payload: "user { name followers { totalCount } }",
        happened: Some(Happened::Renamed),
    },
    Mutation {
        field: "deleteAccount",
        input: r#"password: "a good one""#,
        payload: "deletedUserId",
        happened: Some(Happened::Deleted),
    },
    Mutation {
        field: "suspendUser",
        input: r#"user: {username: "OTHER"}"#,
        payload: "outcome user { isSuspended }",
        happened: Some(Happened::Suspended),
    },
];

/// A server on a database that fails, and a direct connection that does not.
struct Site {
    app: TestApp,
    faults: Faults,
    direct: Arc<dyn Store>,
    password_hash: String,
    /// What a step is, for messages.
    step: &'static str,
    /// One in so many steps fails.
    one_in: usize,
    /// The number of mutations that were sent, each by its own user.
    cases: AtomicUsize,
}

/// Makes each call of the store fail.
pub(crate) async fn of_the_store(database: &Database) {
    let faults = Faults::default();
    let faulty = Faulty { inner: database.another_store().await, faults: faults.clone() };
    run(database, Arc::new(faulty), faults, "call of the store", 1).await;
}

/// Cuts the connection to PostgreSQL at each message, or at one in `one_in`.
pub(crate) async fn of_the_connection(database: &Database, one_in: usize) {
    let link = Link::to(&database.url).await;
    let store = store::connect(&link.url, Options::default()).await.expect("it is there");
    run(database, store, link.faults, "message to PostgreSQL", one_in).await;
}

async fn run(
    database: &Database,
    store: Arc<dyn Store>,
    faults: Faults,
    step: &'static str,
    one_in: usize,
) {
    let app = TestApp::over(store, uncached()).await.expecting_faults();
    let password_hash = app.hash("a good one").await;
    let direct = Arc::clone(&database.store);
    let site =
        Site { app, faults, direct, password_hash, step, one_in, cases: AtomicUsize::new(0) };
    let mut cases = 0;
    for mutation in &MUTATIONS {
        for fault in [Fault::Before, Fault::After] {
            cases += site.fails_at_each_step(mutation, fault).await;
            let drift = site.direct.find_drift(&|_| {}).await.expect("it answers");
            assert_eq!(drift, [], "{}", mutation.field);
        }
        site.is_well().await;
    }
    site.app.store.close().await;
    tell(&format!(
        "a {} of {} mutations failed, before and after its work: {cases} cases, each all or \
         nothing, no wrong outcome reported, and the next request answered",
        site.step,
        MUTATIONS.len(),
    ));
}

impl Site {
    /// Sends a mutation repeatedly while a later step fails each time, until no step is left. Returns
    /// the number of failures.
    async fn fails_at_each_step(&self, mutation: &Mutation, fault: fn(usize) -> Fault) -> usize {
        for (failed, n) in (0..STEPS_MAX).step_by(self.one_in).enumerate() {
            let case = self.cases.fetch_add(1, SeqCst);
            let me = self.make_users(mutation, case).await;
            let token = self.app.token(&format!("me{case}"), None).await;

            self.faults.set(fault(n));
            let answer = self.send(&document(mutation, case), Some(&token)).await;
            let has_failed = self.faults.clear();

            let what = format!("{} when {:?} of {} fails", mutation.field, fault(n), self.step);
            let happened = self.has_happened(mutation, me, case).await;
            match answer {
                Answer::Data(data) => {
                    assert_eq!(data[mutation.field]["userErrors"], json!([]), "{what}: {data}");
                    assert_ne!(happened, Some(false), "{what}: a false success");
                }
                Answer::Refused(code) => {
                    assert!(has_failed && code == "UNAVAILABLE", "{what}: {code}");
                }
                Answer::Lost => panic!("{what}: no answer"),
            }
            if !has_failed {
                assert!(failed > 0, "{what}: it took no steps");
                return failed;
            }
        }
        panic!("{} has no end", mutation.field);
    }

    /// Creates the users of a case, and returns the one who sends the mutation.
    async fn make_users(&self, mutation: &Mutation, case: usize) -> UserId {
        let id = i64::try_from(case).expect("few") * 2 + 1;
        let (me, other) = (UserId(id), UserId(id + 1));
        for (id, name) in [(me, format!("me{case}")), (other, format!("other{case}"))] {
            let username = Username::parse(&name).expect("a name");
            let mut user = NewUser::bare(id, username, beginning());
            user.password_hash = Some(self.password_hash.clone());
            if id == me && mutation.field == "suspendUser" {
                user.role = "admin".into();
            }
            let outcome = self.direct.create_user(&user).await.expect("it answers");
            assert_eq!(outcome, CreateOutcome::Created);
        }
        if mutation.field == "acceptFollowRequest" {
            self.set_private(me).await;
            let followed = self.direct.follow(other, me, beginning(), FollowLimits::NONE).await;
            assert_eq!(followed.expect("it answers"), Ok(FollowOutcome::Requested));
            return me;
        }
        let mut edges = vec![(other, me)];
        if mutation.field == "unfollow" {
            edges.push((me, other));
        }
        for (follower, followee) in edges {
            let followed = self.direct.follow(follower, followee, beginning(), FollowLimits::NONE);
            assert_eq!(followed.await.expect("it answers"), FOLLOWED);
        }
        me
    }

    async fn set_private(&self, user: UserId) {
        let private = PrivacyChange { is_private: Some(true), ..PrivacyChange::default() };
        self.direct.update_privacy(user, private).await.expect("it answers");
    }

    async fn has_happened(&self, mutation: &Mutation, me: UserId, case: usize) -> Option<bool> {
        let (store, other) = (&self.direct, UserId(me.0 + 1));
        let user = async |id| {
            store.users_by_ids(Audience::EVERYBODY, &[id]).await.expect("it answers").remove(&id)
        };
        Some(match mutation.happened? {
            Happened::Followed | Happened::Unfollowed => {
                let edge = store.relations(me, &[other], &[]).await.expect("it answers");
                edge.is_empty() == matches!(mutation.happened?, Happened::Unfollowed)
            }
            Happened::Accepted | Happened::Removed => {
                let edge = store.relations(me, &[], &[other]).await.expect("it answers");
                edge.is_empty() == matches!(mutation.happened?, Happened::Removed)
            }
            Happened::Blocked | Happened::Muted => {
                let ties = store.ties(me, &[other]).await.expect("it answers");
                let tie = ties.get(&other).copied().unwrap_or_default();
                match mutation.happened? {
                    Happened::Blocked => tie.is_blocking,
                    _ => tie.mute.is_some(),
                }
            }
            Happened::Suspended => user(other).await?.standing == Standing::Suspended,
            Happened::BecamePrivate => {
                let privacy = store.find_privacy(me).await.expect("it answers");
                privacy.expect("the user exists").is_private()
            }
            Happened::SignedUp => {
                let key = UsernameKey::parse(&format!("new{case}")).expect("a name");
                let found = store
                    .users_by_usernames(Audience::EVERYBODY, &[key])
                    .await
                    .expect("it answers");
                !found.is_empty()
            }
            Happened::TokensEnded => {
                let credentials = store.find_credentials_by_id(me).await.expect("it answers");
                credentials.expect("the user exists").token_epoch > 0
            }
            Happened::Renamed => {
                let user = user(me).await.expect("the user exists");
                user.name.as_deref() == Some("Another Name")
            }
            Happened::Deleted => user(me).await.is_none(),
        })
    }

    async fn send(&self, query: &str, token: Option<&str>) -> Answer {
        let request = self.app.request(Method::POST, "/graphql");
        let body = json!({ "query": query }).to_string();
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        Answer::to(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
        .await
    }

    /// Asserts that simultaneous requests are answered, all with the same.
    async fn is_well(&self) {
        let query = "{ users(first: 3) { totalCount nodes { followers { totalCount } } } }";
        let answers = join_all((0..READERS).map(|_| self.send(query, None))).await;
        let answers: Vec<Value> = answers.into_iter().map(Answer::data).collect();
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    }
}

fn document(mutation: &Mutation, case: usize) -> String {
    let Mutation { field, input, payload, .. } = mutation;
    let name = |role: &str| format!("{role}{case}");
    let input = input
        .replace("ME", &name("me"))
        .replace("OTHER", &name("other"))
        .replace("NEW", &name("new"));
    let arguments = if input.is_empty() { input } else { format!("(input: {{{input}}})") };
    format!("mutation {{ {field}{arguments} {{ {payload} userErrors {{ code }} }} }}")
}
