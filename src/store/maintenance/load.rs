//! Preparing a whole graph for loading: counted, and in the order of the keys of the tables, so
//! that every index grows at its end.

use std::collections::BTreeMap;

use crate::{
    domain::{Follow, FollowCounts, NewUser, UserId},
    store::{Graph, retry::Report},
};

/// The most rows of one statement.
pub(crate) const ROWS: usize = 20_000;

/// A graph in the order of its tables.
pub(crate) struct Sorted {
    pub(crate) users: Vec<NewUser>,
    pub(crate) counts: BTreeMap<UserId, FollowCounts>,
    /// In the order of the key of `follows`.
    pub(crate) follows: Vec<Follow>,
}

impl Sorted {
    pub(crate) fn new(graph: Graph) -> Self {
        let Graph { mut users, mut follows } = graph;
        users.sort_unstable_by_key(|user| user.id);
        follows.sort_unstable_by_key(|edge| (edge.followee, edge.follower));

        let mut counts: BTreeMap<_, _> =
            users.iter().map(|user| (user.id, FollowCounts::default())).collect();
        for edge in &follows {
            counts.entry(edge.follower).or_default().following += 1;
            counts.entry(edge.followee).or_default().followers += 1;
        }
        Self { users, counts, follows }
    }

    /// Puts the edges in the order of the key of `followers`.
    pub(crate) fn sort_for_mirror(&mut self) {
        self.follows.sort_unstable_by_key(|edge| (edge.followee, edge.followed_at, edge.follower));
    }
}

/// Reports how many rows are loaded; an edge is two rows.
pub(crate) struct Loading {
    report: Report,
    done: u64,
    total: u64,
}

impl Loading {
    pub(crate) fn new(report: Report, graph: &Sorted) -> Self {
        let total = (graph.users.len() + graph.follows.len() * 2) as u64;
        report.say(0, total);
        Self { report, done: 0, total }
    }

    pub(crate) fn add(&mut self, rows: usize) {
        self.done += rows as u64;
        self.report.say(self.done, self.total);
    }
}
