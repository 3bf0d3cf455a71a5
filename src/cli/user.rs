//! `entourage user`

use std::sync::Arc;

use anyhow::{anyhow, bail};
use chrono::SecondsFormat;

use super::{
    complain,
    database::{self, Migrate},
    password, print, say, signing,
};
use crate::{
    config::{Database, Logging, SignUpArg},
    domain::{BrokenRule, FormError, UsernameKey},
    service::{NewAccount, Operator, Service},
    store::{SetRoleOutcome, Store},
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Create a user, and print the id
    ///
    /// The password is typed on a terminal, or the first line of stdin.
    Add {
        /// Username: 1 to 64 of a-z, A-Z, 0-9, _, . and -
        username: String,
        /// Display name
        #[arg(long)]
        name: Option<String>,
        /// Create the user without a password: `signIn` is not possible
        #[arg(long)]
        no_password: bool,
        #[command(flatten)]
        sign_up: SignUpArg,
        #[command(flatten)]
        common: Common,
    },
    /// Print the id, role and way to sign in of a user
    ///
    /// Each is a line: `id`, `username`, `name`, `role`, `created`, `external-id` and
    /// `sign-in`.
    Show(Existing),
    /// Change a user's role
    Role {
        /// Username
        username: String,
        /// Role: user, restricted, moderator, admin or one of your own
        role: String,
        #[command(flatten)]
        common: Common,
    },
    /// Change a user's password, and revoke all their tokens
    ///
    /// The password is typed on a terminal, or the first line of stdin.
    Password {
        #[command(flatten)]
        user: Existing,
        #[command(flatten)]
        sign_up: SignUpArg,
    },
    /// Revoke all tokens of a user
    SignOut(Existing),
    /// Delete a user and all their follows, in both directions
    Delete(Existing),
}

#[derive(Debug, clap::Args)]
pub(super) struct Existing {
    /// Username
    username: String,
    #[command(flatten)]
    common: Common,
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
        Command::Add { username, name, no_password, sign_up, common } => {
            let password =
                if no_password { None } else { Some(password::read(", or pass --no-password")?) };
            let (store, service) = open(&common, Migrate::Sqlite).await?;
            let has_password = password.is_some();
            let user = NewAccount { username: username.clone(), name, password };
            let id = match service.operator().add_user(user).await? {
                Ok(id) => id,
                Err(errors) => return Err(refused(&username, &errors)),
            };
            store.close().await;
            print(&format!("{id}\n"))?;
            say(&format!("added {username}, id {id}"));
            if has_password {
                warn_if_closed(sign_up, &common.database);
            }
            Ok(())
        }
        Command::Show(user) => user.show().await,
        Command::Role { username, role, common } => {
            let (store, service) = open(&common, Migrate::Never).await?;
            match service.operator().set_role(&key(&username)?, &role).await? {
                SetRoleOutcome::Set => {}
                SetRoleOutcome::NoSuchUser => return Err(no_such_user(&username)),
                SetRoleOutcome::NoSuchRole => {
                    bail!("unknown role {role:?}; roles: user, restricted, moderator, admin")
                }
            }
            store.close().await;
            print(&format!("{username} now has the role {role}\n"))
        }
        Command::Password { user, sign_up } => {
            let password = password::read("")?;
            let name = &user.username;
            let done = format!("changed the password of {name} and signed them out everywhere\n");
            let change = async |operator: Operator<'_>, key: &_| {
                Ok(operator.set_password(key, &password).await??)
            };
            user.change(change, &done).await?;
            warn_if_closed(sign_up, &user.common.database);
            Ok(())
        }
        Command::SignOut(user) => {
            let done = format!("signed out {} everywhere\n", user.username);
            user.change(async |operator, key| Ok(operator.sign_out(key).await?), &done).await
        }
        Command::Delete(user) => {
            let done = format!("deleted {}\n", user.username);
            user.change(async |operator, key| Ok(operator.delete_user(key).await?), &done).await
        }
    }
}

/// Says that passwords are of no use if the settings close sign-up.
fn warn_if_closed(sign_up: SignUpArg, database: &Database) {
    if !sign_up.is_open(&database.url) {
        complain(
            "the password is stored, but cannot be used: sign-up is closed, so `signIn` does not \
             exist. ENTOURAGE_SIGN_UP=open opens it, for the server and for this command",
        );
    }
}

impl Existing {
    /// Prints what the operator may want to know about the user.
    async fn show(&self) -> anyhow::Result<()> {
        let (store, service) = open(&self.common, Migrate::Never).await?;
        let found = service.operator().account(&key(&self.username)?).await?;
        let (account, credentials) = found.ok_or_else(|| no_such_user(&self.username))?;
        store.close().await;

        let user = &account.user;
        let created = user.created_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let sign_in = match (&credentials.password_hash, &credentials.external_id) {
            (Some(_), None) => "password",
            (None, Some(_)) => "identity provider",
            (Some(_), Some(_)) => "password, identity provider",
            (None, None) => "only with tokens of `entourage token` or of your backend",
        };
        // The host chooses it, so control characters are escaped.
        let external_id = credentials.external_id.unwrap_or_default().escape_debug().to_string();
        let lines = [
            ("id", user.id.to_string()),
            ("username", user.username.to_string()),
            ("name", user.name.as_deref().unwrap_or_default().to_owned()),
            ("role", account.role.name),
            ("created", created),
            ("external-id", external_id),
            ("sign-in", sign_in.to_owned()),
        ];
        let line = |(key, value): (&str, String)| format!("{key}: {value}").trim_end().to_owned();
        print(&(lines.map(line).join("\n") + "\n"))
    }

    /// Makes a change that returns whether the user exists, and prints `done`.
    async fn change(
        &self,
        change: impl AsyncFnOnce(Operator<'_>, &UsernameKey) -> anyhow::Result<bool>,
        done: &str,
    ) -> anyhow::Result<()> {
        let (store, service) = open(&self.common, Migrate::Never).await?;
        if !change(service.operator(), &key(&self.username)?).await? {
            return Err(no_such_user(&self.username));
        }
        store.close().await;
        print(done)
    }
}

/// Everything that is wrong with a new user, on one line.
fn refused(username: &str, errors: &[FormError]) -> anyhow::Error {
    let reason = |error: &FormError| match error.rule {
        BrokenRule::Taken => format!("the username {username} is taken"),
        BrokenRule::TooShort | BrokenRule::TooLong | BrokenRule::Invalid | BrokenRule::Wrong => {
            error.to_string()
        }
    };
    anyhow!(errors.iter().map(reason).collect::<Vec<_>>().join("; "))
}

/// Parses a username on the command line.
pub(super) fn key(username: &str) -> anyhow::Result<UsernameKey> {
    UsernameKey::parse(username).ok_or_else(|| no_such_user(username))
}

pub(super) fn no_such_user(username: &str) -> anyhow::Error {
    anyhow!("no such user: {username:?}")
}

async fn open(common: &Common, migrate: Migrate) -> anyhow::Result<(Arc<dyn Store>, Arc<Service>)> {
    super::log(&common.logging, "error")?;
    let store = database::open(&common.database, migrate).await?;
    let service = database::service(&store, signing::no_tokens()?);
    Ok((store, service))
}
