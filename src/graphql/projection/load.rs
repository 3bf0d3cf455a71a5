//! The graph as far as a plan asks for it, level by level.
//!
//! **Invariant:** all users of a level are asked about together, so a level costs at most one
//! statement for each kind of question, however many users and fields are in it.

use std::{collections::HashMap, sync::Arc};

use futures_util::join;

use super::{
    super::{context::RequestContext, error::Failure},
    plan::UserPlan,
};
use crate::domain::{FollowCounts, FollowPage, FollowPageKey, Relation, User, UserId};

/// Some users, and what is known of them beyond their own rows.
pub(super) struct Batch<'p> {
    pub(super) plan: &'p UserPlan<'p>,
    pub(super) users: Vec<Arc<User>>,
    /// One for each list of the plan.
    pub(super) lists: Vec<Lists>,
    /// One for each user, if the plan asks for the length of a list.
    pub(super) counts: Vec<FollowCounts>,
    /// One for each user, if the plan asks how they stand to the viewer.
    pub(super) relations: Vec<Relation>,
}

/// The same list of each user of a batch.
pub(super) struct Lists {
    /// One for each user, if the plan asks for pages.
    pub(super) pages: Vec<Arc<FollowPage>>,
    /// What is known of the users on the pages, for each plan of them.
    pub(super) below: Vec<Below>,
}

/// What is known of the users on some pages.
pub(super) enum Below {
    /// Their rows, and nothing more is asked for.
    Rows,
    /// A batch of the next level holds them, page after page.
    Batch {
        index: usize,
        /// Where each page begins in it.
        starts: Vec<usize>,
    },
}

/// Everything that the plans ask of their users. The first batches are those of the given users,
/// in their order.
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
        let answers = questions.ask(request).await?;

        let next = batches.len();
        for index in level {
            let first = batches.len();
            let below = batches[index].fill(&answers, first);
            batches.extend(below);
        }
        level = next..batches.len();
    }
    Ok(batches)
}

/// What a level asks of the graph.
#[derive(Default)]
struct Questions {
    pages: Vec<FollowPageKey>,
    counts: Vec<UserId>,
    followed: Vec<UserId>,
    following_back: Vec<UserId>,
}

/// What the graph answers.
struct Answers {
    pages: HashMap<FollowPageKey, Arc<FollowPage>>,
    counts: HashMap<UserId, FollowCounts>,
    relations: HashMap<UserId, Relation>,
}

impl Questions {
    fn add(&mut self, batch: &Batch<'_>) {
        let ids = || batch.users.iter().map(|user| user.id);
        for list in batch.plan.lists.iter().filter(|list| list.connection.asks_for_page()) {
            self.pages.extend(ids().map(|user| list.key(user)));
        }
        if batch.plan.asks_for_counts_alone() {
            self.counts.extend(ids());
        }
        if batch.plan.asks_whether_followed() {
            self.followed.extend(ids());
        }
        if batch.plan.asks_whether_following_back() {
            self.following_back.extend(ids());
        }
    }

    async fn ask(self, request: &RequestContext) -> Result<Answers, Failure> {
        let loaders = &request.loaders;
        // To its end, also when one fails: another field may wait for what a loader has under way.
        let (pages, counts, relations) = join!(
            loaders.pages_of_follows(self.pages),
            loaders.counts_of(self.counts),
            loaders.relations_to(self.followed, self.following_back),
        );
        Ok(Answers { pages: pages?, counts: counts?, relations: relations? })
    }
}

impl<'p> Batch<'p> {
    fn new(plan: &'p UserPlan<'p>, users: Vec<Arc<User>>) -> Self {
        let (lists, counts, relations) = (Vec::new(), Vec::new(), Vec::new());
        Self { plan, users, lists, counts, relations }
    }

    /// Takes the answers to what it asked, and gives the batches of the users below. The first of
    /// them will have the index `first`.
    fn fill(&mut self, answers: &Answers, first: usize) -> Vec<Self> {
        let ids = || self.users.iter().map(|user| user.id);
        let mut below = Vec::new();
        for list in &self.plan.lists {
            // Another batch of the level may have asked for the same pages of some of the users.
            let pages: Vec<_> = if list.connection.asks_for_page() {
                ids().map(|user| Arc::clone(&answers.pages[&list.key(user)])).collect()
            } else {
                Vec::new()
            };
            let users = list.connection.users.iter().map(|plan| {
                if plan.asks_for_rows_only() {
                    return Below::Rows;
                }
                let (users, starts) = users_on(&pages);
                below.push(Self::new(plan, users));
                Below::Batch { index: first + below.len() - 1, starts }
            });
            let users = users.collect();
            self.lists.push(Lists { pages, below: users });
        }
        let counted = self.lists.iter().find(|list| !list.pages.is_empty());
        self.counts = match counted {
            Some(list) => list.pages.iter().map(|page| page.counts).collect(),
            None if self.plan.asks_for_counts_alone() => {
                ids().map(|user| answers.counts[&user]).collect()
            }
            None => Vec::new(),
        };
        if self.plan.asks_for_relations() {
            let relation = |user| answers.relations.get(&user).copied().unwrap_or_default();
            self.relations = ids().map(relation).collect();
        }
        below
    }
}

/// The users on some pages, and where those of each page begin.
fn users_on(pages: &[Arc<FollowPage>]) -> (Vec<Arc<User>>, Vec<usize>) {
    let (mut users, mut starts) = (Vec::new(), Vec::with_capacity(pages.len()));
    for page in pages {
        starts.push(users.len());
        users.extend(page.page.items.iter().map(|item| Arc::clone(&item.user)));
    }
    (users, starts)
}
