//! The outbox of this process: whether its changes write messages for the host's webhook, and the
//! hint that they have.

use std::sync::Arc;

use tokio::sync::Notify;

/// Clones share the hint.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    is_used: bool,
    written: Arc<Notify>,
}

impl Outbox {
    pub(super) fn new(is_used: bool) -> Self {
        Self { is_used, written: Arc::default() }
    }

    /// Whether messages are written.
    pub(super) const fn is_used(&self) -> bool {
        self.is_used
    }

    /// Reports that messages were committed.
    pub(super) fn hint(&self) {
        self.written.notify_one();
    }

    /// Waits for messages that were committed since the last call.
    pub(super) async fn written(&self) {
        self.written.notified().await;
    }
}
