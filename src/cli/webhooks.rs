//! `entourage webhooks`, and the webhook of `entourage serve`.

use std::{fs, sync::Arc};

use anyhow::{Context, bail};
use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::{
    database::{self, Migrate},
    print, say, signing,
};
use crate::{
    config::{self, Database, Logging},
    domain::{GlobalId, Webhook, WebhookUser},
    service::{Service, WebhookReceiver, WebhookSecrets},
    store::Store,
};

/// How many messages are read or resent at once.
const TOGETHER: u32 = 1_000;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the messages that failed too often
    ///
    /// A message is parked when its tenth attempt has failed.
    List {
        /// Print a JSON object on a line for each message
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Send parked messages again, with all their attempts
    ///
    /// Running servers send them. If one of the messages is not parked, none is sent.
    Resend {
        /// Ids of the messages
        #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<String>,
        /// Send all parked messages again
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Common {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    logging: Logging,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::List { json, common } => {
            let (store, service) = open(&common).await?;
            let printed = list(&service, if json { as_json } else { as_row }, json).await;
            store.close().await;
            printed
        }
        Command::Resend { ids, all, common } => {
            let (store, service) = open(&common).await?;
            let resent =
                if all { resend_all(&service).await } else { resend(&service, &ids).await };
            store.close().await;
            let resent = resent?;
            let messages = if resent == 1 { "message is" } else { "messages are" };
            print(&format!("{resent} {messages} sent again\n"))
        }
    }
}

/// The receiver that the settings name, checked; `None` without one.
pub(super) fn receiver(webhook: &config::Webhook) -> anyhow::Result<Option<WebhookReceiver>> {
    let config::Webhook { webhook_url, webhook_secret_file } = webhook;
    let (Some(url), Some(file)) = (webhook_url, webhook_secret_file) else { return Ok(None) };
    let origin = || format!("ENTOURAGE_WEBHOOK_SECRET_FILE {}", file.display());
    let text = fs::read_to_string(file).with_context(origin)?;
    let secrets = WebhookSecrets::parse(&text).with_context(origin)?;
    let receiver = WebhookReceiver::new(url.expose(), secrets);
    receiver.context("ENTOURAGE_WEBHOOK_URL").map(Some)
}

async fn list(
    service: &Service,
    line: fn(&Webhook) -> String,
    is_json: bool,
) -> anyhow::Result<()> {
    let mut after = String::new();
    loop {
        let messages = service.operator().parked_webhooks(&after, TOGETHER).await?;
        let is_first = after.is_empty();
        let Some(last) = messages.last() else {
            if is_first {
                say("no message is parked");
            }
            return Ok(());
        };
        after.clone_from(&last.id);
        let head = if is_first && !is_json { HEAD } else { "" };
        let lines: String = messages.iter().map(|message| line(message) + "\n").collect();
        print(&format!("{head}{lines}"))?;
    }
}

const HEAD: &str = "ID                          TYPE              HAPPENED              ATTEMPTS  \
                    FOLLOWER -> FOLLOWEE: LAST FAILURE\n";

fn as_row(message: &Webhook) -> String {
    let Webhook { id, kind, attempts, .. } = message;
    let at = message.at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let name = |user: &WebhookUser| match &user.names {
        Some(names) => names.username.clone(),
        None => "(deleted)".to_owned(),
    };
    let (follower, followee) = (name(&message.follower), name(&message.followee));
    let failure = message.failure.as_deref().unwrap_or("unknown").escape_debug();
    let kind = kind.name();
    format!("{id:26}  {kind:16}  {at}  {attempts:>8}  {follower} -> {followee}: {failure}")
}

fn as_json(message: &Webhook) -> String {
    let user = |user: &WebhookUser| -> Value {
        let names = user.names.as_ref();
        json!({
            "id": GlobalId::User(user.id).text(),
            "username": names.map(|names| &names.username),
            "externalId": names.and_then(|names| names.external_id.as_ref()),
        })
    };
    let Webhook { id, kind, at, attempts, failure, follower, followee } = message;
    json!({
        "id": id,
        "type": kind.name(),
        "timestamp": at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "attempts": attempts,
        "failure": failure,
        "follower": user(follower),
        "followee": user(followee),
    })
    .to_string()
}

async fn resend(service: &Service, ids: &[String]) -> anyhow::Result<usize> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let others = service.operator().resend_webhooks(&ids).await?;
    if !others.is_empty() {
        bail!("nothing is sent: no parked message {}", others.join(", "));
    }
    Ok(ids.len())
}

async fn resend_all(service: &Service) -> anyhow::Result<usize> {
    let mut resent = 0;
    loop {
        let messages = service.operator().parked_webhooks("", TOGETHER).await?;
        let ids: Vec<_> = messages.into_iter().map(|message| message.id).collect();
        if ids.is_empty() {
            return Ok(resent);
        }
        // If some are resent elsewhere at this moment, none of these is, and the next page lacks them.
        if service.operator().resend_webhooks(&ids).await?.is_empty() {
            resent += ids.len();
        }
    }
}

async fn open(common: &Common) -> anyhow::Result<(Arc<dyn Store>, Arc<Service>)> {
    super::log(&common.logging, "error")?;
    let store = database::open(&common.database, Migrate::Never).await?;
    let service = database::service(&store, signing::no_tokens()?);
    Ok((store, service))
}
