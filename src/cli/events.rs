//! `entourage events`

use std::time::Duration;

use anyhow::{anyhow, bail};
use chrono::SecondsFormat;
use serde_json::json;
use tokio::time::timeout;

use super::{
    database::{self, Migrate},
    print, user,
};
use crate::{
    config::{Database, Logging},
    domain::{Audience, EventLog, FollowEvent, PageRequest, UserId, readable_after},
    graphql::{GlobalId, decode_event, encode_event},
    store::{EventHint, EventHintStream, Store},
};

/// How often the log is read besides hints, which may be lost.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// Print what happened to the follows and follow requests of a user
///
/// Each event is a line of JSON, oldest first: `cursor`, `kind`, `cause`, `at`, `isRepeat`, and the
/// other `user`, which is null once the account is gone. To go on later, pass the last `cursor`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Username
    username: String,
    /// Only events after this one [default: all that are kept]
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Wait for further events, until the command is interrupted
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    logging: Logging,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    super::log(&args.logging, "error")?;
    let store = database::open(&args.database, Migrate::Never).await?;
    let owner = user::find(&*store, &args.username).await?.id;
    let after = match &args.after {
        Some(cursor) => Some(decode_event(owner, cursor).ok_or_else(|| {
            anyhow!("{cursor:?} is not a cursor of the events of {}", args.username)
        })?),
        None => None,
    };

    if args.follow {
        follow(&*store, owner, after).await?;
    } else {
        print_after(&*store, owner, after).await?;
    }
    store.close().await;
    Ok(())
}

/// Prints events as they come.
async fn follow(store: &dyn Store, owner: UserId, after: Option<i64>) -> anyhow::Result<()> {
    let (mut hints, _) = store.watch_events().await?;
    let mut after = Some(print_after(store, owner, after).await?);
    loop {
        // A connection that is lost is an error of the next read, or the read finds everything.
        let _ = timeout(POLL_EVERY, grown(&mut hints, owner)).await;
        after = Some(print_after(store, owner, after).await?);
    }
}

/// Waits until the log of a user may have grown; for ever once hints have ended, so that the log is
/// polled.
async fn grown(hints: &mut Box<dyn EventHintStream>, owner: UserId) {
    loop {
        match hints.next().await {
            Ok(EventHint::Grown(logs)) if !logs.contains(&owner) => {}
            Ok(EventHint::Grown(_) | EventHint::AnyGrown) => return,
            Err(_) => std::future::pending::<()>().await,
        }
    }
}

/// Prints all events after a number, or all that are kept, and returns the number of the last.
async fn print_after(
    store: &dyn Store,
    owner: UserId,
    mut after: Option<i64>,
) -> anyhow::Result<i64> {
    loop {
        let start = after.unwrap_or(0);
        let place = (owner, start);
        let log = store.events_after(&[place]).await?.remove(&place);
        let EventLog { last, events } = log.ok_or_else(|| anyhow!("the user was deleted"))?;
        let next = events.first().map_or(last + 1, |event| event.sequence);
        if next != start + 1 {
            let kept_after = readable_after(kept_after(store, owner).await?, start, last);
            if after.is_some() {
                let cursor = encode_event(owner, kept_after);
                bail!(
                    "the log no longer has the events after this cursor: to print those that are \
                     kept, pass --after {cursor}"
                );
            }
            after = Some(kept_after);
            continue;
        }
        let Some(newest) = events.last() else { return Ok(start) };
        after = Some(newest.sequence);
        print(&lines(store, owner, &events).await?)?;
    }
}

/// The number after which events are kept.
async fn kept_after(store: &dyn Store, owner: UserId) -> anyhow::Result<i64> {
    Ok(store.page_of_events(owner, &PageRequest::NOTHING).await?.kept_after())
}

/// Events as lines of JSON.
async fn lines(store: &dyn Store, owner: UserId, events: &[FollowEvent]) -> anyhow::Result<String> {
    let ids: Vec<_> = events.iter().map(|event| event.other).collect();
    let users = store.users_by_ids(Audience::EVERYBODY, &ids).await?;
    let line = |event: &FollowEvent| {
        let user = users
            .get(&event.other)
            .map(|user| json!({ "id": GlobalId::User(user.id).text(), "username": user.username }));
        let line = json!({
            "cursor": encode_event(owner, event.sequence),
            "kind": event.kind.name(),
            "cause": event.cause.name(),
            "at": event.at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            "isRepeat": event.is_repeat,
            "user": user,
        });
        format!("{line}\n")
    };
    Ok(events.iter().map(line).collect())
}
