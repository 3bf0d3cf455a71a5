//! Exports: everything in files that an import reads back.
//!
//! The rows are in the order of their ids and as of one moment, so two exports of the same graph are
//! equal byte by byte.

use std::io::{self, Write};

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use super::table::Format;
use crate::{
    domain::{Follow, Standing, User},
    store::Export,
};

/// The columns of users: those that an import reads, but for the hash of the password.
const USERS: [&str; 8] =
    ["id", "external_id", "username", "name", "bio", "avatar_url", "created_at", "role"];
/// The columns of follows.
const FOLLOWS: [&str; 3] = ["follower", "followee", "followed_at"];

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
        Some(user.created_at.to_rfc3339_opts(SecondsFormat::Micros, true)),
        Some(role.to_owned()),
    ]
}

fn follow_row(follow: &Follow) -> [Option<String>; 3] {
    let time = follow.followed_at.to_rfc3339_opts(SecondsFormat::Micros, true);
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
                writer.write_record(header)?;
                Self::Csv(writer, 0)
            }
            Format::Jsonl => Self::Jsonl(io::BufWriter::new(out), header, 0),
        })
    }

    fn row<const N: usize>(&mut self, values: [Option<String>; N]) -> io::Result<()> {
        match self {
            Self::Csv(writer, rows) => {
                writer.write_record(values.map(Option::unwrap_or_default))?;
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
