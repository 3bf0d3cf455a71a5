//! The users of a run, and what the database has to know about them afterwards.

use entourage::{
    domain::{Audience, UserId, UsernameKey},
    store::{self, Options},
};

use crate::support::process::{at, said};

/// How a server of a run is started, whatever else it is told: one address asks for everything.
pub(crate) const UNLIMITED: [&str; 3] = ["--migrate", "--rate-limits", "off"];

/// Users of a database that was empty, the first of them with a token.
pub(crate) struct People {
    /// The identifiers, in the order of the names.
    pub(crate) ids: Vec<UserId>,
    /// A token for each of the first.
    pub(crate) tokens: Vec<String>,
}

impl People {
    /// Makes so many users, who follow nobody.
    pub(crate) async fn make(url: &str, users: usize, signed_in: usize) -> Self {
        said(at(url, &["migrate"]));
        said(at(url, &["seed", "--users", &users.to_string(), "--follows", "0"]));
        let names: Vec<_> = (0..users).map(username).collect();
        let mut arguments = vec!["token", "--ttl", "1d"];
        arguments.extend(names[..signed_in].iter().map(String::as_str));
        let tokens = said(at(url, &arguments)).lines().map(str::to_owned).collect();

        let keys: Vec<_> = names.iter().filter_map(|name| UsernameKey::parse(name)).collect();
        let store = store::connect(url, Options::default()).await.expect("it was just there");
        let found = store.users_by_usernames(Audience::Everybody, &keys).await.expect("it answers");
        store.close().await;
        Self { ids: keys.iter().map(|key| found[key].id).collect(), tokens }
    }
}

/// The name of a user, by their place from 0 on.
pub(crate) fn username(place: usize) -> String {
    format!("user{:06}", place + 1)
}

/// Fails unless the database holds exactly the edges that it counts.
#[track_caller]
pub(crate) fn assert_sound(url: &str) {
    let report = said(at(url, &["check"]));
    assert!(report.starts_with("OK: "), "{report}");
}
