//! The data that a plan needs, loaded level by level.
//!
//! **Invariant:** the loaders collect the keys of all users of a level, so a level takes at most one
//! statement for each kind of question, however many users and fields it has.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::{future::join_all, join};

use super::{fields::Needs, plan::UserPlan};
use crate::{
    domain::{SeenLists, Tie, User, UserId},
    graphql::{context::RequestContext, error::Failure, loaders::RelationKey},
    service::{FollowDenials, ListPage},
};

/// Users to load for, and what is selected of them.
pub(super) type Pending<'p> = (&'p UserPlan<'p>, Vec<Arc<User>>);

/// Users with the same selection, and what was loaded for them besides their rows.
pub(super) struct Batch<'p> {
    pub(super) plan: &'p UserPlan<'p>,
    pub(super) users: Vec<Arc<User>>,
    /// One for each list of the plan.
    pub(super) lists: Vec<Lists>,
    /// One for each user, if the plan needs the lengths of lists or has pages.
    pub(super) seen: Vec<SeenLists>,
    /// One for each user, if the plan needs it: when the viewer followed the user.
    pub(super) followed: Vec<Option<DateTime<Utc>>>,
    /// One for each user, if the plan needs it: when the user followed the viewer.
    pub(super) following_back: Vec<Option<DateTime<Utc>>>,
    /// One for each user, if the plan needs it: why the viewer cannot follow the user.
    pub(super) denials: Vec<FollowDenials>,
    /// One for each user, if the plan needs it: what else is between the viewer and the user.
    pub(super) ties: Vec<Tie>,
}

/// The same list of each user of a batch.
pub(super) struct Lists {
    /// One for each user, if the plan needs pages.
    pub(super) pages: Vec<Arc<ListPage>>,
    /// What is loaded for the users on the pages, for each plan of them.
    pub(super) below: Vec<Below>,
}

/// What is loaded for the users on some pages.
pub(super) enum Below {
    /// Their rows, and nothing else.
    Rows,
    /// They are in a batch of the next level, page after page.
    Batch {
        index: usize,
        /// Where each page begins in the batch.
        starts: Vec<usize>,
    },
}

/// Everything that the plans need. The first batches are those of `roots`, in their order.
pub(super) async fn load<'p>(
    request: &RequestContext,
    roots: Vec<Pending<'p>>,
) -> Result<Vec<Batch<'p>>, Failure> {
    let (mut batches, mut level) = (Vec::new(), roots);
    while !level.is_empty() {
        let next = batches.len() + level.len();
        let loaded = level.into_iter().map(|(plan, users)| Batch::load(request, plan, users));
        level = Vec::new();
        for batch in join_all(loaded).await {
            let mut batch = batch?;
            batch.add_below(next, &mut level);
            batches.push(batch);
        }
    }
    Ok(batches)
}

impl<'p> Batch<'p> {
    async fn load(
        request: &RequestContext,
        plan: &'p UserPlan<'p>,
        users: Vec<Arc<User>>,
    ) -> Result<Self, Failure> {
        let loaders = &request.loaders;
        let ids = |is_needed: bool| users.iter().filter(move |_| is_needed).map(|user| user.id);
        let relations = |needs, key: fn(UserId) -> RelationKey| {
            loaders.relations.many(ids(plan.needs.include(needs)).map(key).collect())
        };
        let pages = plan.lists.iter().map(|list| {
            let ids = ids(list.connection.needs.include(Needs::PAGE));
            let key = |user| list.key(user, request.service.reader_of(user));
            loaders.pages.many(ids.map(key).collect())
        });
        // All of them run to their end even if one fails: another field of the request may wait
        // for a key that one of these loads.
        let lists_alone = plan.needs_lists_alone(request.service.pages_have_counts());
        let (pages, seen, followed, following_back, denials, ties) = join!(
            join_all(pages),
            loaders.lists.many(ids(lists_alone).collect()),
            relations(Needs::FOLLOWED, RelationKey::Followed),
            relations(Needs::FOLLOWING_BACK, RelationKey::FollowingBack),
            loaders.denials.many(ids(plan.needs.include(Needs::DENIALS)).collect()),
            loaders.ties.many(ids(plan.needs.include(Needs::TIE)).collect()),
        );
        let lists = pages.into_iter().map(|pages| Ok(Lists { pages: pages?, below: Vec::new() }));
        let lists = lists.collect::<Result<Vec<_>, Failure>>()?;
        let (mut seen, followed, following_back) = (seen?, followed?, following_back?);
        let (denials, ties) = (denials?, ties?);
        if let Some(list) = lists.iter().find(|list| !list.pages.is_empty())
            && seen.is_empty()
        {
            seen = list.pages.iter().map(|page| page.lists).collect();
        }
        Ok(Self { plan, users, lists, seen, followed, following_back, denials, ties })
    }

    /// Adds the users on the pages to the next level, whose first batch will have the index `next`.
    fn add_below(&mut self, next: usize, level: &mut Vec<Pending<'p>>) {
        for (list, plan) in self.lists.iter_mut().zip(&self.plan.lists) {
            for plan in &plan.connection.users {
                list.below.push(if plan.needs_rows_only() {
                    Below::Rows
                } else {
                    let (users, starts) = users_on(&list.pages);
                    level.push((plan, users));
                    Below::Batch { index: next + level.len() - 1, starts }
                });
            }
        }
    }
}

/// The users on some pages, and where those of each page begin.
fn users_on(pages: &[Arc<ListPage>]) -> (Vec<Arc<User>>, Vec<usize>) {
    let (mut users, mut starts) = (Vec::new(), Vec::with_capacity(pages.len()));
    for page in pages {
        starts.push(users.len());
        users.extend(page.page.items.iter().map(|item| Arc::clone(&item.user)));
    }
    (users, starts)
}
