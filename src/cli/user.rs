//! `entourage user`

use std::{slice, sync::Arc};

use anyhow::{anyhow, bail};
use chrono::SecondsFormat;
use serde_json::json;

use super::{
    complain,
    database::{self, Migrate},
    password, print, say, signing,
};
use crate::{
    config::{Database, Logging, SignUpArg},
    domain::{
        AdminChange, AdminOutcome, Audience, BrokenRule, FormError, Role, Standing, User, UserId,
        UsernameKey,
    },
    service::{NewAccount, Service},
    store::Store,
    transfer::AccountFile,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Create a user, and print the id
    ///
    /// The password is typed on a terminal, or the first line of stdin.
    Add(Added),
    /// List users, by id
    ///
    /// Each is a line: username, role, standing (active, suspended or service), creation time
    /// and id.
    List {
        /// Only users with this role
        #[arg(long)]
        role: Option<String>,
        /// Only users who are suspended
        #[arg(long, conflicts_with = "service")]
        suspended: bool,
        /// Only accounts of machines
        #[arg(long)]
        service: bool,
        /// Print a JSON object on a line for each user
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Print the id, role and way to sign in of a user
    ///
    /// Each is a line: `id`, `username`, `name`, `role`, `standing`, `created`, `external-id`
    /// and `sign-in`.
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
    /// Suspend a user: they cannot sign in, and leave the lists of all users
    ///
    /// Their follows stay.
    Suspend {
        /// Why, for `entourage audit`
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        user: Existing,
    },
    /// Lift the suspension of a user
    Reinstate(Existing),
    /// Change a user's password, and revoke all their tokens
    ///
    /// The password is typed on a terminal, or the first line of stdin.
    Password {
        #[command(flatten)]
        user: Existing,
        #[command(flatten)]
        sign_up: SignUpArg,
    },
    /// Print a user's account, settings, lists and events, as JSON
    ///
    /// It is the file that the user gets from `GET /account/export`, as of one moment. The last key is
    /// `complete`.
    Export(Existing),
    /// Revoke all tokens of a user
    SignOut(Existing),
    /// Delete a user and all their follows, in both directions
    Delete(Existing),
}

#[derive(Debug, clap::Args)]
pub(super) struct Added {
    /// Username: 1 to 64 of a-z, A-Z, 0-9, _, . and -
    username: String,
    /// Display name
    #[arg(long)]
    name: Option<String>,
    /// Create the user without a password: `signIn` is not possible
    #[arg(long)]
    no_password: bool,
    /// Role, as `entourage role list` names it
    #[arg(long, default_value = Role::DEFAULT)]
    role: String,
    /// Create the account of a machine
    ///
    /// It is in no list, has no password and follows no user. `entourage token` prints its tokens.
    #[arg(long, conflicts_with = "no_password")]
    service: bool,
    #[command(flatten)]
    sign_up: SignUpArg,
    #[command(flatten)]
    common: Common,
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
        Command::Add(user) => user.add().await,
        Command::List { role, suspended, service, json, common } => {
            let (store, _) = open(&common, Migrate::Never).await?;
            let standing = match (suspended, service) {
                (true, _) => Some(Standing::Suspended),
                (_, true) => Some(Standing::Service),
                (false, false) => None,
            };
            list(&*store, role.as_deref(), standing, json).await?;
            store.close().await;
            Ok(())
        }
        Command::Show(user) => user.show().await,
        Command::Export(user) => user.export().await,
        Command::Role { username, role, common } => {
            let done = format!("{username} now has the role {role}\n");
            let user = Existing { username, common };
            user.change(|id| AdminChange::SetRole(id, role), &done).await
        }
        Command::Suspend { reason, user } => {
            let done = format!("suspended {}\n", user.username);
            user.change(|id| AdminChange::Suspend(id, reason), &done).await
        }
        Command::Reinstate(user) => {
            let done = format!("reinstated {}\n", user.username);
            user.change(AdminChange::Reinstate, &done).await
        }
        Command::Password { user, sign_up } => {
            let password = password::read("")?;
            let (store, service) = open(&user.common, Migrate::Never).await?;
            let name = &user.username;
            if !service.operator().set_password(&key(name)?, &password).await?? {
                return Err(no_such_user(name));
            }
            store.close().await;
            print(&format!("changed the password of {name} and signed them out everywhere\n"))?;
            warn_if_closed(sign_up, &user.common.database);
            Ok(())
        }
        Command::SignOut(user) => {
            let done = format!("signed out {} everywhere\n", user.username);
            user.change(AdminChange::SignOut, &done).await
        }
        Command::Delete(user) => {
            let done = format!("deleted {}\n", user.username);
            user.change(AdminChange::Delete, &done).await
        }
    }
}

/// Prints all users, as of one moment.
async fn list(
    store: &dyn Store,
    role: Option<&str>,
    standing: Option<Standing>,
    json: bool,
) -> anyhow::Result<()> {
    let mut exported = store.export().await?;
    loop {
        let users = exported.users().await?;
        if users.is_empty() {
            return Ok(());
        }
        let is_listed = |(user, role_of_user): &&(Arc<User>, String)| {
            role.is_none_or(|role| role == role_of_user)
                && standing.is_none_or(|standing| standing == user.standing)
        };
        let line = |(user, role): &(Arc<User>, String)| {
            let (id, standing) = (user.id.to_string(), user.standing.name());
            let created = user.created_at.to_rfc3339_opts(SecondsFormat::Secs, true);
            if json {
                let fields = json!({
                    "username": user.username, "role": role, "standing": standing,
                    "createdAt": created, "id": id,
                });
                format!("{fields}\n")
            } else {
                format!("{:24} {role:12} {standing:9} {created} {id}\n", user.username)
            }
        };
        print(&users.iter().filter(is_listed).map(line).collect::<String>())?;
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

impl Added {
    /// Creates the user, and prints the id.
    async fn add(self) -> anyhow::Result<()> {
        let Self { username, name, no_password, role, service: is_service, sign_up, common } = self;
        let password = if no_password || is_service {
            None
        } else {
            Some(password::read(", or pass --no-password")?)
        };
        let (store, service) = open(&common, Migrate::Sqlite).await?;
        let has_password = password.is_some();
        let user = NewAccount { username: username.clone(), name, password };
        let standing = if is_service { Standing::Service } else { Standing::Active };
        let id = match service.operator().add_user(user, standing, Some(role)).await? {
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
        let sign_in = if user.standing == Standing::Suspended { "suspended" } else { sign_in };
        // The host chooses it, so control characters are escaped.
        let external_id = credentials.external_id.unwrap_or_default().escape_debug().to_string();
        let lines = [
            ("id", user.id.to_string()),
            ("username", user.username.to_string()),
            ("name", user.name.as_deref().unwrap_or_default().to_owned()),
            ("role", account.role.name),
            ("standing", user.standing.name().to_owned()),
            ("created", created),
            ("external-id", external_id),
            ("sign-in", sign_in.to_owned()),
        ];
        let line = |(key, value): (&str, String)| format!("{key}: {value}").trim_end().to_owned();
        print(&(lines.map(line).join("\n") + "\n"))
    }

    /// Prints the account of the user with its lists and events.
    async fn export(&self) -> anyhow::Result<()> {
        let (store, service) = open(&self.common, Migrate::Never).await?;
        let found = service.operator().account(&key(&self.username)?).await?;
        let (account, _) = found.ok_or_else(|| no_such_user(&self.username))?;
        let (export, id) = (store.export().await?, account.user.id);
        let file = AccountFile::begin(export, id, service.now()).await?;
        let mut file = file.ok_or_else(|| no_such_user(&self.username))?;
        while let Some(part) = file.next_part().await? {
            print(&part)?;
        }
        drop(file);
        store.close().await;
        Ok(())
    }

    /// Makes a change, and prints `done`, also if there was nothing to change.
    async fn change(
        &self,
        change: impl FnOnce(UserId) -> AdminChange,
        done: &str,
    ) -> anyhow::Result<()> {
        let (store, service) = open(&self.common, Migrate::Never).await?;
        match service.operator().change(&key(&self.username)?, change).await? {
            AdminOutcome::Done | AdminOutcome::Unchanged => {}
            AdminOutcome::NoSuchRole => {
                let roles: Vec<_> =
                    service.operator().roles().await?.into_iter().map(|role| role.name).collect();
                bail!("unknown role; roles: {}", roles.join(", "))
            }
            AdminOutcome::IsMachine => bail!(
                "{} is a machine, which cannot be suspended: give it another role, or delete it",
                self.username
            ),
            _ => return Err(no_such_user(&self.username)),
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

/// The user with this username.
pub(super) async fn find(store: &dyn Store, username: &str) -> anyhow::Result<Arc<User>> {
    let key = key(username)?;
    let mut found = store.users_by_usernames(Audience::EVERYBODY, slice::from_ref(&key)).await?;
    found.remove(&key).ok_or_else(|| no_such_user(username))
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
