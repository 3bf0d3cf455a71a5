//! Everything of one account in one JSON file, for its owner.
//!
//! The file is as of one moment and as its owner sees it: it does not say who blocks or mutes the owner.
//! It has no hash of a password. Its first keys say how long its lists are, and its last one is
//! `"complete": true`: a file without it was cut off.

use std::{fmt::Write as _, sync::Arc};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::values::time_text;
use crate::{
    domain::{
        Day, FollowEvent, FollowList, FollowPosition, FollowUsage, GlobalId, ListVisibility,
        OwnItem, OwnList, User, UserId,
    },
    store::{Export, ExportedAccount, ExportedList, Result},
};

/// The name of the format.
const FORMAT: &str = "entourage-account/1";

/// The lists, in the order of the file.
const LISTS: [(&str, ExportedList); 6] = [
    ("following", ExportedList::Follows(FollowList::Following)),
    ("followers", ExportedList::Follows(FollowList::Followers)),
    ("requestsSent", ExportedList::Own(OwnList::RequestsSent)),
    ("requestsReceived", ExportedList::Own(OwnList::RequestsReceived)),
    ("blocks", ExportedList::Own(OwnList::Blocked)),
    ("mutes", ExportedList::Own(OwnList::Muted)),
];

/// What comes next in the file.
#[derive(Clone, Copy, Debug)]
enum Next {
    Head,
    /// Entries of a list after a position.
    Entries(usize, Option<FollowPosition>),
    /// Events after a number.
    Events(i64),
    Tail,
    Nothing,
}

/// The file of an account, which is read from the database part by part: at most one part is in memory.
pub struct AccountFile {
    export: Box<dyn Export>,
    account: ExportedAccount,
    at: DateTime<Utc>,
    next: Next,
    /// Whether the array that is being written has a row.
    has_rows: bool,
}

impl AccountFile {
    /// Begins the file of an account; `None` if there is no such user.
    ///
    /// # Errors
    /// If the database is not available.
    pub async fn begin(
        mut export: Box<dyn Export>,
        user: UserId,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>> {
        let account = export.account(user, Day::of(now)).await?;
        Ok(account.map(|account| {
            let (next, has_rows) = (Next::Head, false);
            Self { export, account, at: now, next, has_rows }
        }))
    }

    /// The owner's username.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.account.user.username
    }

    /// The next part of the file; `None` at its end.
    ///
    /// # Errors
    /// If the database is not available. The file has no end then.
    pub async fn next_part(&mut self) -> Result<Option<String>> {
        let mut part = String::new();
        match self.next {
            Next::Head => {
                self.write_head(&mut part);
                self.next = Next::Entries(0, None);
            }
            Next::Entries(place, after) => {
                let (name, list) = LISTS[place];
                if after.is_none() {
                    self.open(&mut part, name);
                }
                let entries = self.export.entries(self.account.user.id, list, after).await?;
                let last = entries.last().map(|(item, _)| item.position());
                let has_until = list == ExportedList::Own(OwnList::Muted);
                let found = entries.iter().filter_map(|(item, user)| Some((item, user.as_ref()?)));
                let rows = found.map(|(item, user)| entry(item, user, has_until));
                write_rows(&mut part, rows, &mut self.has_rows);
                self.next = match last {
                    Some(last) => Next::Entries(place, Some(last)),
                    None if place + 1 < LISTS.len() => Next::Entries(place + 1, None),
                    None => Next::Events(0),
                };
                if last.is_none() {
                    part.push(']');
                }
            }
            Next::Events(after) => {
                if after == 0 {
                    self.open(&mut part, "events");
                }
                let events = self.export.events(self.account.user.id, after).await?;
                let rows = events.iter().map(|(item, user)| event(item, user.as_ref()));
                write_rows(&mut part, rows, &mut self.has_rows);
                self.next = match events.last() {
                    Some((last, _)) => Next::Events(last.sequence),
                    None => Next::Tail,
                };
                if events.is_empty() {
                    part.push(']');
                }
            }
            Next::Tail => {
                part.push_str(",\n\"complete\":true}\n");
                self.next = Next::Nothing;
            }
            Next::Nothing => return Ok(None),
        }
        Ok(Some(part))
    }

    /// Begins an array.
    fn open(&mut self, part: &mut String, name: &str) {
        let _ = write!(part, ",\n\"{name}\":[");
        self.has_rows = false;
    }

    fn write_head(&self, part: &mut String) {
        let ExportedAccount { user, role, privacy, usage, lengths, events } = &self.account;
        let FollowUsage { counts, requests, today } = usage;
        let visibility = |list| privacy.visibility(list).map(name_of);
        let keys = [
            ("format", json!(FORMAT)),
            ("exportedAt", json!(time_text(self.at))),
            (
                "counts",
                json!({
                    "following": counts.following,
                    "followers": counts.followers,
                    "requestsSent": lengths.requests_sent,
                    "requestsReceived": lengths.requests_received,
                    "blocks": lengths.blocked,
                    "mutes": lengths.muted,
                    "events": events,
                }),
            ),
            (
                "account",
                json!({
                    "id": GlobalId::User(user.id).text(),
                    "username": user.username,
                    "externalId": user.external_id,
                    "name": user.name,
                    "bio": user.bio,
                    "avatarUrl": user.avatar_url,
                    "role": role,
                    "standing": user.standing.name(),
                    "createdAt": time_text(user.created_at),
                }),
            ),
            (
                "privacy",
                json!({
                    "isPrivate": privacy.is_private(),
                    "acceptsFollowed": privacy.accepts_followed(),
                    "followers": visibility(FollowList::Followers),
                    "following": visibility(FollowList::Following),
                }),
            ),
            (
                "usage",
                json!({
                    "followsToday": today,
                    "following": counts.following,
                    "requestsSent": requests,
                }),
            ),
        ];
        for (place, (key, value)) in keys.iter().enumerate() {
            let before = if place == 0 { "{" } else { ",\n" };
            let _ = write!(part, "{before}\"{key}\":{value}");
        }
    }
}

impl std::fmt::Debug for AccountFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountFile").field("next", &self.next).finish_non_exhaustive()
    }
}

/// Writes rows of an array, each on a line of its own.
fn write_rows(part: &mut String, rows: impl Iterator<Item = Value>, has_rows: &mut bool) {
    for row in rows {
        let before = if *has_rows { ",\n" } else { "\n" };
        let _ = write!(part, "{before}{row}");
        *has_rows = true;
    }
}

fn entry(item: &OwnItem, user: &User, has_until: bool) -> Value {
    let mut entry = person(user);
    entry["since"] = json!(time_text(item.since));
    if has_until {
        entry["until"] = json!(item.until.map(time_text));
    }
    entry
}

fn event(event: &FollowEvent, user: Option<&Arc<User>>) -> Value {
    json!({
        "number": event.sequence,
        "kind": event.kind.name(),
        "cause": event.cause.name(),
        "at": time_text(event.at),
        "isRepeat": event.is_repeat,
        "user": user.map(|user| person(user)),
    })
}

fn person(user: &User) -> Value {
    json!({ "id": GlobalId::User(user.id).text(), "username": user.username })
}

const fn name_of(visibility: ListVisibility) -> &'static str {
    match visibility {
        ListVisibility::Everybody => "EVERYBODY",
        ListVisibility::Followers => "FOLLOWERS",
        ListVisibility::Nobody => "NOBODY",
    }
}
