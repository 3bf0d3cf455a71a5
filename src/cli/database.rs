//! Opening the database, for every command that needs one.

use std::sync::Arc;

use anyhow::{Context, bail};

use crate::{
    config::Database,
    domain::{Limits, SystemClock},
    service::{Parts, Service, SystemRandom, Tokens, Visibility},
    store::{self, SchemaState, Store},
};

/// What may be done about a schema that is not this program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Migrate {
    /// Nothing, and a SQLite file that is not there is not made.
    Never,
    /// SQLite is brought up to date, and made when it is not there.
    Sqlite,
    /// Both engines are brought up to date.
    Always,
}

/// Opens the database with the schema of this program.
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

/// Opens the database, whatever its schema is.
pub(super) async fn connect(database: &Database, make: bool) -> anyhow::Result<Arc<dyn Store>> {
    if let Some(file) = database.url.sqlite_file()
        && !make
        && !file.try_exists().with_context(|| format!("cannot look for {}", file.display()))?
    {
        bail!("there is no database {}: `entourage migrate` makes one", file.display());
    }
    Ok(store::connect(database.url.expose(), database.options()).await?)
}

/// The use cases over a store, without the limits that are for strangers.
pub(super) fn service(store: &Arc<dyn Store>, tokens: Tokens) -> Arc<Service> {
    Service::new(Parts {
        store: Arc::clone(store),
        tokens,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        sign_up: true,
        visibility: Visibility::Public,
        rate_limits: false,
        limits: Limits::default(),
    })
}

/// What is wrong with a schema, and what to do.
pub(super) fn complaint(state: SchemaState) -> String {
    match state {
        SchemaState::Current => "the schema of the database is current".to_owned(),
        SchemaState::Empty => {
            "the database has no tables yet: run `entourage migrate`, or serve with --migrate"
                .to_owned()
        }
        SchemaState::Older { found, needed } => format!(
            "the schema of the database is at migration {found} and this program needs {needed}: \
             run `entourage migrate`, or serve with --migrate"
        ),
        SchemaState::Newer { found, needed } => format!(
            "the schema of the database is at migration {found} and this program knows none after \
             {needed}: run the newer program that migrated it"
        ),
        SchemaState::Foreign => {
            "the database has tables that are not Entourage's: give DATABASE_URL one of its own"
                .to_owned()
        }
    }
}
