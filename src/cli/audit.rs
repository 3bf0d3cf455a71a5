//! `entourage audit`

use chrono::SecondsFormat;
use serde_json::json;

use super::{
    database::{self, Migrate},
    print, signing,
};
use crate::{
    config::{Database, Logging},
    domain::{AuditEntry, Ends, OrderDirection, PageRequest, Window},
};

/// How many entries are read at once.
const TOGETHER: u32 = 1_000;

/// List what administrators have changed, the newest first
///
/// Each is a line: time, who did it (`operator` on the command line), what was done, to whom, and
/// what was given.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The most entries; all without it
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Print a JSON object on a line for each entry
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    logging: Logging,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    super::log(&args.logging, "error")?;
    let store = database::open(&args.database, Migrate::Never).await?;
    let service = database::service(&store, signing::no_tokens()?);
    let (mut after, mut left) = (None, args.limit.unwrap_or(u32::MAX));
    loop {
        let request = PageRequest {
            direction: OrderDirection::Desc,
            window: Window::First(left.min(TOGETHER)),
            after,
            before: None,
            ends: Ends::BOTH,
        };
        let page = service.operator().page_of_audit_log(&request).await?;
        let line = |entry: &AuditEntry| line(entry, args.json);
        print(&page.items.iter().map(line).collect::<String>())?;
        after = page.items.last().map(|entry| entry.id);
        left = left.saturating_sub(page.items.len().try_into().unwrap_or(u32::MAX));
        if !page.has_next || left == 0 {
            break;
        }
    }
    store.close().await;
    Ok(())
}

fn line(entry: &AuditEntry, json: bool) -> String {
    let at = entry.at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let actor = entry.actor_name.as_deref();
    let (action, username) = (entry.action.name(), entry.username.as_deref());
    if json {
        let (user, detail) = (entry.user.map(|user| user.to_string()), &entry.detail);
        let fields = json!({
            "at": at, "actor": actor, "action": action, "username": username, "userId": user,
            "detail": detail,
        });
        return format!("{fields}\n");
    }
    let (actor, username) = (actor.unwrap_or("operator"), username.unwrap_or("-"));
    // The reason of a suspension is text of a moderator.
    let detail = entry.detail.as_deref().unwrap_or_default().escape_debug();
    format!("{at} {actor:16} {action:16} {username:16} {detail}").trim_end().to_owned() + "\n"
}
