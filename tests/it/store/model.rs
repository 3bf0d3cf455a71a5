//! A long random sequence of operations, compared with a model of a few maps.

use std::collections::{BTreeMap, BTreeSet};

use entourage::{
    domain::{
        AcceptOutcome, Audience, BlockOutcome, BlockRefusal, EdgeKind, Ends, EventCause, EventKind,
        EventLog, FollowAction, FollowChange, FollowChanged, FollowCounts, FollowEvent,
        FollowImport, FollowLimits, FollowList, FollowOutcome, FollowPageKey, FollowPosition,
        FollowRefusal, ListReader, ListVisibility, Mute, OfEdges, OrderDirection, OwnList,
        PageRequest, Privacy, PrivacyChange, RejectOutcome, Relation, RemoveOutcome, Tie,
        UnblockOutcome, UnfollowOutcome, UserId, UserListRequest, UserOrderField, UserSearch,
        Window,
    },
    store::{CreateOutcome, Store},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{assert_entries, assert_sound, at, cases, mute, new_user, pages, pages::expected};
use crate::support::follow::{ALREADY, FOLLOWED, counts_of};

cases! {
    a_random_sequence_of_operations_equals_the_model,
}

const OPERATIONS: u32 = 10_000;
/// When imports happen, in microseconds.
const IMPORTED: i64 = 77;
const SEED: u64 = 0x00E7_0C2A_6E50_0001;
/// So few that operations often meet on the same users.
const IDS: i64 = 14;

/// The state that the store should have. Edges are microseconds, by both users.
#[derive(Default)]
pub(super) struct Model {
    /// The usernames, by id.
    users: BTreeMap<UserId, String>,
    edges: OfEdges<BTreeMap<(UserId, UserId), i64>>,
    privacy: BTreeMap<UserId, Privacy>,
    /// Who mutes whom.
    mutes: BTreeSet<(UserId, UserId)>,
    /// The pairs that have been unfollowed. All of it happens on one day.
    unfollowed: BTreeSet<(UserId, UserId)>,
    logs: BTreeMap<UserId, Vec<FollowEvent>>,
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
        if self.users.remove(&id).is_none() {
            return false;
        }
        for other in self.users.keys().copied().collect::<Vec<_>>() {
            if self.remove(EdgeKind::Follow, (id, other)) {
                self.log_of_other(
                    (other, id),
                    EventKind::FollowerLost,
                    EventCause::AccountDeleted,
                    0,
                );
            }
            if self.remove(EdgeKind::Follow, (other, id)) {
                self.log_of_other(
                    (other, id),
                    EventKind::FollowEnded,
                    EventCause::AccountDeleted,
                    0,
                );
            }
            if self.remove(EdgeKind::Request, (id, other)) {
                self.log_of_other(
                    (other, id),
                    EventKind::RequestWithdrawn,
                    EventCause::AccountDeleted,
                    0,
                );
            }
        }
        for kind in EdgeKind::ALL {
            self.edges[kind].retain(|(one, other), _| *one != id && *other != id);
        }
        self.privacy.remove(&id);
        self.mutes.retain(|(one, other)| *one != id && *other != id);
        self.unfollowed.retain(|(follower, _)| *follower != id);
        self.logs.remove(&id);
        true
    }

    /// Adds an event to the log of the first user, about the second.
    fn log(&mut self, pair: (UserId, UserId), kind: EventKind, cause: EventCause, micros: i64) {
        let (owner, other) = pair;
        let is_new = matches!(kind, EventKind::Followed | EventKind::Requested);
        let may_repeat = is_new && cause == EventCause::User;
        let is_repeat = may_repeat && self.unfollowed.contains(&(other, owner));
        let log = self.logs.entry(owner).or_default();
        let sequence = i64::try_from(log.len()).expect("it is short") + 1;
        log.push(FollowEvent { sequence, kind, cause, other, at: at(micros), is_repeat });
    }

    /// The same, unless the first user mutes the second, who has caused it.
    fn log_of_other(
        &mut self,
        pair: (UserId, UserId),
        kind: EventKind,
        cause: EventCause,
        at: i64,
    ) {
        if !self.mutes.contains(&pair) {
            self.log(pair, kind, cause, at);
        }
    }

    fn privacy(&self, user: UserId) -> Privacy {
        self.privacy.get(&user).copied().unwrap_or_default()
    }

    pub(super) fn update_privacy(
        &mut self,
        user: UserId,
        change: &PrivacyChange,
    ) -> Option<Privacy> {
        let after = self.privacy(user).after(change);
        self.users.contains_key(&user).then(|| {
            self.privacy.insert(user, after);
            after
        })
    }

    fn exist(&self, pair: (UserId, UserId)) -> bool {
        self.users.contains_key(&pair.0) && self.users.contains_key(&pair.1)
    }

    fn has(&self, kind: EdgeKind, pair: (UserId, UserId)) -> bool {
        self.edges[kind].contains_key(&pair)
    }

    fn remove(&mut self, kind: EdgeKind, pair: (UserId, UserId)) -> bool {
        self.edges[kind].remove(&pair).is_some()
    }

    /// What refuses a follow, besides limits.
    fn check(&self, pair: (UserId, UserId)) -> Result<(), FollowRefusal> {
        if !self.exist(pair) {
            Err(FollowRefusal::NotFound)
        } else if self.has(EdgeKind::Block, (pair.1, pair.0)) {
            Err(FollowRefusal::Blocked)
        } else if self.has(EdgeKind::Block, pair) {
            Err(FollowRefusal::Blocking)
        } else {
            Ok(())
        }
    }

    fn follow(
        &mut self,
        pair: (UserId, UserId),
        micros: i64,
    ) -> Result<FollowOutcome, FollowRefusal> {
        let back = (pair.1, pair.0);
        self.check(pair)?;
        if self.has(EdgeKind::Follow, pair) {
            return ALREADY;
        }
        let privacy = self.privacy(pair.1);
        let consents = privacy.accepts_followed() && self.has(EdgeKind::Follow, back);
        if privacy.is_private() && !consents {
            if self.has(EdgeKind::Request, pair) {
                return Ok(FollowOutcome::AlreadyRequested);
            }
            self.edges[EdgeKind::Request].insert(pair, micros);
            self.log_of_other(back, EventKind::Requested, EventCause::User, micros);
            return Ok(FollowOutcome::Requested);
        }
        self.remove(EdgeKind::Request, pair);
        self.edges[EdgeKind::Follow].insert(pair, micros);
        self.log_of_other(back, EventKind::Followed, EventCause::User, micros);
        FOLLOWED
    }

    fn import(
        &mut self,
        pair: (UserId, UserId),
        micros: i64,
        is_logged: bool,
    ) -> Result<FollowImport, FollowRefusal> {
        let back = (pair.1, pair.0);
        self.check(pair)?;
        if let Some(since) = self.edges[EdgeKind::Follow].get(&pair) {
            let is_same = *since == micros;
            return Ok(if is_same { FollowImport::Present } else { FollowImport::Differs });
        }
        self.remove(EdgeKind::Request, pair);
        self.edges[EdgeKind::Follow].insert(pair, micros);
        if is_logged {
            self.log_of_other(back, EventKind::Followed, EventCause::Import, IMPORTED);
        }
        Ok(FollowImport::Followed)
    }

    fn unfollow(&mut self, pair: (UserId, UserId), micros: i64) -> UnfollowOutcome {
        let (back, cause) = ((pair.1, pair.0), EventCause::User);
        if self.remove(EdgeKind::Follow, pair) {
            self.unfollowed.insert(pair);
            self.log(pair, EventKind::FollowEnded, cause, micros);
            UnfollowOutcome::Unfollowed
        } else if self.remove(EdgeKind::Request, pair) {
            self.unfollowed.insert(pair);
            self.log_of_other(back, EventKind::RequestWithdrawn, cause, micros);
            UnfollowOutcome::RequestWithdrawn
        } else {
            UnfollowOutcome::NotFollowing
        }
    }

    fn accept(&mut self, pair: (UserId, UserId), micros: i64, cause: EventCause) -> AcceptOutcome {
        if self.remove(EdgeKind::Request, pair) {
            self.edges[EdgeKind::Follow].insert(pair, micros);
            self.log((pair.1, pair.0), EventKind::Followed, cause, micros);
            self.log_of_other(pair, EventKind::RequestAccepted, cause, micros);
            AcceptOutcome::Accepted
        } else if self.has(EdgeKind::Follow, pair) {
            AcceptOutcome::AlreadyFollower
        } else {
            AcceptOutcome::NoRequest
        }
    }

    fn block(
        &mut self,
        pair: (UserId, UserId),
        micros: i64,
        limit: i64,
    ) -> Result<BlockOutcome, BlockRefusal> {
        if !self.exist(pair) {
            return Err(BlockRefusal::NotFound);
        }
        if self.has(EdgeKind::Block, pair) {
            return Ok(BlockOutcome::AlreadyBlocked);
        }
        let blocked = self.edges[EdgeKind::Block].keys().filter(|(one, _)| *one == pair.0).count();
        if i64::try_from(blocked).expect("they are few") >= limit {
            return Err(BlockRefusal::LimitReached);
        }
        let (back, cause) = ((pair.1, pair.0), EventCause::Block);
        if self.remove(EdgeKind::Follow, pair) {
            self.log(pair, EventKind::FollowEnded, cause, micros);
        }
        if self.remove(EdgeKind::Follow, back) {
            self.log(pair, EventKind::FollowerLost, cause, micros);
        }
        self.remove(EdgeKind::Request, pair);
        if self.remove(EdgeKind::Request, back) {
            self.log(pair, EventKind::RequestWithdrawn, cause, micros);
        }
        self.edges[EdgeKind::Block].insert(pair, micros);
        Ok(BlockOutcome::Blocked)
    }

    /// A change without limits on follows.
    pub(super) fn change(&mut self, change: &FollowChange) -> FollowChanged {
        let FollowChange { follower, followee, at: moment, action } = *change;
        let micros = (moment - at(0)).num_microseconds().expect("it is short");
        let pair = (follower, followee);
        let either = |is_done, done, other| if is_done { done } else { other };
        match action {
            FollowAction::Follow(_) => FollowChanged::Follow(self.follow(pair, micros)),
            FollowAction::Import { logged_at } => {
                FollowChanged::Import(self.import(pair, micros, logged_at.is_some()))
            }
            FollowAction::Unfollow { .. } => FollowChanged::Unfollow(self.unfollow(pair, micros)),
            FollowAction::AcceptIfPublic if self.privacy(followee).is_private() => {
                FollowChanged::Accept(AcceptOutcome::NoRequest)
            }
            FollowAction::Accept => {
                FollowChanged::Accept(self.accept(pair, micros, EventCause::RequestAccepted))
            }
            FollowAction::AcceptIfPublic => {
                FollowChanged::Accept(self.accept(pair, micros, EventCause::PrivacyChanged))
            }
            FollowAction::Reject => either(
                self.remove(EdgeKind::Request, pair),
                FollowChanged::Reject(RejectOutcome::Rejected),
                FollowChanged::Reject(RejectOutcome::NoRequest),
            ),
            FollowAction::Remove => {
                let is_removed = self.remove(EdgeKind::Follow, pair);
                if is_removed {
                    let cause = EventCause::FollowerRemoved;
                    self.log((followee, follower), EventKind::FollowerLost, cause, micros);
                }
                let (removed, not) = (RemoveOutcome::Removed, RemoveOutcome::NotAFollower);
                FollowChanged::Remove(if is_removed { removed } else { not })
            }
            FollowAction::Block { limit } => FollowChanged::Block(self.block(pair, micros, limit)),
            FollowAction::Unblock => either(
                self.remove(EdgeKind::Block, pair),
                FollowChanged::Unblock(UnblockOutcome::Unblocked),
                FollowChanged::Unblock(UnblockOutcome::NotBlocked),
            ),
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
        let follows = &self.edges[EdgeKind::Follow];
        let mut list: Vec<_> = follows.iter().filter_map(position).collect();
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

    /// A list that only its owner reads, in ascending order.
    fn own_list(&self, list: OwnList, owner: UserId) -> Vec<FollowPosition> {
        let (kind, is_received) = match list {
            OwnList::RequestsReceived => (EdgeKind::Request, true),
            OwnList::RequestsSent => (EdgeKind::Request, false),
            OwnList::Blocked => (EdgeKind::Block, false),
            OwnList::Muted => unreachable!("mutes are not part of the model"),
        };
        let position = |((one, other), micros): (&(UserId, UserId), &i64)| {
            let (own, user) = if is_received { (*other, *one) } else { (*one, *other) };
            (own == owner).then(|| FollowPosition { followed_at: at(*micros), user })
        };
        let mut list: Vec<_> = self.edges[kind].iter().filter_map(position).collect();
        list.sort_unstable();
        list
    }

    fn tie(&self, viewer: UserId, other: UserId) -> Option<Tie> {
        let requests = &self.edges[EdgeKind::Request];
        let tie = Tie {
            requested_at: requests.get(&(viewer, other)).copied().map(at),
            has_requested_viewer: requests.contains_key(&(other, viewer)),
            is_blocking: self.has(EdgeKind::Block, (viewer, other)),
            mute: self.mutes.contains(&(viewer, other)).then_some(Mute { until: None }),
        };
        (tie != Tie::default()).then_some(tie)
    }

    fn relation(&self, viewer: UserId, other: UserId) -> Option<Relation> {
        let follows = &self.edges[EdgeKind::Follow];
        let followed_at = follows.get(&(viewer, other)).copied().map(at);
        let followed_back_at = follows.get(&(other, viewer)).copied().map(at);
        let any = followed_at.is_some() || followed_back_at.is_some();
        any.then_some(Relation { followed_at, followed_back_at })
    }
}

/// Any change, mostly follows and unfollows.
pub(super) fn any_action(random: &mut ChaCha8Rng) -> FollowAction {
    match random.random_range(0..100) {
        0..40 => FollowAction::Follow(FollowLimits::NONE),
        40..50 => FollowAction::Import {
            logged_at: (random.random_range(0..2) == 0).then(|| at(IMPORTED)),
        },
        50..68 => FollowAction::Unfollow { is_counted: true },
        68..75 => FollowAction::Accept,
        75..78 => FollowAction::AcceptIfPublic,
        78..82 => FollowAction::Reject,
        82..86 => FollowAction::Remove,
        86..92 => FollowAction::Block { limit: 3 },
        _ => FollowAction::Unblock,
    }
}

/// Any change of settings.
pub(super) fn any_privacy(random: &mut ChaCha8Rng) -> PrivacyChange {
    let visibilities =
        [ListVisibility::Everybody, ListVisibility::Followers, ListVisibility::Nobody];
    let mut list = || {
        let visibility = visibilities.get(random.random_range(0..6)).copied();
        random.random_bool(0.3).then_some(visibility)
    };
    let (followers, following) = (list(), list());
    PrivacyChange {
        is_private: random.random_bool(0.7).then(|| random.random()),
        accepts_followed: random.random_bool(0.3).then(|| random.random()),
        followers,
        following,
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
        keys.push(FollowPageKey { user, list, reader: ListReader::Everything, request });
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
        assert_eq!(page.lists.counts, model.counts(key.user));
    }
}

async fn check_relations(store: &dyn Store, model: &Model, random: &mut ChaCha8Rng) {
    let viewer = any_user(random);
    let others: Vec<_> = (1..=IDS).map(UserId).filter(|other| *other != viewer).collect();

    let relations = store.relations(viewer, &others, &others).await.unwrap();

    let ties = store.ties(viewer, &others).await.unwrap();
    for other in others {
        assert_eq!(relations.get(&other).copied(), model.relation(viewer, other));
        assert_eq!(ties.get(&other).copied(), model.tie(viewer, other));
    }
}

async fn check_own_lists(store: &dyn Store, model: &Model, random: &mut ChaCha8Rng) {
    let owner = any_user(random);
    let lengths = store.own_lengths(Audience::EVERYBODY, owner).await.unwrap();
    for list in [OwnList::RequestsReceived, OwnList::RequestsSent, OwnList::Blocked] {
        let all = model.own_list(list, owner);
        let request = any_request(random, &all);
        let page = store.page_of_own(Audience::EVERYBODY, owner, list, &request).await.unwrap();
        let right = expected(&all, &request);
        let items = page.items.iter().map(|item| (item.since, item.user)).collect::<Vec<_>>();
        let expected: Vec<_> =
            right.items.iter().map(|item| (item.followed_at, item.user)).collect();
        assert_eq!(items, expected, "{list:?} of {owner}, {request:?}");
        let ends = (page.has_previous, page.has_next);
        assert_eq!(ends, (right.has_previous, right.has_next), "{list:?} of {owner}, {request:?}");
        assert_eq!(usize::try_from(lengths.of(list)), Ok(all.len()), "{list:?} of {owner}");
    }
}

async fn check_log(store: &dyn Store, model: &Model, random: &mut ChaCha8Rng) {
    let owner = any_user(random);
    let log = model.logs.get(&owner).cloned().unwrap_or_default();
    let last = i64::try_from(log.len()).expect("it is short");
    let after = random.random_range(0..=last);
    let found = store.events_after(&[(owner, after)]).await.unwrap().remove(&(owner, after));
    let next = log.iter().filter(|event| event.sequence > after).copied().take(100).collect();
    let is_there = model.users.contains_key(&owner);
    assert_eq!(found, is_there.then_some(EventLog { last, events: next }), "{owner} {after}");

    let mut bound = || random.random_bool(0.5).then(|| random.random_range(0..=last + 1));
    let (after, before) = (bound(), bound());
    let size = random.random_range(0..6);
    let window = if random.random() { Window::First(size) } else { Window::Last(size) };
    let direction = if random.random() { OrderDirection::Asc } else { OrderDirection::Desc };
    let ends = any_ends(random);
    let request = PageRequest { direction, window, after, before, ends };
    let found = store.page_of_events(owner, &request).await.unwrap();
    let numbers: Vec<_> = log.iter().map(|event| event.sequence).collect();
    let right = expected(&numbers, &request);
    let sequences = found.page.items.iter().map(|event| event.sequence).collect::<Vec<_>>();
    assert_eq!(sequences, right.items, "{owner} {request:?}");
    let ends = (found.page.has_previous, found.page.has_next);
    assert_eq!(ends, (right.has_previous, right.has_next), "{owner} {request:?}");
    assert_eq!(found.oldest, numbers.first().copied());
}

async fn check_users(store: &dyn Store, model: &Model) {
    let ids: Vec<_> = (1..=IDS).map(UserId).collect();
    let counts = counts_of(store.lists_by_ids(Audience::EVERYBODY, &ids).await.unwrap());
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
    let names = store.page_of_users(Audience::EVERYBODY, &request).await.unwrap().items;
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
                let deleted = store.delete_user(one, at(0)).await.unwrap();
                assert_eq!(deleted, model.delete(one), "step {step}");
            }
            8..60 if one != other => {
                // Few times, so that many follows have the same.
                let (micros, action) = (random.random_range(0..80), any_action(random));
                let (follower, followee) = (one, other);
                let change = FollowChange { follower, followee, at: at(micros), action };
                let outcome = store.change_follow(change).await.unwrap().outcome;
                assert_eq!(outcome, model.change(&change), "step {step}: {change:?}");
            }
            60..68 => {
                let change = any_privacy(random);
                let privacy = store.update_privacy(one, change).await.unwrap();
                assert_eq!(privacy, model.update_privacy(one, &change), "step {step}");
                assert_eq!(store.find_privacy(one).await.unwrap(), privacy, "step {step}");
            }
            68..70 if one != other && model.exist((one, other)) => {
                let is_muted = !model.mutes.remove(&(one, other));
                if is_muted {
                    model.mutes.insert((one, other));
                    mute(store, one, other, step.into()).await;
                } else {
                    assert!(store.unmute(one, other).await.unwrap(), "step {step}");
                }
            }
            68..85 => check_pages(store, &model, random).await,
            85..88 => check_log(store, &model, random).await,
            88..92 => check_own_lists(store, &model, random).await,
            92..97 => check_relations(store, &model, random).await,
            _ => check_users(store, &model).await,
        }
    }
    assert_sound(store).await;
}
