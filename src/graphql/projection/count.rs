//! How often answers are projected, and how often the resolvers had to answer instead.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Counts the projections of one server. Clones are handles on the same numbers.
#[derive(Clone, Debug, Default)]
pub struct Projections(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    projected: AtomicU64,
    fallbacks: AtomicU64,
}

impl Projections {
    /// The number of objects, with everything below them, that were projected.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.projected.load(Ordering::Relaxed)
    }

    /// The number of objects that the resolvers had to answer, because something failed to load
    /// or because the projection does not know a field.
    #[must_use]
    pub fn fallbacks(&self) -> u64 {
        self.0.fallbacks.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, is_projected: bool) {
        let (number, name) = if is_projected {
            (&self.0.projected, "entourage_projections_total")
        } else {
            (&self.0.fallbacks, "entourage_projection_fallbacks_total")
        };
        number.fetch_add(1, Ordering::Relaxed);
        metrics::counter!(name).increment(1);
    }
}
