//! `entourage role`

use anyhow::{bail, ensure};
use clap::builder::PossibleValuesParser;

use super::{
    database::{self, Migrate},
    print, signing,
};
use crate::{
    config::{Database, Logging},
    domain::{AdminChange, AdminOutcome, Permission, Permissions, Role},
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Create a role, or change the permissions of one of your own
    ///
    /// The change holds for all users who have the role, from their next request on.
    Add {
        /// Name: 1 to 32 of a-z, 0-9, _ and -
        name: String,
        /// Permissions, comma-separated
        #[arg(
            long,
            value_name = "PERMISSION",
            value_delimiter = ',',
            value_parser = PossibleValuesParser::new(Permission::ALL.map(Permission::scope))
        )]
        permissions: Vec<String>,
        #[command(flatten)]
        common: Common,
    },
    /// List all roles with their permissions
    List(Common),
    /// Remove a role of your own that no user has
    Remove {
        /// Name
        name: String,
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
    let (Command::Add { common, .. } | Command::List(common) | Command::Remove { common, .. }) =
        &command;
    super::log(&common.logging, "error")?;
    let store = database::open(&common.database, Migrate::Sqlite).await?;
    let service = database::service(&store, signing::no_tokens()?);
    let operator = service.operator();
    let result = match command {
        Command::Add { name, permissions, .. } => {
            ensure!(Role::is_name(&name), "the name must be 1 to 32 of a-z, 0-9, _ and -");
            ensure_own(&name)?;
            let permissions = Permissions::from_words(permissions.iter().map(String::as_str));
            let role = Role { name, permissions };
            let done = format!("{} now has the permissions: {}\n", role.name, role.permissions);
            operator.change_roles(AdminChange::DefineRole(role)).await?;
            done
        }
        Command::List(_) => {
            let line = |role: Role| format!("{:16} {}", role.name, role.permissions);
            let lines = operator.roles().await?.into_iter().map(line);
            lines.map(|line| format!("{}\n", line.trim_end())).collect()
        }
        Command::Remove { name, .. } => {
            ensure_own(&name)?;
            let removal = AdminChange::RemoveRole(name.clone());
            match operator.change_roles(removal).await? {
                AdminOutcome::RoleInUse => {
                    bail!("users have this role: `entourage user list --role {name}` lists them")
                }
                AdminOutcome::NoSuchRole => bail!("no such role: {name:?}"),
                _ => format!("removed {name}\n"),
            }
        }
    };
    store.close().await;
    print(&result)
}

fn ensure_own(name: &str) -> anyhow::Result<()> {
    ensure!(!Role::BUILT_IN.contains(&name), "the role {name} is built in and cannot be changed");
    Ok(())
}
