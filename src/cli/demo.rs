//! The demo graph: who there is and who follows whom, written out below.
//!
//! Times are relative to now, so that the newest follow is always a few minutes old.

use std::{borrow::Cow, sync::Arc};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};

use super::{database, signing};
use crate::{
    domain::{
        Audience, Clock as _, Follow, NewUser, Role, SystemClock, UserId, UserIds, UserSearch,
        Username,
    },
    service::{Service, SignIn},
    store::{self, LoadOutcome, Store},
};

/// The password of every account here.
pub(super) const PASSWORD: &str = "entourage";

/// A username, and a remark about the account.
pub(super) type Account = (&'static str, &'static str);

/// The accounts that the banner prints.
const GUIDE: [Account; 5] = [
    ("ada", "followed by nearly everybody"),
    ("emily", "no followers"),
    ("diogenes", "restricted: may not follow"),
    ("hypatia", "moderator"),
    ("grace", "admin"),
];

/// Accounts with another role than the default one.
const ROLES: [(&str, &str); 3] =
    [("diogenes", "restricted"), ("hypatia", "moderator"), ("grace", "admin")];

/// Username, name, bio, and the usernames that the user follows.
type Person = (&'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const PEOPLE: [Person; 27] = [
    ("ada", "Ada Lovelace", "Wrote the first program, still waiting for the machine.",
        "grace charles emmy mary sappho"),
    ("alan", "Alan Turing", "Imitation is the sincerest form of computation.",
        "ada grace emmy leonhard isaac omar"),
    ("charles", "Charles Darwin", "Twenty years on one draft. Barnacles, mostly.",
        "ada maria mary jane ibn_battuta galileo"),
    ("cleopatra", "Cleopatra", "Following Rome closely.",
        "homer sappho hypatia ada omar"),
    ("diogenes", "Diogenes", "Banned from the agora. Lives in a jar.",
        "hypatia galileo isaac"),
    ("emily", "Emily Dickinson", "I'm Nobody! Who are you?",
        "sappho jane mary homer"),
    ("emmy", "Emmy Noether", "Every symmetry keeps something for you.",
        "ada leonhard isaac alan omar marie katherine"),
    ("florence", "Florence Nightingale", "Charts save lives.",
        "ada marie charles jane katherine maria"),
    ("galileo", "Galileo Galilei", "And yet it moves.",
        "ada isaac johannes leonhard zhang_heng maria"),
    ("grace", "Grace Hopper", "Found the bug. Taped it into the logbook.",
        "ada alan katherine emmy hypatia johannes florence"),
    ("hypatia", "Hypatia", "Keeps the library quiet, and the replies civil.",
        "ada grace homer omar leonhard galileo diogenes sappho"),
    ("homer", "Homer", "Sing, O feed.",
        "sappho murasaki ada cleopatra"),
    ("ibn_battuta", "Ibn Battuta", "Away. 117,000 km so far.",
        "ada omar zhang_heng murasaki charles maria homer cleopatra"),
    ("isaac", "Isaac Newton", "I make no hypotheses. Mind the apples.",
        "ada galileo leonhard johannes"),
    ("jane", "Jane Austen", "Universally acknowledged.",
        "ada mary sappho murasaki florence emmy"),
    ("johannes", "Johannes Gutenberg", "Printing your posts since 1450.",
        "ada homer galileo jane murasaki mary"),
    ("katherine", "Katherine Johnson", "Check the numbers. Then check them again.",
        "ada grace emmy florence galileo isaac marie"),
    ("leonhard", "Leonhard Euler", "Seven bridges, no way around.",
        "ada emmy isaac omar wolfgang alan zhang_heng"),
    ("maria", "Maria Sibylla Merian", "Caterpillars, and what becomes of them.",
        "ada charles marie jane galileo ibn_battuta florence"),
    ("marie", "Marie Curie", "Two prizes, one glow.",
        "ada emmy katherine florence maria isaac grace nikola"),
    ("mary", "Mary Shelley", "It's alive!",
        "ada jane charles nikola sappho homer marie"),
    ("murasaki", "Murasaki Shikibu", "54 chapters in. The prince is late again.",
        "ada jane sappho zhang_heng wolfgang mary"),
    ("nikola", "Nikola Tesla", "Alternating.",
        "ada marie mary alan isaac leonhard"),
    ("omar", "Omar Khayyam", "Cubic equations by day, quatrains by night.",
        "ada hypatia leonhard ibn_battuta sappho emmy galileo zhang_heng"),
    ("sappho", "Sappho", "Most of my posts are lost.",
        "ada homer murasaki omar"),
    ("wolfgang", "Wolfgang Mozart", "Too many notes? Which ones?",
        "ada leonhard jane mary johannes"),
    ("zhang_heng", "Zhang Heng", "Felt that earthquake before you did.",
        "ada galileo leonhard ibn_battuta isaac"),
];

/// What `--demo` found and did.
pub(super) struct Demo {
    pub(super) outcome: LoadOutcome,
    /// The accounts of the guide that can sign in: their owners or the operator may have changed
    /// or deleted some.
    pub(super) accounts: Vec<Account>,
}

/// Loads the graph into a database without users.
pub(super) async fn fill(store: &Arc<dyn Store>) -> anyhow::Result<Demo> {
    let service = database::service(store, signing::no_tokens()?);
    let outcome = load(store, &service, SystemClock.now()).await?;
    if outcome == LoadOutcome::Loaded {
        return Ok(Demo { outcome, accounts: GUIDE.to_vec() });
    }

    let mut accounts = Vec::new();
    for account in GUIDE {
        let (username, password) = (account.0.to_owned(), PASSWORD.to_owned());
        let attempt = SignIn { username, password, address: None };
        if service.seen_by(None).sign_in(attempt).await?.is_ok() {
            accounts.push(account);
        }
    }
    Ok(Demo { outcome, accounts })
}

async fn load(
    store: &Arc<dyn Store>,
    service: &Service,
    now: DateTime<Utc>,
) -> anyhow::Result<LoadOutcome> {
    if store.count_users(Audience::EVERYBODY, &UserSearch::default()).await? > 0 {
        return Ok(LoadOutcome::NotEmpty);
    }

    // Hashing is expensive by design, and all accounts share one password.
    let password_hash = service.operator().hash_password(PASSWORD).await?;
    let people = people(&password_hash, now)?;
    let follows = follows(&people, now)?;
    // `NotEmpty` if another process was faster.
    Ok(store.load(store::Graph { users: people, follows }, &|_| ()).await?)
}

/// The users; their accounts are more than two years old.
fn people(password_hash: &str, now: DateTime<Utc>) -> anyhow::Result<Vec<NewUser>> {
    let ids = UserIds::default();
    let person = |(n, (username, name, bio, _)): (i32, &Person)| {
        let joined = now - TimeDelta::days(1_100) + TimeDelta::hours(i64::from(n) * 301);
        let id = ids.next(joined, 0);
        let role = ROLES.iter().find(|(name, _)| name == username);
        Ok(NewUser {
            name: Some((*name).to_owned()),
            bio: Some((*bio).to_owned()),
            password_hash: Some(password_hash.to_owned()),
            role: Cow::Borrowed(role.map_or(Role::DEFAULT, |(_, role)| role)),
            ..NewUser::bare(id, Username::parse(username)?, joined)
        })
    };
    (0..).zip(&PEOPLE).map(person).collect()
}

/// The follows. The newest is some minutes old, and the gaps grow back to two years.
fn follows(people: &[NewUser], now: DateTime<Utc>) -> anyhow::Result<Vec<Follow>> {
    let mut pairs = Vec::new();
    for (username, _, _, followees) in &PEOPLE {
        for followee in followees.split(' ') {
            pairs.push((id_of(people, username)?, id_of(people, followee)?));
        }
    }

    // A step coprime to the number of pairs visits each pair once, far from the previous one.
    let count = pairs.len();
    let follow = |(age, step): (i64, usize)| {
        let (follower, followee) = pairs[step * STEP % count];
        let followed_at = now - TimeDelta::minutes(7 + 40 * age * age) - TimeDelta::seconds(age);
        Follow { follower, followee, followed_at }
    };
    Ok((0..).zip(0..count).map(follow).collect())
}

/// A prime that does not divide the number of pairs.
const STEP: usize = 61;

fn id_of(people: &[NewUser], username: &str) -> anyhow::Result<UserId> {
    let person = people.iter().find(|person| person.username.as_str() == username);
    person.map(|person| person.id).with_context(|| format!("{username} is not in the demo graph"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_graph_is_sound_and_recent() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("in range");
        let people = people("hash", now).expect("sound");
        let follows = follows(&people, now).expect("sound");

        let pairs: HashSet<_> = follows.iter().map(|f| (f.follower, f.followee)).collect();
        assert_eq!(pairs.len(), follows.len());
        assert!(pairs.iter().all(|(follower, followee)| follower != followee));
        assert_ne!(follows.len() % STEP, 0);

        let youngest = people.iter().map(|person| person.created_at).max();
        assert!(follows.iter().all(|f| Some(f.followed_at) > youngest && f.followed_at < now));

        let emily = id_of(&people, "emily").expect("is there");
        assert!(pairs.iter().all(|(_, followee)| *followee != emily));
        for (name, _) in GUIDE.iter().chain(&ROLES) {
            assert!(id_of(&people, name).is_ok(), "{name}");
        }
    }
}
