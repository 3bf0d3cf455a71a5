//! Who may hold a socket, an event stream or a subscription open: places, counted for the whole
//! server, for each viewer and for each address.
//!
//! **Invariant:** a place is free again when what it was for is dropped, however that ends.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    domain::{Limits, UserId},
    service::network,
};

/// The places.
#[derive(Debug)]
pub struct Seats {
    in_all_max: usize,
    per_viewer_max: usize,
    per_address_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    sockets: usize,
    subscriptions: usize,
    by_viewer: HashMap<UserId, usize>,
    by_address: HashMap<IpAddr, usize>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// For the whole server.
    Server,
    /// For the viewer.
    Viewer,
    /// For the address.
    Address,
}

/// What a place is for.
#[derive(Clone, Copy, Debug)]
enum Place {
    Socket(Option<IpAddr>),
    Viewer(UserId),
    Subscription,
}

/// A place that is taken.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    place: Place,
}

impl Seats {
    /// As many as the limits allow.
    #[must_use]
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            in_all_max: limits.subscriptions_max,
            per_viewer_max: limits.sockets_per_viewer_max,
            per_address_max: limits.sockets_per_address_max,
            taken: Mutex::default(),
        })
    }

    /// A place for a socket or an event stream from an address.
    pub(super) fn for_socket(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Seat, Full> {
        let address = address.map(network);
        let mut taken = self.taken();
        if taken.sockets >= self.in_all_max {
            return Err(Full::Server);
        }
        if let Some(address) = address {
            take(&mut taken.by_address, address, self.per_address_max).ok_or(Full::Address)?;
        }
        taken.sockets += 1;
        metrics::gauge!("entourage_sockets_open").increment(1);
        Ok(self.seat(Place::Socket(address)))
    }

    /// A place for a socket or an event stream of a viewer.
    pub(super) fn for_viewer(self: &Arc<Self>, viewer: UserId) -> Result<Seat, Full> {
        let mut taken = self.taken();
        take(&mut taken.by_viewer, viewer, self.per_viewer_max).ok_or(Full::Viewer)?;
        Ok(self.seat(Place::Viewer(viewer)))
    }

    /// A place for a subscription.
    pub(super) fn for_subscription(self: &Arc<Self>) -> Result<Seat, Full> {
        let mut taken = self.taken();
        if taken.subscriptions >= self.in_all_max {
            return Err(Full::Server);
        }
        taken.subscriptions += 1;
        metrics::gauge!("entourage_subscriptions_open").increment(1);
        Ok(self.seat(Place::Subscription))
    }

    fn seat(self: &Arc<Self>, place: Place) -> Seat {
        Seat { seats: Arc::clone(self), place }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        match self.place {
            Place::Socket(address) => {
                taken.sockets -= 1;
                if let Some(address) = address {
                    free(&mut taken.by_address, &address);
                }
                metrics::gauge!("entourage_sockets_open").decrement(1);
            }
            Place::Viewer(viewer) => free(&mut taken.by_viewer, &viewer),
            Place::Subscription => {
                taken.subscriptions -= 1;
                metrics::gauge!("entourage_subscriptions_open").decrement(1);
            }
        }
    }
}

fn take<K: Eq + Hash>(taken: &mut HashMap<K, usize>, key: K, most: usize) -> Option<()> {
    let count = taken.entry(key).or_default();
    if *count >= most {
        return None;
    }
    *count += 1;
    Some(())
}

fn free<K: Eq + Hash>(taken: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = taken.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            taken.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_once_it_is_dropped() {
        let limits = Limits {
            subscriptions_max: 3,
            sockets_per_viewer_max: 1,
            sockets_per_address_max: 2,
            ..Limits::default()
        };
        let seats = Seats::new(&limits);
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().ok());

        let first = seats.for_socket(one).expect("a place");
        let _second = seats.for_socket(one).expect("a place");
        assert_eq!(seats.for_socket(one).expect_err("full"), Full::Address);
        let _third = seats.for_socket(other).expect("a place");
        assert_eq!(seats.for_socket(None).expect_err("full"), Full::Server);
        drop(first);
        assert!(seats.for_socket(one).is_ok());

        let viewer = seats.for_viewer(UserId(7)).expect("a place");
        assert_eq!(seats.for_viewer(UserId(7)).expect_err("full"), Full::Viewer);
        drop(viewer);
        assert!(seats.taken().by_viewer.is_empty());
    }
}
