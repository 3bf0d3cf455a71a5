//! The queue of follows and unfollows: changes requested at the same time are committed together.
//!
//! A commit waits for the disk, and only one transaction at a time can change the counts of a
//! celebrity; the changes of a batch share both. While one batch is written, the next one gathers.
//! It starts when only the commit of the last is left, or beside it after a short while. Nothing
//! waits for a batch to fill, so a single call is as fast as it would be without the queue.

use std::time::Duration;

use super::attempt::{self, FollowWriter, ImportStep};
use crate::{
    domain::{Changed, FollowChange, FollowChanged},
    store::{
        Result,
        batching::{BatchPermit, BatchPolicy, Batcher},
        retry,
    },
};

/// The most changes of a batch. Larger ones share little more, keep rows locked for longer, and
/// cost more per row, since a statement looks each row up in its arrays.
const CHANGES_MAX: usize = 128;
/// How long a batch keeps the next one from starting beside it: less than some dozens of changes
/// take. At full load two batches overlap and use what each leaves idle while it waits.
const PATIENCE: Duration = Duration::from_micros(300);

/// The queue in front of the writer of an engine. Clones share the queue.
#[derive(Clone, Debug)]
pub(crate) struct FollowQueue<W> {
    writer: W,
    batches: Batcher<FollowChange, Result<Changed<FollowChanged>>>,
}

impl<W: FollowWriter> FollowQueue<W> {
    pub(crate) fn new(writer: W) -> Self {
        let policy =
            BatchPolicy { calls_max: CHANGES_MAX, batches_max: W::BATCHES_MAX, patience: PATIENCE };
        let batch_writer = writer.clone();
        let batches = Batcher::new(policy, move |changes: Vec<FollowChange>, permit| {
            let writer = batch_writer.clone();
            async move { attempt::write(&writer, &changes, permit).await }
        });
        Self { writer, batches }
    }

    /// Makes one change, in a batch with others that are requested at the same time.
    pub(crate) async fn change(&self, change: FollowChange) -> Result<Changed<FollowChanged>> {
        self.batches.call(change).await?
    }

    /// Makes the changes of a part of an import, past the queue.
    pub(crate) async fn import(
        &self,
        changes: &[FollowChange],
        step: ImportStep,
    ) -> Result<Option<Vec<FollowChanged>>> {
        let (writer, changes) = (self.writer.clone(), changes.to_vec());
        retry::detached(async move { attempt::import(&writer, &changes, &step).await }).await
    }

    /// Makes these changes as one batch, past the queue.
    pub(crate) async fn change_together(
        &self,
        changes: &[FollowChange],
    ) -> Vec<Result<Changed<FollowChanged>>> {
        let (writer, changes) = (self.writer.clone(), changes.to_vec());
        let count = changes.len();
        let write =
            async move { Ok(attempt::write(&writer, &changes, BatchPermit::default()).await) };
        retry::detached(write).await.unwrap_or_else(|error| vec![Err(error); count])
    }
}
