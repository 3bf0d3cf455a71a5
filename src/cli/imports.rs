//! `entourage imports`

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::{
    database::{self, Migrate},
    print, say,
};
use crate::{
    config::{Database, Logging},
    domain::{Import, ImportProgress},
};

/// List the imports of files, the newest first
///
/// Each is a line: what was imported, lines of the file, rows that were loaded, there already and
/// rejected, when it was started and finished (`-` for one that was interrupted), and the file.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print a JSON object on a line for each import
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
    let imports = store.imports().await?;
    store.close().await;
    if imports.is_empty() {
        say("no file was imported");
        return Ok(());
    }
    let (head, line): (_, fn(&Import) -> String) =
        if args.json { ("", as_json) } else { (HEAD, as_row) };
    let lines: String = imports.iter().map(|import| line(import) + "\n").collect();
    print(&format!("{head}{lines}"))
}

const HEAD: &str = "KIND           LINES      LOADED     PRESENT    REJECTED  STARTED               \
                    FINISHED              FILE\n";

fn as_row(import: &Import) -> String {
    let ImportProgress { lines, loaded, present, rejected, .. } = import.progress;
    let (kind, started) = (import.kind.name(), text(import.started_at));
    let finished = import.finished_at.map_or_else(|| "-".to_owned(), text);
    // A name may contain anything.
    let file = import.file.escape_debug();
    format!(
        "{kind:9}  {lines:>9}   {loaded:>9}   {present:>9}   {rejected:>9}  {started}  \
         {finished:20}  {file}"
    )
}

fn as_json(import: &Import) -> String {
    let ImportProgress { lines, loaded, present, rejected, .. } = import.progress;
    json!({
        "file": import.file,
        "kind": import.kind.name(),
        "lines": lines,
        "loaded": loaded,
        "present": present,
        "rejected": rejected,
        "startedAt": text(import.started_at),
        "finishedAt": import.finished_at.map(text),
    })
    .to_string()
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
