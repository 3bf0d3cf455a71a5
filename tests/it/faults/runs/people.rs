//! The users of a run, and the check of the database afterwards.

use entourage::{
    domain::{Audience, UserId, UsernameKey},
    store::{self, Options},
};

use crate::support::process::{at, said};

/// Arguments of every server of a run: all requests come from one address, so rate limits are off.
pub(crate) const UNLIMITED: [&str; 3] = ["--migrate", "--rate-limits", "off"];

/// The users of a database, the first of them with tokens.
pub(crate) struct People {
    /// Their ids, in the order of the names.
    pub(crate) ids: Vec<UserId>,
    /// The tokens of the first users.
    pub(crate) tokens: Vec<String>,
}

impl People {
    /// Creates this many users, without follows.
    pub(crate) async fn make(url: &str, users: usize, signed_in: usize) -> Self {
        said(at(url, &["migrate"]));
        said(at(url, &["seed", "--users", &users.to_string(), "--follows", "0"]));
        let names: Vec<_> = (0..users).map(username).collect();
        let mut arguments = vec!["token", "--ttl", "1d"];
        arguments.extend(names[..signed_in].iter().map(String::as_str));
        let tokens = said(at(url, &arguments)).lines().map(str::to_owned).collect();

        let keys: Vec<_> = names.iter().filter_map(|name| UsernameKey::parse(name)).collect();
        let store = store::connect(url, Options::default()).await.expect("it was just there");
        let found = store.users_by_usernames(Audience::EVERYBODY, &keys).await.expect("it answers");
        store.close().await;
        Self { ids: keys.iter().map(|key| found[key].id).collect(), tokens }
    }
}

/// The name of a user, by their place, counted from 0.
pub(crate) fn username(place: usize) -> String {
    format!("user{:06}", place + 1)
}

/// Asserts that `entourage check` finds no differences.
#[track_caller]
pub(crate) fn assert_sound(url: &str) {
    let report = said(at(url, &["check"]));
    assert!(report.starts_with("OK: "), "{report}");
}
