//! Checksums that compare both tables of each kind of edge.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::snapshot::{End, Table};
use crate::domain::Edge;

/// The number of checksums.
const GROUPS: u64 = 4096;

/// Edges are divided into groups by their hashes; the checksum of a group is the sum of the hashes
/// of its edges minus those of its mirrors, so it is zero if both tables hold the same. That saves
/// looking every edge up in the other table: only those of groups that differ are looked up.
pub(super) struct Sums {
    groups: Vec<u64>,
    /// The tables that hold edges.
    filled: HashSet<Table>,
}

impl Default for Sums {
    fn default() -> Self {
        Self { groups: (0..GROUPS).map(|_| 0).collect(), filled: HashSet::new() }
    }
}

impl Sums {
    fn hash(edge: &Edge) -> (usize, u64) {
        let mut hasher = DefaultHasher::new();
        edge.hash(&mut hasher);
        let hash = hasher.finish();
        let group = usize::try_from(hash % GROUPS).expect("it is less than `GROUPS`");
        (group, hash)
    }

    pub(super) fn add(&mut self, table: Table, edges: &[Edge]) {
        if !edges.is_empty() {
            self.filled.insert(table);
        }
        for edge in edges {
            let (group, hash) = Self::hash(edge);
            let sum = &mut self.groups[group];
            *sum = match table.end {
                End::Edges => sum.wrapping_add(hash),
                End::Mirrors => sum.wrapping_sub(hash),
            };
        }
    }

    pub(super) fn any_differs(&self) -> bool {
        self.groups.iter().any(|sum| *sum != 0)
    }

    /// Whether a table holds no edge at all.
    pub(super) fn is_empty(&self, table: Table) -> bool {
        !self.filled.contains(&table)
    }

    /// Whether the checksum of the edge's group is not zero.
    pub(super) fn differs(&self, edge: &Edge) -> bool {
        self.groups[Self::hash(edge).0] != 0
    }
}
