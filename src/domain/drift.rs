//! Differences between what a database holds and what must hold in it: the counts and mirrors that
//! derive from edges, edges that exclude each other, and what users are searched by.
//!
//! Correct code never causes any. They come from restored backups, manual changes or a bug:
//! `entourage check` finds them and `--repair` repairs them.

use std::fmt;

use super::{Edge, EdgeKind, Length, Lengths, UserId};

/// One difference. The tables `follows`, `follow_requests`, `blocks`, `mutes` and `users` are the
/// truth; everything else but the events derives from them. Among these, a user must exist to have edges, a block
/// goes before a follow, and a follow before a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// The counts of a user are not the numbers of their edges and mutes.
    Counts {
        /// The owner of the counts.
        user: UserId,
        /// The stored counts; `None` if the row is missing.
        stored: Option<Lengths>,
        /// The numbers of edges and mutes.
        actual: Lengths,
    },
    /// A follow or a request of two users of whom one blocks the other.
    BesideBlock(Edge),
    /// A request of a user who follows already.
    BesideFollow(Edge),
    /// An edge is missing in the table of its mirror.
    MirrorMissing(Edge),
    /// A mirror has no edge.
    MirrorStray(Edge),
    /// An edge, in either table or both, names a user who does not exist.
    OrphanEdge(Edge),
    /// A mute names a user who does not exist.
    OrphanMute {
        /// Who has muted.
        muter: UserId,
        /// Who is muted.
        muted: UserId,
    },
    /// There are counts of a user who does not exist.
    OrphanCounts(UserId),
    /// The events of a user are not one run of numbers that ends at the number of the last event.
    Log {
        /// The owner of the log.
        user: UserId,
        /// The lowest and the highest number.
        ends: (i64, i64),
        /// The number of events.
        events: i64,
        /// The number of the last event, as stored with the counts.
        last: i64,
    },
    /// There are events of a user who does not exist.
    OrphanLog(UserId),
    /// A value of a user breaks a rule that reading relies on. Only the operator can correct it.
    BrokenRule {
        /// The user.
        user: UserId,
        /// The column.
        column: &'static str,
    },
    /// A row has a time outside of the years 1 to 9999, and cannot be read. Only the operator can
    /// correct it, and nothing else is compared before that.
    Unreadable {
        /// The table.
        table: &'static str,
        /// The first user of the row.
        one: UserId,
        /// The second user of the row; the same for a row of one.
        other: UserId,
    },
    /// What a user is searched by are not the beginnings of their name, or the user does not exist.
    Search(UserId),
}

impl Drift {
    /// Whether the program can repair it.
    #[must_use]
    pub const fn is_repairable(&self) -> bool {
        !matches!(self, Self::BrokenRule { .. } | Self::Unreadable { .. })
    }

    /// What it is of, for a summary.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Counts { .. } => "wrong or missing counts",
            Self::BesideBlock(_) => "edges beside a block",
            Self::BesideFollow(_) => "requests beside a follow",
            Self::MirrorMissing(_) => "missing mirrors",
            Self::MirrorStray(_) => "stray mirrors",
            Self::OrphanEdge(_) => "edges of users who do not exist",
            Self::OrphanMute { .. } => "mutes of users who do not exist",
            Self::OrphanCounts(_) => "counts of users who do not exist",
            Self::Log { .. } => "wrong logs",
            Self::OrphanLog(_) => "logs of users who do not exist",
            Self::BrokenRule { .. } => "values that break a rule",
            Self::Unreadable { .. } => "rows that cannot be read",
            Self::Search(_) => "users with wrong searches",
        }
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counts { user, stored: Some(stored), actual } => {
                let differ = |length: &Length| stored[*length] != actual[*length];
                let lengths: Vec<_> = Length::ALL.into_iter().filter(differ).collect();
                let numbers = lengths.iter().map(|length| actual[*length].to_string());
                let (counts, rows) = (named(stored, &lengths), list(&numbers.collect::<Vec<_>>()));
                write!(f, "user {user}: counts say {counts}, rows say {rows}")
            }
            Self::Counts { user, stored: None, actual } => {
                let any = |length: &Length| actual[*length] != 0;
                let lengths: Vec<_> = Length::ALL.into_iter().filter(any).collect();
                write!(f, "user {user}: no counts")?;
                if lengths.is_empty() {
                    return Ok(());
                }
                write!(f, ", rows say {}", named(actual, &lengths))
            }
            Self::BesideBlock(edge) => {
                write!(f, "{}: one of the users blocks the other", text(edge))
            }
            Self::BesideFollow(edge) => write!(f, "{}: the user follows already", text(edge)),
            Self::MirrorMissing(edge) => {
                let (edges, mirrors) = tables(edge.kind);
                write!(f, "{}: in {edges}, not in {mirrors}", text(edge))
            }
            Self::MirrorStray(edge) => {
                let (edges, mirrors) = tables(edge.kind);
                write!(f, "{}: in {mirrors}, not in {edges}", text(edge))
            }
            Self::OrphanEdge(edge) => {
                write!(f, "{}: one of the users does not exist", text(edge))
            }
            Self::OrphanMute { muter, muted } => {
                write!(f, "mute {muter} -> {muted}: one of the users does not exist")
            }
            Self::OrphanCounts(user) => {
                write!(f, "user {user}: counts of a user who does not exist")
            }
            Self::Log { user, ends: (first, highest), events, last } => write!(
                f,
                "user {user}: {events} events with the numbers {first} to {highest}, and the last \
                 one should be {last}"
            ),
            Self::OrphanLog(user) => {
                write!(f, "user {user}: events of a user who does not exist")
            }
            Self::BrokenRule { user, column } => {
                write!(f, "user {user}: {column} breaks the rules; correct it by SQL")
            }
            Self::Unreadable { table, one, other } => {
                write!(f, "{table} {one}")?;
                if one != other {
                    write!(f, " -> {other}")?;
                }
                write!(f, ": a time is outside of the years 1 to 9999; correct it by SQL")
            }
            Self::Search(user) => {
                write!(f, "user {user}: what searches compare differs from the name")
            }
        }
    }
}

fn text(Edge { kind, from, to, since }: &Edge) -> String {
    let kind = match kind {
        EdgeKind::Follow => "follow",
        EdgeKind::Request => "request",
        EdgeKind::Block => "block",
    };
    format!("{kind} {from} -> {to} at {since}")
}

/// The tables of the edges of a kind and of their mirrors.
const fn tables(kind: EdgeKind) -> (&'static str, &'static str) {
    match kind {
        EdgeKind::Follow => ("follows", "followers"),
        EdgeKind::Request => ("follow_requests", "follow_requests_received"),
        EdgeKind::Block => ("blocks", "blocked_by"),
    }
}

/// Some of the lengths with their names.
fn named(lengths: &Lengths, some: &[Length]) -> String {
    let named = |length: &Length| {
        let name = match length {
            Length::Followers => "followers",
            Length::Following => "following",
            Length::RequestsSent => "requests sent",
            Length::RequestsReceived => "requests received",
            Length::Blocking => "blocking",
            Length::BlockedBy => "blocked by",
            Length::Muting => "muting",
        };
        format!("{} {name}", lengths[*length])
    };
    list(&some.iter().map(named).collect::<Vec<_>>())
}

fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
