//! The data that a plan needs, loaded level by level.
//!
//! **Invariant:** all users of a level are asked about together, so a level takes at most one
//! statement for each kind of question, however many users and fields it has.

use std::{sync::Arc, vec::IntoIter};

use chrono::{DateTime, Utc};
use futures_util::join;

use super::{fields::Needs, plan::UserPlan};
use crate::{
    domain::{FollowCounts, FollowPageKey, Relation, User, UserId},
    graphql::{context::RequestContext, error::Failure, loaders::RelationKey},
    service::ListPage,
};

/// Users with the same selection, and what was loaded for them besides their rows.
pub(super) struct Batch<'p> {
    pub(super) plan: &'p UserPlan<'p>,
    pub(super) users: Vec<Arc<User>>,
    /// One for each list of the plan.
    pub(super) lists: Vec<Lists>,
    /// One for each user, if the plan needs the length of a list.
    pub(super) counts: Vec<FollowCounts>,
    /// One for each user, if the plan needs one of its halves.
    pub(super) relations: Vec<Relation>,
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
    roots: Vec<(&'p UserPlan<'p>, Vec<Arc<User>>)>,
) -> Result<Vec<Batch<'p>>, Failure> {
    let roots = roots.into_iter().map(|(plan, users)| Batch::new(plan, users));
    let mut batches: Vec<_> = roots.collect();
    let mut level = 0..batches.len();
    while !level.is_empty() {
        let mut questions = Questions::default();
        batches[level.clone()].iter().for_each(|batch| questions.add(batch));
        let mut answers = questions.ask(request).await?;

        let next = batches.len();
        for index in level {
            let first = batches.len();
            let below = batches[index].fill(&mut answers, first);
            batches.extend(below);
        }
        level = next..batches.len();
    }
    Ok(batches)
}

/// The questions of a level: batch after batch, list after list, user after user.
#[derive(Default)]
struct Questions {
    pages: Vec<FollowPageKey>,
    counts: Vec<UserId>,
    followed: Vec<RelationKey>,
    following_back: Vec<RelationKey>,
}

/// The answers, in the order of the questions.
struct Answers {
    pages: IntoIter<Arc<ListPage>>,
    counts: IntoIter<FollowCounts>,
    followed: IntoIter<Option<DateTime<Utc>>>,
    following_back: IntoIter<Option<DateTime<Utc>>>,
}

impl Questions {
    fn add(&mut self, batch: &Batch<'_>) {
        let (plan, ids) = (batch.plan, || batch.users.iter().map(|user| user.id));
        for list in plan.lists.iter().filter(|list| list.connection.needs.include(Needs::PAGE)) {
            self.pages.extend(ids().map(|user| list.key(user)));
        }
        if plan.needs_counts_alone() {
            self.counts.extend(ids());
        }
        if plan.needs.include(Needs::FOLLOWED) {
            self.followed.extend(ids().map(RelationKey::Followed));
        }
        if plan.needs.include(Needs::FOLLOWING_BACK) {
            self.following_back.extend(ids().map(RelationKey::FollowingBack));
        }
    }

    async fn ask(self, request: &RequestContext) -> Result<Answers, Failure> {
        let loaders = &request.loaders;
        // All of them run to their end even if one fails: another field of the request may wait for
        // a key that one of these loads.
        let (pages, counts, followed, following_back) = join!(
            loaders.pages.many(self.pages),
            loaders.counts.many(self.counts),
            loaders.relations.many(self.followed),
            loaders.relations.many(self.following_back),
        );
        let (pages, counts) = (pages?.into_iter(), counts?.into_iter());
        let (followed, following_back) = (followed?.into_iter(), following_back?.into_iter());
        Ok(Answers { pages, counts, followed, following_back })
    }
}

impl<'p> Batch<'p> {
    fn new(plan: &'p UserPlan<'p>, users: Vec<Arc<User>>) -> Self {
        let (lists, counts, relations) = (Vec::new(), Vec::new(), Vec::new());
        Self { plan, users, lists, counts, relations }
    }

    /// Takes the answers to the questions of this batch, and returns the batches of the users
    /// below. The first of those will have the index `first`.
    fn fill(&mut self, answers: &mut Answers, first: usize) -> Vec<Self> {
        let users = self.users.len();
        let mut below = Vec::new();
        for list in &self.plan.lists {
            let has_pages = list.connection.needs.include(Needs::PAGE);
            let pages: Vec<_> =
                answers.pages.by_ref().take(if has_pages { users } else { 0 }).collect();
            let users = list.connection.users.iter().map(|plan| {
                if plan.needs_rows_only() {
                    return Below::Rows;
                }
                let (users, starts) = users_on(&pages);
                below.push(Self::new(plan, users));
                Below::Batch { index: first + below.len() - 1, starts }
            });
            let users = users.collect();
            self.lists.push(Lists { pages, below: users });
        }
        let with_pages = self.lists.iter().find(|list| !list.pages.is_empty());
        self.counts = match with_pages {
            Some(list) => list.pages.iter().map(|page| page.counts).collect(),
            None if self.plan.needs_counts_alone() => answers.counts.by_ref().take(users).collect(),
            None => Vec::new(),
        };
        self.fill_relations(answers);
        below
    }

    fn fill_relations(&mut self, answers: &mut Answers) {
        let needs = self.plan.needs;
        if needs.include(Needs::FOLLOWED.and(Needs::FOLLOWING_BACK)) {
            self.relations = vec![Relation::default(); self.users.len()];
        }
        if needs.include(Needs::FOLLOWED) {
            for (relation, half) in self.relations.iter_mut().zip(answers.followed.by_ref()) {
                relation.followed_at = half;
            }
        }
        if needs.include(Needs::FOLLOWING_BACK) {
            for (relation, half) in self.relations.iter_mut().zip(answers.following_back.by_ref()) {
                relation.followed_back_at = half;
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
