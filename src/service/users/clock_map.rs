//! A bounded map that forgets what nobody has asked for lately.
//!
//! It is made for batches: a lock is taken once for all keys of one, and the values are looked at
//! before any of them is taken, so that the processor waits for the memory of many at a time. Who
//! has to go is decided by the clock algorithm (F. J. Corbató, *A Paging Experiment with the Multics
//! System*, 1968): a hand goes round the entries, passes over whoever was asked for since it came by
//! last, and takes the first that was not.

use std::{
    hash::Hash,
    hint::black_box,
    mem,
    sync::{
        PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use foldhash::fast::RandomState;
use indexmap::IndexMap;

/// A map of at most so many entries.
#[derive(Debug)]
pub(crate) struct ClockMap<K, V> {
    entries_max: usize,
    entries: RwLock<Entries<K, V>>,
}

#[derive(Debug)]
struct Entries<K, V> {
    /// In no order that means anything, without gaps.
    map: IndexMap<K, Entry<V>, RandomState>,
    /// Where the search for an entry to forget goes on.
    hand: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    /// Whether it was asked for since the hand came by.
    is_used: AtomicBool,
}

impl<K: Eq + Hash, V: Clone> ClockMap<K, V> {
    pub(crate) fn new(entries_max: usize) -> Self {
        let entries = Entries { map: IndexMap::default(), hand: 0 };
        Self { entries_max, entries: RwLock::new(entries) }
    }

    /// The values of these keys, in their order. `look_at` reads what will be asked of a value
    /// first: to take one, a counter is changed, and nothing is read ahead of that.
    pub(crate) fn get<'k, T>(
        &self,
        keys: impl Iterator<Item = &'k K>,
        look_at: impl Fn(&V) -> T,
    ) -> Vec<Option<V>>
    where
        K: 'k,
    {
        let entries = self.read();
        let found: Vec<_> = keys.map(|key| entries.map.get(key)).collect();
        for entry in found.iter().flatten() {
            black_box(look_at(&entry.value));
        }
        found.into_iter().map(|entry| entry.map(Entry::used)).collect()
    }

    /// Takes in the values of these keys, in place of those that they have. The pairs are made
    /// while the map is locked.
    pub(crate) fn insert_many(&self, pairs: impl Iterator<Item = (K, V)>) {
        let mut entries = self.write();
        for (key, value) in pairs {
            if let Some(entry) = entries.map.get_mut(&key) {
                entry.value = value;
                continue;
            }
            let entry = Entry { value, is_used: AtomicBool::new(false) };
            if entries.map.len() < self.entries_max.max(1) {
                entries.map.insert(key, entry);
            } else {
                entries.replace_one(key, entry);
            }
        }
    }

    pub(crate) fn remove(&self, key: &K) {
        self.write().map.swap_remove(key);
    }

    pub(crate) fn clear(&self) {
        let all = mem::take(&mut self.write().map);
        // There may be many, and nobody has to wait for them to be dropped.
        drop(all);
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries<K, V>> {
        // Whatever panics under the lock leaves a map behind of which each entry is right.
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries<K, V>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, V> Entries<K, V> {
    /// Puts an entry in the place of the next that was not asked for. Once round, none is left that
    /// was.
    fn replace_one(&mut self, key: K, entry: Entry<V>) {
        self.hand %= self.map.len();
        while mem::take(self.map[self.hand].is_used.get_mut()) {
            self.hand = (self.hand + 1) % self.map.len();
        }
        // The last entry takes the place that is free, and goes back when the new one takes it.
        self.map.swap_remove_index(self.hand);
        let (last, _) = self.map.insert_full(key, entry);
        self.map.swap_indices(self.hand, last);
        self.hand += 1;
    }
}

impl<V: Clone> Entry<V> {
    fn used(&self) -> V {
        // Only when it changes: most are used already, and the line is shared by all threads.
        if !self.is_used.load(Ordering::Relaxed) {
            self.is_used.store(true, Ordering::Relaxed);
        }
        self.value.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn map_of(numbers: impl IntoIterator<Item = u32>) -> ClockMap<u32, u32> {
        let map = ClockMap::new(4);
        map.insert_many(numbers.into_iter().map(|n| (n, n * 10)));
        map
    }

    fn get(map: &ClockMap<u32, u32>, keys: impl AsRef<[u32]>) -> Vec<Option<u32>> {
        map.get(keys.as_ref().iter(), |value| *value)
    }

    fn held(map: &ClockMap<u32, u32>) -> Vec<u32> {
        (0..100).filter(|n| map.read().map.contains_key(n)).collect()
    }

    #[test]
    fn the_values_of_many_keys_come_in_their_order() {
        let map = map_of([1, 2, 3]);
        assert_eq!(get(&map, [3, 9, 1]), [Some(30), None, Some(10)]);
    }

    #[test]
    fn it_holds_no_more_than_it_may_and_keeps_what_was_asked_for() {
        let map = map_of([1, 2, 3, 4]);
        get(&map, [1, 3]);

        map.insert_many([(5, 50), (6, 60)].into_iter());

        assert_eq!(held(&map), [1, 3, 5, 6]);
    }

    #[test]
    fn what_was_asked_for_once_is_forgotten_in_the_end() {
        let map = map_of([1, 2, 3, 4]);
        get(&map, [1, 2, 3, 4]);

        map.insert_many((5..9).map(|n| (n, n)));

        assert_eq!(held(&map).len(), 4);
        assert!(held(&map).iter().all(|n| *n > 4), "{:?}", held(&map));
    }

    #[test]
    fn a_key_has_the_value_that_it_got_last() {
        let map = map_of([1, 2, 3, 4]);
        map.insert_many([(1, 11)].into_iter());
        assert_eq!(get(&map, [1]), [Some(11)]);
        assert_eq!(held(&map), [1, 2, 3, 4]);
    }

    #[test]
    fn what_was_removed_or_cleared_is_not_there() {
        let map = map_of([1, 2, 3]);
        map.remove(&2);
        map.remove(&9);
        assert_eq!(held(&map), [1, 3]);
        map.clear();
        assert!(held(&map).is_empty());
        map.insert_many((1..9).map(|n| (n, n)));
        assert_eq!(held(&map).len(), 4);
    }

    #[test]
    fn whatever_happens_it_holds_the_latest_values_and_no_more_than_it_may() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        for entries_max in [1, 2, 5] {
            let map = ClockMap::new(entries_max);
            let mut latest = HashMap::new();
            for value in 0..2_000_u32 {
                let key = random.random_range(0..12_u32);
                match random.random_range(0..20) {
                    0 => map.clear(),
                    1..4 => map.remove(&key),
                    4..10 => drop(get(&map, [key])),
                    _ => {
                        map.insert_many([(key, value)].into_iter());
                        latest.insert(key, value);
                        assert_eq!(get(&map, [key]), [Some(value)]);
                    }
                }
                let held = held(&map);
                assert!(held.len() <= entries_max, "{held:?}");
                for key in held {
                    assert_eq!(map.read().map[&key].value, latest[&key]);
                }
            }
        }
    }
}
