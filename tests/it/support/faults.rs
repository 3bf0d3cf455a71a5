//! Which of many steps fails, as a test chooses it.

use std::sync::{Arc, Mutex};

/// The step that fails, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The n-th step, from 0 on, is not made.
    Before(usize),
    /// The n-th step is made, and nobody is told.
    After(usize),
    /// The next `COMMIT` is made, and nobody is told.
    AfterCommit,
}

/// What becomes of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Made,
    NotMade,
    NotTold,
}

impl Fault {
    fn meet(self, is_commit: bool) -> (Fate, Option<Self>) {
        match self {
            Self::Before(0) => (Fate::NotMade, None),
            Self::After(0) => (Fate::NotTold, None),
            Self::AfterCommit if is_commit => (Fate::NotTold, None),
            Self::Before(n) => (Fate::Made, Some(Self::Before(n - 1))),
            Self::After(n) => (Fate::Made, Some(Self::After(n - 1))),
            Self::AfterCommit => (Fate::Made, Some(self)),
        }
    }
}

/// The fault that is to come. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Arc<Mutex<Option<Fault>>>);

impl Faults {
    /// Steps count from now on.
    pub(crate) fn set(&self, fault: Fault) {
        *self.0.lock().expect("nobody panics with it") = Some(fault);
    }

    /// Nothing fails any more. Tells whether something did.
    pub(crate) fn mend(&self) -> bool {
        self.0.lock().expect("nobody panics with it").take().is_none()
    }

    /// Counts a step, and tells what becomes of it.
    pub(super) fn meet(&self, is_commit: bool) -> Fate {
        let mut fault = self.0.lock().expect("nobody panics with it");
        let (fate, next) = fault.map_or((Fate::Made, None), |fault| fault.meet(is_commit));
        *fault = next;
        fate
    }
}
