//! A large random graph shaped like a social network: a few users have many followers, most have
//! few.
//!
//! Both degrees follow a power law. The user at popularity rank r is drawn with weight r^-3/4, the
//! user at activity rank r follows with weight r^-1/2, and the two ranks are independent. Weights
//! use square roots and divisions only, which IEEE 754 defines to the last bit, so a seed gives the
//! same graph on every machine.

use chrono::{DateTime, TimeDelta, Utc};
use rand::{Rng, RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::{
    domain::{Follow, NewUser, UserIds, Username, to_micros},
    store::Graph,
};

/// Users join during the first span, and follow until the end of the second.
const BEGIN_S: i64 = 1_577_836_800;
const JOIN_SPAN_S: i64 = 4 * 365 * 86_400;
const WHOLE_SPAN_S: i64 = 6 * 365 * 86_400;

/// More follows than pairs of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{users} users can have at most {most} follows between them")]
pub struct Impossible {
    /// The requested number of users.
    pub users: u32,
    /// The most follows between them.
    pub most: u64,
}

/// Generates exactly this many users and follows, reproducible from the seed. Users are called
/// `user000001` and so on, in the order in which they joined.
///
/// # Errors
/// If there are more follows than pairs.
pub fn power_law(users: u32, follows: u64, seed: u64) -> Result<Graph, Impossible> {
    let most = u64::from(users) * u64::from(users.saturating_sub(1));
    if follows > most {
        return Err(Impossible { users, most });
    }

    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let people = people(users, &mut rng);
    let followees = Popularity::new(users as usize, &mut rng);
    let wanted = activity(users as usize, follows, &mut rng);

    let mut edges = Vec::with_capacity(usize::try_from(follows).unwrap_or_default());
    let mut chosen = Chosen::new(users as usize);
    for (follower, wanted) in wanted.into_iter().enumerate() {
        for followee in chosen.choose(follower, wanted, &followees, &mut rng) {
            edges.push(follow(&people[follower], &people[*followee], &mut rng));
        }
    }
    Ok(Graph { users: people, follows: edges })
}

const FIRST_NAMES: [&str; 16] = [
    "Ana", "Bilal", "Chen", "Dara", "Emil", "Fatou", "Goro", "Hana", "Ivan", "Jun", "Kofi", "Lena",
    "Mira", "Nils", "Olga", "Pema",
];
const LAST_NAMES: [&str; 16] = [
    "Abara", "Berg", "Costa", "Diaz", "Endo", "Fox", "Garg", "Haas", "Ito", "Jansen", "Kaya",
    "Lund", "Mori", "Novak", "Okoye", "Park",
];

fn people(users: u32, rng: &mut ChaCha8Rng) -> Vec<NewUser> {
    let ids = UserIds::default();
    let join_span_us = JOIN_SPAN_S * 1_000_000;
    (0..users)
        .map(|index| {
            let joined_us = join_span_us / i64::from(users) * i64::from(index);
            let joined = moment(BEGIN_S) + TimeDelta::microseconds(joined_us);
            let first = FIRST_NAMES[rng.random_range(0..FIRST_NAMES.len())];
            let last = LAST_NAMES[rng.random_range(0..LAST_NAMES.len())];
            NewUser {
                name: Some(format!("{first} {last}")),
                ..NewUser::bare(ids.next(joined, rng.next_u32()), username(index), joined)
            }
        })
        .collect()
}

fn username(index: u32) -> Username {
    let name = format!("user{:06}", u64::from(index) + 1);
    Username::parse(&name).expect("letters and at most ten digits")
}

fn moment(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).expect("in this century")
}

/// A follow at a random time after both have joined.
fn follow(follower: &NewUser, followee: &NewUser, rng: &mut ChaCha8Rng) -> Follow {
    let earliest = follower.created_at.max(followee.created_at);
    let left = moment(BEGIN_S + WHOLE_SPAN_S) - earliest;
    let left_us = left.num_microseconds().expect("some years");
    let followed_at = to_micros(earliest + TimeDelta::microseconds(rng.random_range(0..left_us)));
    Follow { follower: follower.id, followee: followee.id, followed_at }
}

/// How many users each user follows: `follows` in total, at most everybody else for one user.
fn activity(users: usize, follows: u64, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let weights: Vec<f64> = ranks(users, rng).into_iter().map(|rank| 1.0 / rank.sqrt()).collect();
    let total: f64 = weights.iter().sum();
    let most = users.saturating_sub(1);

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is not negative, and the rounding loss is distributed below"
    )]
    let share = |weight: &f64| ((follows as f64 * (weight / total)) as usize).min(most);
    let mut numbers: Vec<usize> = weights.iter().map(share).collect();

    let given: usize = numbers.iter().sum();
    let mut left = usize::try_from(follows).unwrap_or(usize::MAX).saturating_sub(given);
    while left > 0 {
        for number in numbers.iter_mut().filter(|number| **number < most) {
            if left > 0 {
                *number += 1;
                left -= 1;
            }
        }
    }
    numbers
}

/// The ranks from 1, in random order.
fn ranks(users: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^32 users")]
    let mut ranks: Vec<f64> = (1..=users).map(|rank| rank as f64).collect();
    ranks.shuffle(rng);
    ranks
}

/// Draws users in proportion to their popularity, each in constant time (Vose's alias method).
struct Popularity {
    /// For each column: draw its own user up to this 32-bit threshold, else the other user.
    table: Vec<(u32, u32)>,
}

impl Popularity {
    fn new(users: usize, rng: &mut ChaCha8Rng) -> Self {
        let weight = |rank: f64| 1.0 / (rank.sqrt() * rank.sqrt().sqrt());
        let weights: Vec<f64> = ranks(users, rng).into_iter().map(weight).collect();
        let total: f64 = weights.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^32 users")]
        let mut share: Vec<f64> = weights.iter().map(|w| w * users as f64 / total).collect();

        let mut table = vec![(u32::MAX, 0); users];
        let (mut poor, mut rich): (Vec<usize>, Vec<usize>) =
            (0..users).partition(|user| share[*user] < 1.0);
        while let (Some(small), Some(large)) = (poor.pop(), rich.last().copied()) {
            table[small] = (threshold(share[small]), index(large));
            share[large] -= 1.0 - share[small];
            if share[large] < 1.0 {
                rich.pop();
                poor.push(large);
            }
        }
        Self { table }
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> usize {
        let column = rng.random_range(0..self.table.len());
        let (below, other) = self.table[column];
        if rng.next_u32() <= below { column } else { other as usize }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "there are fewer than 2^32 users")]
const fn index(user: usize) -> u32 {
    user as u32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1 of the largest number"
)]
fn threshold(share: f64) -> u32 {
    (share * f64::from(u32::MAX)) as u32
}

/// Chooses distinct followees for one user after another.
struct Chosen {
    /// For each user, the last user that chose them, plus one. Saves clearing a set for each.
    chosen_for: Vec<u32>,
    list: Vec<usize>,
}

impl Chosen {
    fn new(users: usize) -> Self {
        Self { chosen_for: vec![0; users], list: Vec::new() }
    }

    /// `wanted` distinct users other than `user`. Draws until one is new. If more than half of all
    /// are wanted, draws those to leave out instead, which takes fewer draws.
    fn choose(
        &mut self,
        user: usize,
        wanted: usize,
        popularity: &Popularity,
        rng: &mut ChaCha8Rng,
    ) -> &[usize] {
        let mark = index(user) + 1;
        let others = self.chosen_for.len() - 1;
        let unwanted = others - wanted;
        self.chosen_for[user] = mark;
        self.list.clear();

        if wanted <= others / 2 {
            while self.list.len() < wanted {
                let drawn = popularity.draw(rng);
                if std::mem::replace(&mut self.chosen_for[drawn], mark) != mark {
                    self.list.push(drawn);
                }
            }
        } else {
            let mut left_out = 0;
            while left_out < unwanted {
                let drawn = rng.random_range(0..self.chosen_for.len());
                let is_new = std::mem::replace(&mut self.chosen_for[drawn], mark) != mark;
                left_out += usize::from(is_new);
            }
            self.list.extend((0..=others).filter(|user| self.chosen_for[*user] != mark));
        }
        &self.list
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::domain::UserId;

    fn degrees(graph: &Graph, end: impl Fn(&Follow) -> UserId) -> Vec<usize> {
        let mut degrees = HashMap::new();
        for follow in &graph.follows {
            *degrees.entry(end(follow)).or_insert(0) += 1;
        }
        let mut degrees: Vec<usize> = degrees.into_values().collect();
        degrees.sort_unstable_by(|a, b| b.cmp(a));
        degrees
    }

    #[test]
    fn the_same_seed_gives_the_same_graph() {
        let [a, b, c] = [7, 7, 8].map(|seed| power_law(500, 5_000, seed).expect("possible"));
        assert_eq!((&a.users, &a.follows), (&b.users, &b.follows));
        assert_ne!(a.follows, c.follows);
    }

    #[test]
    fn follows_are_distinct_pairs_from_after_both_joined() {
        for (users, follows) in
            [(0, 0), (1, 0), (2, 2), (2, 1), (40, 40 * 39), (40, 1_200), (90, 9)]
        {
            let graph = power_law(users, follows, 1).expect("possible");
            let joined: HashMap<_, _> = graph.users.iter().map(|u| (u.id, u.created_at)).collect();
            let pairs: HashSet<_> =
                graph.follows.iter().map(|f| (f.follower, f.followee)).collect();

            assert_eq!(joined.len(), users as usize);
            assert_eq!(pairs.len() as u64, follows, "{users} users");
            assert!(pairs.iter().all(|(a, b)| a != b));
            let after = |f: &Follow| f.followed_at >= joined[&f.follower].max(joined[&f.followee]);
            assert!(graph.follows.iter().all(after));
        }
    }

    #[test]
    fn more_follows_than_pairs_are_impossible() {
        let refusal = power_law(3, 7, 1).err();
        assert_eq!(refusal, Some(Impossible { users: 3, most: 6 }));
        assert!(power_law(0, 1, 1).is_err());
    }

    #[test]
    fn few_users_have_many_followers_and_most_have_few() {
        let graph = power_law(10_000, 200_000, 1).expect("possible");
        for (degrees, top) in
            [(degrees(&graph, |f| f.followee), 2_000), (degrees(&graph, |f| f.follower), 800)]
        {
            let median = degrees[degrees.len() / 2];
            assert!(degrees[0] > top, "the most: {}", degrees[0]);
            assert!((5..20).contains(&median), "the median: {median}");
        }
    }
}
