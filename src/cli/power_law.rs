//! A large random graph shaped like a social network: a few users have many followers, most have
//! few.
//!
//! Both degrees follow a power law. The user at popularity rank r is drawn with weight r^-3/4, the
//! user at activity rank r follows with weight r^-1/2, and the two ranks are independent. Weights
//! use square roots and divisions only, which IEEE 754 defines to the last bit, so a seed gives the
//! same graph on every machine.

use anyhow::ensure;
use chrono::{DateTime, TimeDelta, Utc};
use indexmap::IndexSet;
use rand::{
    Rng, RngExt, SeedableRng,
    distr::{Distribution, weighted::WeightedIndex},
    seq::{SliceRandom, index::sample},
};
use rand_chacha::ChaCha8Rng;

use crate::{
    domain::{Follow, NewUser, UserIds, Username, to_micros},
    store::Graph,
};

/// Users join during the first span, and follow until the end of the second.
const BEGIN_S: i64 = 1_577_836_800;
const JOIN_SPAN_S: i64 = 4 * 365 * 86_400;
const WHOLE_SPAN_S: i64 = 6 * 365 * 86_400;

/// Generates exactly this many users and follows, reproducible from the seed. Users are called
/// `user000001` and so on, in the order in which they joined.
///
/// # Errors
/// If there are more follows than pairs.
pub(super) fn power_law(users: u32, follows: u64, seed: u64) -> anyhow::Result<Graph> {
    let most = u64::from(users) * u64::from(users.saturating_sub(1));
    ensure!(follows <= most, "{users} users can have at most {most} follows between them");

    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let people = people(users, &mut rng);
    let mut edges = Vec::with_capacity(usize::try_from(follows).unwrap_or_default());
    let users = people.len();
    if let Some(popularity) = popularity(users, &mut rng) {
        for (follower, wanted) in activity(users, follows, &mut rng).into_iter().enumerate() {
            for followee in choose(follower, wanted, users, &popularity, &mut rng) {
                edges.push(follow(&people[follower], &people[followee], &mut rng));
            }
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

/// How likely each user is to be followed.
fn popularity(users: usize, rng: &mut ChaCha8Rng) -> Option<WeightedIndex<f64>> {
    let weight = |rank: f64| 1.0 / (rank.sqrt() * rank.sqrt().sqrt());
    WeightedIndex::new(ranks(users, rng).into_iter().map(weight)).ok()
}

/// `wanted` distinct users other than `user`. Draws by popularity until each is new, or evenly if
/// more than half of all are wanted: popularity hardly matters then, and few draws would be new.
fn choose(
    user: usize,
    wanted: usize,
    users: usize,
    popularity: &WeightedIndex<f64>,
    rng: &mut ChaCha8Rng,
) -> IndexSet<usize> {
    let others = users - 1;
    if wanted > others / 2 {
        let drawn = sample(rng, others, wanted).into_iter();
        return drawn.map(|other| other + usize::from(other >= user)).collect();
    }
    let mut chosen = IndexSet::with_capacity(wanted);
    while chosen.len() < wanted {
        let drawn = popularity.sample(rng);
        if drawn != user {
            chosen.insert(drawn);
        }
    }
    chosen
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
