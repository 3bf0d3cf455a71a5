//! Pages of a list: the request and the result.
//!
//! A list has a total order. A *position* is a place in that order that need not hold an item, so a
//! page can start at an item that has been deleted. The rules are those of the GraphQL Cursor
//! Connections Specification (<https://relay.dev/graphql/connections.htm>), and stricter in one
//! point: `has_next` and `has_previous` are exact in both directions of paging.

/// The direction of a list's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderDirection {
    /// From the lowest or oldest up.
    Asc,
    /// From the highest or newest down.
    Desc,
}

impl OrderDirection {
    /// The opposite direction.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::Asc => Self::Desc,
            Self::Desc => Self::Asc,
        }
    }
}

/// The part of the list between the bounds that is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// The first n.
    First(u32),
    /// The last n.
    Last(u32),
}

impl Window {
    /// The page size: the most items on the page.
    #[must_use]
    pub const fn size(self) -> u32 {
        match self {
            Self::First(n) | Self::Last(n) => n,
        }
    }
}

/// The ends of a page at which to find out whether the list goes on. At the other ends the page
/// reports `false`, and the database does less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ends {
    /// After the page, in the order of the list.
    pub next: bool,
    /// Before the page.
    pub previous: bool,
}

impl Ends {
    /// Neither end.
    pub const NONE: Self = Self { next: false, previous: false };
    /// Both ends.
    pub const BOTH: Self = Self { next: true, previous: true };
}

/// A request for a page of a list with positions `P`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageRequest<P> {
    /// The order of the list, which is also the order of the page.
    pub direction: OrderDirection,
    /// The items between the bounds to return.
    pub window: Window,
    /// Only items after this position, in the order of the list.
    pub after: Option<P>,
    /// Only items before this position, in the order of the list.
    pub before: Option<P>,
    /// Where to find out whether the list goes on.
    pub ends: Ends,
}

impl<P> PageRequest<P> {
    /// A page without items, for what comes with a page.
    pub const NOTHING: Self = Self {
        direction: OrderDirection::Asc,
        window: Window::First(0),
        after: None,
        before: None,
        ends: Ends::NONE,
    };
}

impl<P: Copy> PageRequest<P> {
    /// The direction of the scan: against the list's order for `Last`.
    #[must_use]
    pub const fn scan(&self) -> OrderDirection {
        match self.window {
            Window::First(_) => self.direction,
            Window::Last(_) => self.direction.reversed(),
        }
    }

    /// How many items to fetch: the page size, and one more if the request asks whether the list
    /// goes on where the scan stops.
    #[must_use]
    pub const fn fetch(&self) -> u32 {
        let needs_probe = match self.window {
            Window::First(_) => self.ends.next,
            Window::Last(_) => self.ends.previous,
        };
        self.window.size() + needs_probe as u32
    }

    /// Whether to look for items at or beyond the bounds, by value: (lower, upper).
    #[must_use]
    pub const fn probes(&self) -> (bool, bool) {
        let at_after = self.ends.previous && self.after.is_some();
        let at_before = self.ends.next && self.before.is_some();
        match self.direction {
            OrderDirection::Asc => (at_after, at_before),
            OrderDirection::Desc => (at_before, at_after),
        }
    }

    /// The exclusive bounds by value: (lower, upper).
    #[must_use]
    pub const fn bounds(&self) -> (Option<P>, Option<P>) {
        match self.direction {
            OrderDirection::Asc => (self.after, self.before),
            OrderDirection::Desc => (self.before, self.after),
        }
    }
}

/// Whether items lie at or beyond the bounds of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// An item is at or below the lower bound (by value).
    pub below: bool,
    /// An item is at or above the upper bound (by value).
    pub above: bool,
}

/// A page, in the order of its list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether the list has items after the page.
    pub has_next: bool,
    /// Whether the list has items before the page.
    pub has_previous: bool,
}

impl<T> Page<T> {
    /// Builds the page for `request` from the result of a scan: at most [`PageRequest::fetch`] items
    /// between the bounds, in the order of [`PageRequest::scan`].
    #[must_use]
    pub fn from_scan<P: Copy>(
        request: &PageRequest<P>,
        mut found: Vec<T>,
        outside: Outside,
    ) -> Self {
        let size = request.window.size() as usize;
        let goes_on = found.len() > size;
        found.truncate(size);

        let (before_page, after_page) = match request.direction {
            OrderDirection::Asc => (outside.below, outside.above),
            OrderDirection::Desc => (outside.above, outside.below),
        };
        match request.window {
            Window::First(_) => {
                Self { items: found, has_next: goes_on || after_page, has_previous: before_page }
            }
            Window::Last(_) => {
                found.reverse();
                Self { items: found, has_next: after_page, has_previous: goes_on || before_page }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requested_ends_are_probed() {
        let both = PageRequest {
            direction: OrderDirection::Asc,
            window: Window::First(2),
            after: Some(1),
            before: Some(9),
            ends: Ends::BOTH,
        };
        let next = Ends { next: true, previous: false };
        let previous = Ends { next: false, previous: true };
        for (ends, fetch_first, fetch_last, probes) in [
            (Ends::NONE, 2, 2, (false, false)),
            (next, 3, 2, (false, true)),
            (previous, 2, 3, (true, false)),
            (Ends::BOTH, 3, 3, (true, true)),
        ] {
            let first = PageRequest { ends, ..both };
            let last = PageRequest { window: Window::Last(2), ..first };
            assert_eq!((first.fetch(), last.fetch()), (fetch_first, fetch_last), "{ends:?}");
            assert_eq!(first.probes(), probes, "{ends:?}");
            let descending = PageRequest { direction: OrderDirection::Desc, ..first };
            assert_eq!(descending.probes(), (probes.1, probes.0), "{ends:?}");
        }
    }
}
