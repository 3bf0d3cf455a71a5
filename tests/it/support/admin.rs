//! Changes by an administrator, without the API.

use std::sync::atomic::{AtomicI64, Ordering};

use entourage::{
    domain::{Actor, AdminChange, AdminOutcome, Administration, UserId},
    store::Store,
};

use super::graph::beginning;

static ENTRIES: AtomicI64 = AtomicI64::new(1);

/// The change, as the operator makes it.
pub(crate) fn step(change: AdminChange) -> Administration {
    let id = ENTRIES.fetch_add(1, Ordering::Relaxed);
    Administration { id, at: beginning(), actor: Actor::Operator, username: None, change }
}

/// Makes a change as the operator.
pub(crate) async fn administer(store: &dyn Store, change: AdminChange) -> AdminOutcome {
    store.administer(&step(change)).await.expect("the store works")
}

/// Gives a user another role.
pub(crate) async fn give_role(store: &dyn Store, user: UserId, role: &str) {
    let outcome = administer(store, AdminChange::SetRole(user, role.to_owned())).await;
    assert_eq!(outcome, AdminOutcome::Done);
}
