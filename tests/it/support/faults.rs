//! The steps that fail, as a test chooses them.

use std::sync::{Arc, Mutex};

/// A step that fails once, or steps that fail until the fault is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The n-th step, counted from 0, is not executed.
    Before(usize),
    /// The n-th step is executed, but not answered.
    After(usize),
    /// The next `COMMIT` is executed, but not answered.
    AfterCommit,
    /// The n-th step, counted from 0, and all after it do not end.
    StuckFrom(usize),
    /// No step is executed.
    Down,
}

/// What happens to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Succeeds,
    IsLost,
    IsUnanswered,
    IsStuck,
}

impl Fault {
    /// The fate of the next step, and the fault that is left after it.
    fn meet(self, is_commit: bool) -> (Fate, Option<Self>) {
        match self {
            Self::Before(0) => (Fate::IsLost, None),
            Self::After(0) => (Fate::IsUnanswered, None),
            Self::AfterCommit if is_commit => (Fate::IsUnanswered, None),
            Self::StuckFrom(0) => (Fate::IsStuck, Some(self)),
            Self::Down => (Fate::IsLost, Some(self)),
            Self::StuckFrom(n) => (Fate::Succeeds, Some(Self::StuckFrom(n - 1))),
            Self::Before(n) => (Fate::Succeeds, Some(Self::Before(n - 1))),
            Self::After(n) => (Fate::Succeeds, Some(Self::After(n - 1))),
            Self::AfterCommit => (Fate::Succeeds, Some(self)),
        }
    }
}

/// The fault to come. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Arc<Mutex<Option<Fault>>>);

impl Faults {
    /// Sets the fault; steps are counted from now on.
    pub(crate) fn set(&self, fault: Fault) {
        *self.0.lock().expect("no holder panics") = Some(fault);
    }

    /// Clears the fault; returns whether it has happened.
    pub(crate) fn clear(&self) -> bool {
        self.0.lock().expect("no holder panics").take().is_none()
    }

    /// Counts a step and returns its fate.
    pub(super) fn meet(&self, is_commit: bool) -> Fate {
        let mut fault = self.0.lock().expect("no holder panics");
        let (fate, left) = fault.map_or((Fate::Succeeds, None), |fault| fault.meet(is_commit));
        *fault = left;
        fate
    }
}
