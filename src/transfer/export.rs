//! Exports: everything in files that an import reads back, and the lists of single accounts.
//!
//! The rows are in the order of their ids, those of a list newest first, and as of one moment, so two
//! exports of the same graph are equal byte by byte.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{table::Format, values::time_text};
use crate::{
    domain::{Follow, FollowList, OwnItem, OwnList, Standing, User, UserId},
    store::{Export, ExportedList},
};

/// The columns of users: those that an import reads, but for the hash of the password.
const USERS: [&str; 8] =
    ["id", "external_id", "username", "name", "bio", "avatar_url", "created_at", "role"];
/// The columns of follows.
const FOLLOWS: [&str; 3] = ["follower", "followee", "followed_at"];

/// The columns of a list.
const LISTED: [&str; 4] = ["username", "id", "external_id", "since"];
/// The columns of mutes.
const MUTED: [&str; 5] = ["username", "id", "external_id", "since", "until"];
/// The most rows of a file that Mastodon imports.
pub const MASTODON_ROWS_MAX: u64 = 20_000;

/// A list of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountList {
    /// The users whom the account follows.
    Following,
    /// Those who follow the account.
    Followers,
    /// Those whom the account blocks.
    Blocks,
    /// Those whom the account has muted.
    Mutes,
}

impl AccountList {
    const fn exported(self) -> ExportedList {
        match self {
            Self::Following => ExportedList::Follows(FollowList::Following),
            Self::Followers => ExportedList::Follows(FollowList::Followers),
            Self::Blocks => ExportedList::Own(OwnList::Blocked),
            Self::Mutes => ExportedList::Own(OwnList::Muted),
        }
    }
}

/// The form of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListForm {
    /// A table with the username, both ids, and the time of each user; mutes also have their end.
    Table(Format),
    /// What Mastodon imports: `name@domain`, with its columns.
    Mastodon {
        /// The domain.
        domain: String,
        /// The time: mutes that have ended by then are left out, since they would begin again.
        now: DateTime<Utc>,
    },
}

/// Writes a list of an account, newest first, and returns the number of its rows.
///
/// # Errors
/// If the store fails, or the rows cannot be written.
pub async fn list(
    export: &mut dyn Export,
    owner: UserId,
    list: AccountList,
    form: &ListForm,
    out: impl Write,
) -> anyhow::Result<u64> {
    let (format, header): (_, &[_]) = match (form, list) {
        (ListForm::Table(format), AccountList::Mutes) => (*format, &MUTED),
        (ListForm::Table(format), _) => (*format, &LISTED),
        (ListForm::Mastodon { .. }, AccountList::Mutes) => {
            (Format::Csv, &["Account address", "Hide notifications"])
        }
        (ListForm::Mastodon { .. }, AccountList::Following | AccountList::Followers) => {
            (Format::Csv, &["Account address", "Show boosts", "Notify on new posts", "Languages"])
        }
        (ListForm::Mastodon { .. }, AccountList::Blocks) => (Format::Csv, &[]),
    };
    let (mut writer, mut after) = (Writer::new(format, header, out)?, None);
    loop {
        let entries = export.entries(owner, list.exported(), after).await?;
        let Some((last, _)) = entries.last() else { return Ok(writer.finish()?) };
        after = Some(last.position());
        for (item, user) in &entries {
            let Some(user) = user else { continue };
            if matches!(form, ListForm::Mastodon { now, .. } if item.until.is_some_and(|end| end <= *now))
            {
                continue;
            }
            writer.row(listed_row(item, user, list, form))?;
        }
    }
}

/// A row of a list, in the order of its columns.
fn listed_row(
    item: &OwnItem,
    user: &User,
    list: AccountList,
    form: &ListForm,
) -> Vec<Option<String>> {
    let text = |text: &str| Some(text.to_owned());
    match (form, list) {
        (ListForm::Table(_), _) => {
            let external_id = user.external_id.as_deref().map(str::to_owned);
            let (username, id) = (text(&user.username), Some(user.id.to_string()));
            let mut row = vec![username, id, external_id, Some(time_text(item.since))];
            if list == AccountList::Mutes {
                row.push(item.until.map(time_text));
            }
            row
        }
        (ListForm::Mastodon { domain, .. }, list) => {
            let mut row = vec![Some(format!("{}@{domain}", user.username))];
            match list {
                AccountList::Blocks => {}
                AccountList::Mutes => row.push(text("true")),
                AccountList::Following | AccountList::Followers => {
                    row.extend([text("true"), text("false"), None]);
                }
            }
            row
        }
    }
}

/// Writes all users but machines, and returns their number, and the number of those who are suspended,
/// which the file does not say.
///
/// # Errors
/// If the store fails, or the rows cannot be written.
pub async fn users(
    export: &mut dyn Export,
    format: Format,
    out: impl Write,
) -> anyhow::Result<(u64, u64)> {
    let (mut writer, mut suspended) = (Writer::new(format, &USERS, out)?, 0);
    loop {
        let users = export.users().await?;
        if users.is_empty() {
            return Ok((writer.finish()?, suspended));
        }
        for (user, role) in users.iter().filter(|(user, _)| user.standing != Standing::Service) {
            writer.row(user_row(user, role))?;
            suspended += u64::from(user.standing == Standing::Suspended);
        }
    }
}

/// Writes all follows, and returns their number.
///
/// # Errors
/// If the store fails, or the rows cannot be written.
pub async fn follows(
    export: &mut dyn Export,
    format: Format,
    out: impl Write,
) -> anyhow::Result<u64> {
    let mut writer = Writer::new(format, &FOLLOWS, out)?;
    loop {
        let follows = export.follows().await?;
        if follows.is_empty() {
            return Ok(writer.finish()?);
        }
        for follow in &follows {
            writer.row(follow_row(follow))?;
        }
    }
}

fn user_row(user: &User, role: &str) -> [Option<String>; 8] {
    let text = |text: Option<&str>| text.map(str::to_owned);
    [
        Some(user.id.to_string()),
        text(user.external_id.as_deref()),
        Some(user.username.to_string()),
        text(user.name.as_deref()),
        text(user.bio.as_deref()),
        text(user.avatar_url.as_deref()),
        Some(time_text(user.created_at)),
        Some(role.to_owned()),
    ]
}

fn follow_row(follow: &Follow) -> [Option<String>; 3] {
    let time = time_text(follow.followed_at);
    [Some(follow.follower.to_string()), Some(follow.followee.to_string()), Some(time)]
}

/// A table that is being written.
enum Writer<W: Write> {
    Csv(Box<csv::Writer<W>>, u64),
    Jsonl(io::BufWriter<W>, &'static [&'static str], u64),
}

impl<W: Write> Writer<W> {
    fn new(format: Format, header: &'static [&'static str], out: W) -> io::Result<Self> {
        Ok(match format {
            Format::Csv => {
                let mut writer = Box::new(csv::Writer::from_writer(out));
                if !header.is_empty() {
                    writer.write_record(header)?;
                }
                Self::Csv(writer, 0)
            }
            Format::Jsonl => Self::Jsonl(io::BufWriter::new(out), header, 0),
        })
    }

    fn row(&mut self, values: impl IntoIterator<Item = Option<String>>) -> io::Result<()> {
        match self {
            Self::Csv(writer, rows) => {
                writer.write_record(values.into_iter().map(Option::unwrap_or_default))?;
                *rows += 1;
            }
            Self::Jsonl(out, header, rows) => {
                let fields = header.iter().zip(values);
                let fields = fields.map(|(name, value)| ((*name).to_owned(), json!(value)));
                serde_json::to_writer(&mut *out, &Value::Object(fields.collect::<Map<_, _>>()))?;
                out.write_all(b"\n")?;
                *rows += 1;
            }
        }
        Ok(())
    }

    fn finish(self) -> io::Result<u64> {
        match self {
            Self::Csv(mut writer, rows) => writer.flush().map(|()| rows),
            Self::Jsonl(mut out, _, rows) => out.flush().map(|()| rows),
        }
    }
}
