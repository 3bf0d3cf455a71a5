//! Opens the database for the commands.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};

use crate::{
    config::Database,
    domain::{Limits, SystemClock},
    service::{Parts, Service, SystemRandom, Tokens},
    store::{self, SchemaState, Store},
};

/// Whether opening a database may migrate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Migrate {
    /// Never; a missing SQLite file is not created either.
    Never,
    /// Migrate SQLite, and create the file if it is missing.
    Sqlite,
    /// Migrate both engines.
    Always,
}

/// Opens a database that has, or now gets, the schema of this program.
pub(super) async fn open(database: &Database, migrate: Migrate) -> anyhow::Result<Arc<dyn Store>> {
    let store = connect(database, migrate != Migrate::Never).await?;
    let state = store.schema_state().await?;
    let may_migrate = match migrate {
        Migrate::Never => false,
        Migrate::Sqlite => database.url.sqlite_file().is_some(),
        Migrate::Always => true,
    };

    match (state, may_migrate) {
        (SchemaState::Current, _) => {}
        (SchemaState::Empty | SchemaState::Older { .. }, true) => store.migrate().await?,
        (state, _) => bail!("{}", complaint(state)),
    }
    Ok(store)
}

/// Opens the database, whatever its schema.
pub(super) async fn connect(database: &Database, create: bool) -> anyhow::Result<Arc<dyn Store>> {
    if let Some(file) = database.url.sqlite_file()
        && !create
        && !file.try_exists().with_context(|| format!("cannot access {}", file.display()))?
    {
        bail!("no such database: {}; `entourage migrate` creates it", file.display());
    }
    Ok(store::connect_by(database.url.expose(), database.direct(), database.options()).await?)
}

/// The service over a store, without rate limits.
pub(super) fn service(store: &Arc<dyn Store>, tokens: Tokens) -> Arc<Service> {
    Service::new(Parts {
        store: Arc::clone(store),
        tokens,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        sign_up: true,
        federation: false,
        rate_limits: false,
        events_kept: Duration::ZERO,
        webhook: None,
        limits: Limits::default(),
    })
}

/// A message that says what is wrong with a schema, and what to do.
pub(super) fn complaint(state: SchemaState) -> String {
    match state {
        SchemaState::Current => "the schema of the database is current".to_owned(),
        SchemaState::Empty => {
            "the database has no tables: run `entourage migrate`, or serve with --migrate"
                .to_owned()
        }
        SchemaState::Older { found, needed } => format!(
            "the database is at migration {found}, this program needs {needed}: run `entourage \
             migrate`, or serve with --migrate"
        ),
        SchemaState::Newer { found, needed } => format!(
            "the database is at migration {found}, the newest of this program is {needed}: run the \
             newer program that migrated it"
        ),
        SchemaState::Foreign => {
            "the database has tables of another program: point DATABASE_URL to an empty database"
                .to_owned()
        }
    }
}
