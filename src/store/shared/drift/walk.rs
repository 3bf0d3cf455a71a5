//! The walk over all users and all edges, in slices of a bounded size.

use std::collections::{HashMap, VecDeque};

use super::snapshot::{EDGES, Position, Snapshot, Table};
use crate::{
    domain::{Edge, Lengths, UserId},
    store::{retry::Report, sql::USERS_AFTER},
};

/// How many users were visited, of how many; each one is visited more than once.
pub(super) struct Progress {
    report: Report,
    done: u64,
    total: u64,
}

impl Progress {
    pub(super) const fn new(report: Report) -> Self {
        Self { report, done: 0, total: 0 }
    }

    /// Expects this many more visits.
    pub(super) const fn expect(&mut self, users: u64) {
        self.total += users;
    }

    fn add(&mut self, users: usize) {
        self.done += users as u64;
        self.report.say(self.done, self.total);
    }
}

/// A walk over all users, chunk by chunk.
pub(super) struct Users {
    last: UserId,
}

impl Default for Users {
    fn default() -> Self {
        Self { last: UserId::MIN }
    }
}

impl Users {
    pub(super) async fn next(
        &mut self,
        snapshot: &mut Snapshot,
        progress: &mut Progress,
    ) -> sqlx::Result<Option<Vec<UserId>>> {
        let users = snapshot.owners_after(USERS_AFTER, self.last).await?;
        let Some(last) = users.last() else { return Ok(None) };
        self.last = *last;
        progress.add(users.len());
        Ok(Some(users))
    }
}

/// Edges that are read together.
enum Slice {
    /// All edges of these owners, who have few.
    Few(Vec<UserId>),
    /// Edges of an owner with many, after a position.
    Many(UserId, Position),
}

/// A walk over all edges as they are stored in both tables of each kind, slice by slice.
#[derive(Default)]
pub(super) struct Edges {
    users: Users,
    slices: VecDeque<(Table, Slice)>,
}

impl Edges {
    pub(super) async fn next(
        &mut self,
        snapshot: &mut Snapshot,
        progress: &mut Progress,
    ) -> sqlx::Result<Option<(Table, Vec<Edge>)>> {
        loop {
            match self.slices.pop_front() {
                Some((table, Slice::Few(owners))) => {
                    return Ok(Some((table, snapshot.edges(table, &owners).await?)));
                }
                Some((table, Slice::Many(owner, after))) => {
                    let edges = snapshot.edges_after(table, owner, after).await?;
                    let Some(last) = edges.last() else { continue };
                    let rest = Slice::Many(owner, Position::of(table, last));
                    self.slices.push_front((table, rest));
                    return Ok(Some((table, edges)));
                }
                None => {}
            }
            let Some(users) = self.users.next(snapshot, progress).await? else { return Ok(None) };
            let counts = snapshot.count_rows(&users).await?;
            for table in Table::all() {
                let slices = slices(table, &users, &counts).into_iter();
                self.slices.extend(slices.map(|slice| (table, slice)));
            }
        }
    }
}

/// Cuts the edges of users in a table into slices of a bounded size.
fn slices(table: Table, users: &[UserId], counts: &HashMap<UserId, Lengths>) -> Vec<Slice> {
    let mut slices = Vec::new();
    let (mut together, mut held) = (Vec::new(), 0);
    for user in users {
        let count = counts.get(user).map_or(0, |lengths| lengths[table.length()]);
        if count == 0 {
            continue;
        }
        if count > EDGES {
            slices.push(Slice::Many(*user, Position::START));
            continue;
        }
        if held + count > EDGES {
            slices.push(Slice::Few(std::mem::take(&mut together)));
            held = 0;
        }
        together.push(*user);
        held += count;
    }
    if !together.is_empty() {
        slices.push(Slice::Few(together));
    }
    slices
}
