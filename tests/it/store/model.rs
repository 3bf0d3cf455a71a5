//! A long random sequence of operations, compared with a model of a few maps.

use std::collections::{BTreeMap, BTreeSet};

use entourage::{
    domain::{
        Audience, Ends, FollowAction, FollowChange, FollowChanged, FollowCounts, FollowLimits,
        FollowList, FollowOutcome, FollowPageKey, FollowPosition, FollowRefusal, OrderDirection,
        PageRequest, Relation, UnfollowOutcome, UserId, UserListRequest, UserOrderField,
        UserSearch, Window,
    },
    store::{CreateOutcome, Store},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{assert_entries, assert_sound, at, cases, new_user, pages, pages::expected};
use crate::support::follow::{ALREADY, FOLLOWED, FollowOne};

cases! {
    a_random_sequence_of_operations_equals_the_model,
}

const OPERATIONS: u32 = 10_000;
const SEED: u64 = 0x00E7_0C2A_6E50_0001;
/// So few that operations often meet on the same users.
const IDS: i64 = 14;

/// The state that the store should have.
#[derive(Default)]
pub(super) struct Model {
    /// The usernames, by id.
    users: BTreeMap<UserId, String>,
    /// The microseconds, by follower and followee.
    edges: BTreeMap<(UserId, UserId), i64>,
}

impl Model {
    pub(super) fn create(&mut self, id: UserId, name: &str) -> CreateOutcome {
        if self.users.values().any(|taken| taken == name) {
            return CreateOutcome::UsernameTaken;
        }
        if self.users.contains_key(&id) {
            return CreateOutcome::IdTaken;
        }
        self.users.insert(id, name.to_owned());
        CreateOutcome::Created
    }

    fn delete(&mut self, id: UserId) -> bool {
        self.edges.retain(|(follower, followee), _| *follower != id && *followee != id);
        self.users.remove(&id).is_some()
    }

    fn follow(
        &mut self,
        follower: UserId,
        followee: UserId,
        micros: i64,
    ) -> Result<FollowOutcome, FollowRefusal> {
        if !self.users.contains_key(&follower) || !self.users.contains_key(&followee) {
            return Err(FollowRefusal::NotFound);
        }
        if self.edges.contains_key(&(follower, followee)) {
            return ALREADY;
        }
        self.edges.insert((follower, followee), micros);
        FOLLOWED
    }

    fn unfollow(&mut self, follower: UserId, followee: UserId) -> UnfollowOutcome {
        match self.edges.remove(&(follower, followee)) {
            Some(_) => UnfollowOutcome::Unfollowed,
            None => UnfollowOutcome::NotFollowing,
        }
    }

    /// A change without limits.
    pub(super) fn change(&mut self, change: &FollowChange) -> FollowChanged {
        let FollowChange { follower, followee, at: moment, action } = *change;
        let micros = (moment - at(0)).num_microseconds().expect("it is short");
        match action {
            FollowAction::Follow(_) => {
                FollowChanged::Follow(self.follow(follower, followee, micros))
            }
            FollowAction::Unfollow { .. } => {
                FollowChanged::Unfollow(self.unfollow(follower, followee))
            }
        }
    }

    /// The whole list, in ascending order.
    pub(super) fn list(&self, direction: FollowList, user: UserId) -> Vec<FollowPosition> {
        let other = |(follower, followee): (UserId, UserId)| match direction {
            FollowList::Followers => (followee == user).then_some(follower),
            FollowList::Following => (follower == user).then_some(followee),
        };
        let position = |(pair, micros): (&(UserId, UserId), &i64)| {
            other(*pair).map(|user| FollowPosition { followed_at: at(*micros), user })
        };
        let mut list: Vec<_> = self.edges.iter().filter_map(position).collect();
        list.sort_unstable();
        list
    }

    pub(super) fn counts(&self, user: UserId) -> FollowCounts {
        let length =
            |direction| i64::try_from(self.list(direction, user).len()).expect("it is short");
        FollowCounts {
            followers: length(FollowList::Followers),
            following: length(FollowList::Following),
        }
    }

    fn relation(&self, viewer: UserId, other: UserId) -> Option<Relation> {
        let followed_at = self.edges.get(&(viewer, other)).copied().map(at);
        let followed_back_at = self.edges.get(&(other, viewer)).copied().map(at);
        let any = followed_at.is_some() || followed_back_at.is_some();
        any.then_some(Relation { followed_at, followed_back_at })
    }
}

fn any_user(random: &mut ChaCha8Rng) -> UserId {
    UserId(random.random_range(1..=IDS))
}

fn any_direction(random: &mut ChaCha8Rng) -> FollowList {
    if random.random() { FollowList::Followers } else { FollowList::Following }
}

fn any_ends(random: &mut ChaCha8Rng) -> Ends {
    Ends { next: random.random(), previous: random.random() }
}

/// A request with bounds on or near the items of the list.
fn any_request(random: &mut ChaCha8Rng, list: &[FollowPosition]) -> PageRequest<FollowPosition> {
    let size = random.random_range(0..6);
    let window = if random.random() { Window::First(size) } else { Window::Last(size) };
    let direction = if random.random() { OrderDirection::Asc } else { OrderDirection::Desc };
    let mut bound = || {
        let on_an_item = !list.is_empty() && random.random_bool(0.8);
        let near = || FollowPosition { followed_at: at(40), user: UserId(IDS / 2) };
        random
            .random_bool(0.5)
            .then(|| if on_an_item { list[random.random_range(0..list.len())] } else { near() })
    };
    let (after, before) = (bound(), bound());
    PageRequest { direction, window, after, before, ends: any_ends(random) }
}

async fn check_pages(store: &dyn Store, model: &Model, random: &mut ChaCha8Rng) {
    let mut keys = Vec::new();
    for _ in 0..random.random_range(1..6) {
        let (user, list) = (any_user(random), any_direction(random));
        let request = any_request(random, &model.list(list, user));
        keys.push(FollowPageKey { user, list, request });
    }

    let pages = pages(store, &keys).await;

    for key in keys {
        let Some(page) = pages.get(&key) else {
            assert!(!model.users.contains_key(&key.user), "{key:?}");
            continue;
        };
        let right = expected(&model.list(key.list, key.user), &key.request);
        assert_entries(&key, &page.page.items, &right.items);
        let ends = (page.page.has_previous, page.page.has_next);
        assert_eq!(ends, (right.has_previous, right.has_next), "{key:?}");
        assert_eq!(page.counts, model.counts(key.user));
    }
}

async fn check_relations(store: &dyn Store, model: &Model, random: &mut ChaCha8Rng) {
    let viewer = any_user(random);
    let others: Vec<_> = (1..=IDS).map(UserId).filter(|other| *other != viewer).collect();

    let relations = store.relations(viewer, &others, &others).await.unwrap();

    for other in others {
        assert_eq!(relations.get(&other).copied(), model.relation(viewer, other));
    }
}

async fn check_users(store: &dyn Store, model: &Model) {
    let ids: Vec<_> = (1..=IDS).map(UserId).collect();
    let counts = store.counts_by_ids(Audience::Everybody, &ids).await.unwrap();
    for id in ids {
        let right = model.users.contains_key(&id).then(|| model.counts(id));
        assert_eq!(counts.get(&id).copied(), right, "{id}");
    }

    let page = PageRequest {
        direction: OrderDirection::Asc,
        window: Window::First(100),
        after: None,
        before: None,
        ends: Ends::BOTH,
    };
    let search = UserSearch::default();
    let request = UserListRequest { order: UserOrderField::Username, page, search };
    let names = store.page_of_users(Audience::Everybody, &request).await.unwrap().items;
    let names: Vec<_> = names.iter().map(|user| user.username.clone()).collect();
    let right: BTreeSet<_> = model.users.values().cloned().collect();
    assert_eq!(names, right.into_iter().collect::<Vec<_>>());
}

async fn a_random_sequence_of_operations_equals_the_model(store: &dyn Store) {
    let random = &mut ChaCha8Rng::seed_from_u64(SEED);
    let mut model = Model::default();

    for step in 0..OPERATIONS {
        let (one, other) = (any_user(random), any_user(random));
        match random.random_range(0..100) {
            0..6 => {
                let name = format!("user_{}", random.random_range(1..=IDS));
                let outcome = store.create_user(&new_user(one, &name)).await.unwrap();
                assert_eq!(outcome, model.create(one, &name), "step {step}");
            }
            6..8 => {
                let deleted = store.delete_user(one).await.unwrap();
                assert_eq!(deleted, model.delete(one), "step {step}");
            }
            8..50 if one != other => {
                // Few times, so that many follows have the same.
                let micros = random.random_range(0..80);
                let outcome =
                    store.follow(one, other, at(micros), FollowLimits::NONE).await.unwrap();
                assert_eq!(outcome, model.follow(one, other, micros), "step {step}");
            }
            50..68 => {
                let outcome = store.unfollow(one, other, at(0)).await.unwrap();
                assert_eq!(outcome, model.unfollow(one, other), "step {step}");
            }
            68..92 => check_pages(store, &model, random).await,
            92..97 => check_relations(store, &model, random).await,
            _ => check_users(store, &model).await,
        }
    }
    assert_sound(store).await;
}
