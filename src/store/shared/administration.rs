//! Changes by administrators, each with its entry in their log.

use std::sync::Arc;

use sqlx::{Database, Pool, Row, Transaction};

use super::{
    super::{Db, Engine, Time, accounts as own_accounts, begin, stored, time},
    accounts, deletion,
};
use crate::{
    domain::{
        AdminChange, AdminOutcome, Administration, AuditAction, AuditEntry, NewUser,
        OrderDirection, Outside, Page, PageRequest, Permissions, Role, Standing, UserId,
    },
    store::{
        CreateOutcome, Result,
        pages::audit_page,
        retry::{self, Tries},
        sql::{
            AUDIT, AUDIT_NEWEST, AUDIT_OLDEST, CHANGE_PASSWORD, DEFINE_ROLE, END_TOKENS, HAS_ROLE,
            IS_AUDITED, REMOVE_ROLE, ROLE_IN_USE, ROLE_PERMISSIONS, ROLES, SET_ROLE, SET_STANDING,
            STANDING,
        },
        statement::{query, query_as, query_scalar},
    },
};

type Tx<'a> = Transaction<'a, Db>;

/// Makes a change and writes its entry, in one transaction.
pub(super) async fn administer(engine: Engine, step: Arc<Administration>) -> Result<AdminOutcome> {
    if let AdminChange::Delete(id) = step.change {
        let (at, entry) = (step.at, Some(Arc::clone(&step)));
        let found = deletion::delete(engine, id, at, entry).await?;
        return Ok(if found { AdminOutcome::Done } else { AdminOutcome::NoSuchUser });
    }
    Ok(retry::retried(|tries| change(tries, &engine, &step)).await?)
}

async fn change(
    tries: Tries,
    engine: &Engine,
    step: &Administration,
) -> sqlx::Result<AdminOutcome> {
    let mut tx = begin(&engine.writer).await?;
    let outcome = apply(&mut tx, engine, step).await?;
    // Asked after the rows are locked: until then, a try whose answer was lost may still commit.
    if tries.may_have_committed()
        && query_scalar(IS_AUDITED).bind(step.id).fetch_one(&mut *tx).await?
    {
        return Ok(AdminOutcome::Done);
    }
    if outcome == AdminOutcome::Done {
        write(&mut tx, step).await?;
        tries.commit(tx).await?;
    }
    Ok(outcome)
}

async fn apply(
    tx: &mut Tx<'_>,
    engine: &Engine,
    step: &Administration,
) -> sqlx::Result<AdminOutcome> {
    let at = stored(step.at);
    let change = match &step.change {
        AdminChange::Create(user) => return create(tx, user).await,
        AdminChange::UpdateProfile(id, change) => {
            let sql = own_accounts::update_profile(engine);
            let found = accounts::change_profile(sql, tx, *id, change).await?;
            return Ok(found.map_or(AdminOutcome::NoSuchUser, |_| AdminOutcome::Done));
        }
        AdminChange::SetRole(id, role) => return set_role(tx, *id, role).await,
        AdminChange::Suspend(id, _) => {
            return set_standing(tx, engine, *id, [Standing::Active, Standing::Suspended]).await;
        }
        AdminChange::Reinstate(id) => {
            return set_standing(tx, engine, *id, [Standing::Suspended, Standing::Active]).await;
        }
        AdminChange::SetPassword(id, hash) => {
            query(CHANGE_PASSWORD).bind(id.0).bind(None::<i64>).bind(hash.0.clone()).bind(at)
        }
        AdminChange::SignOut(id) => query(END_TOKENS).bind(id.0).bind(at),
        AdminChange::DefineRole(role) => return define_role(tx, role).await,
        AdminChange::RemoveRole(name) => return remove_role(tx, name).await,
        // It takes several transactions.
        AdminChange::Delete(_) => return Ok(AdminOutcome::Unchanged),
    };
    let found = change.execute(&mut **tx).await?.rows_affected() == 1;
    Ok(if found { AdminOutcome::Done } else { AdminOutcome::NoSuchUser })
}

async fn create(tx: &mut Tx<'_>, user: &NewUser) -> sqlx::Result<AdminOutcome> {
    if role_permissions(tx, &user.role).await?.is_none() {
        return Ok(AdminOutcome::NoSuchRole);
    }
    Ok(match accounts::insert_user(tx, user).await? {
        CreateOutcome::Created => AdminOutcome::Done,
        CreateOutcome::UsernameTaken => AdminOutcome::UsernameTaken,
        CreateOutcome::ExternalIdTaken => AdminOutcome::ExternalIdTaken,
        CreateOutcome::IdTaken => AdminOutcome::IdTaken,
    })
}

async fn set_role(tx: &mut Tx<'_>, id: UserId, role: &str) -> sqlx::Result<AdminOutcome> {
    let has_role = query_scalar(HAS_ROLE).bind(id.0).bind(role.to_owned());
    match has_role.fetch_optional(&mut **tx).await? {
        None => return Ok(AdminOutcome::NoSuchUser),
        Some(true) => return Ok(AdminOutcome::Unchanged),
        Some(false) => {}
    }
    let set = query(SET_ROLE).bind(id.0).bind(role.to_owned()).execute(&mut **tx).await?;
    let is_set = set.rows_affected() == 1;
    Ok(if is_set { AdminOutcome::Done } else { AdminOutcome::NoSuchRole })
}

async fn set_standing(
    tx: &mut Tx<'_>,
    engine: &Engine,
    id: UserId,
    [from, to]: [Standing; 2],
) -> sqlx::Result<AdminOutcome> {
    let set = query(SET_STANDING).bind(id.0).bind(from as i16).bind(to as i16);
    if set.execute(&mut **tx).await?.rows_affected() == 1 {
        if let Some(notify) = own_accounts::notify(engine) {
            query(notify).bind(id.0).execute(&mut **tx).await?;
        }
        return Ok(AdminOutcome::Done);
    }
    let standing: Option<i16> = query_scalar(STANDING).bind(id.0).fetch_optional(&mut **tx).await?;
    Ok(match standing.map(Standing::from_stored) {
        None => AdminOutcome::NoSuchUser,
        Some(standing) if standing == to => AdminOutcome::Unchanged,
        Some(_) => AdminOutcome::IsMachine,
    })
}

async fn role_permissions(tx: &mut Tx<'_>, name: &str) -> sqlx::Result<Option<i64>> {
    query_scalar(ROLE_PERMISSIONS).bind(name.to_owned()).fetch_optional(&mut **tx).await
}

async fn define_role(tx: &mut Tx<'_>, role: &Role) -> sqlx::Result<AdminOutcome> {
    if role_permissions(tx, &role.name).await? == Some(role.permissions.bits()) {
        return Ok(AdminOutcome::Unchanged);
    }
    let define = query(DEFINE_ROLE).bind(role.name.clone()).bind(role.permissions.bits());
    define.execute(&mut **tx).await?;
    Ok(AdminOutcome::Done)
}

async fn remove_role(tx: &mut Tx<'_>, name: &str) -> sqlx::Result<AdminOutcome> {
    if query_scalar(ROLE_IN_USE).bind(name.to_owned()).fetch_one(&mut **tx).await? {
        return Ok(AdminOutcome::RoleInUse);
    }
    let removed = query(REMOVE_ROLE).bind(name.to_owned()).execute(&mut **tx).await?;
    let is_removed = removed.rows_affected() == 1;
    Ok(if is_removed { AdminOutcome::Done } else { AdminOutcome::NoSuchRole })
}

/// Writes the entry of a change.
pub(super) async fn write(tx: &mut Tx<'_>, step: &Administration) -> sqlx::Result<()> {
    query(AUDIT)
        .bind(step.id)
        .bind(stored(step.at))
        .bind(step.actor.id().map(|id| id.0))
        .bind(step.actor.name().map(str::to_owned))
        .bind(step.change.action().name())
        .bind(step.change.user().map(|user| user.0))
        .bind(step.username.clone())
        .bind(step.change.detail())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// A page of the log, by id.
pub(super) async fn page(
    pool: &Pool<Db>,
    request: &PageRequest<i64>,
) -> sqlx::Result<Page<AuditEntry>> {
    let sql = match request.scan() {
        OrderDirection::Desc => AUDIT_NEWEST,
        OrderDirection::Asc => AUDIT_OLDEST,
    };
    let (low, high) = request.bounds();
    let (low, high) = (low.unwrap_or(-1), high.unwrap_or(i64::MAX));
    let query = query(sql).bind(low).bind(high).bind(i64::from(request.fetch()));
    let (mut outside, mut entries) = (Outside::default(), Vec::new());
    for row in query.fetch_all(pool).await? {
        outside = Outside { below: row.try_get(0)?, above: row.try_get(1)? };
        if row.try_get::<Option<i64>, _>(2)?.is_some() {
            entries.push(entry(&row)?);
        }
    }
    Ok(audit_page(request, entries, outside))
}

fn entry(row: &<Db as Database>::Row) -> sqlx::Result<AuditEntry> {
    let action: String = row.try_get(6)?;
    let unknown = || sqlx::Error::Decode(format!("the log has no action {action}").into());
    let user = |column| row.try_get::<Option<i64>, _>(column).map(|id| id.map(UserId));
    Ok(AuditEntry {
        id: row.try_get(2)?,
        at: time(row.try_get::<Time, _>(3)?)?,
        actor: user(4)?,
        actor_name: row.try_get(5)?,
        action: AuditAction::parse(&action).ok_or_else(unknown)?,
        user: user(7)?,
        username: row.try_get(8)?,
        detail: row.try_get(9)?,
    })
}

/// All roles, by id.
pub(super) async fn roles(pool: &Pool<Db>) -> sqlx::Result<Vec<Role>> {
    let roles: Vec<(String, i64)> = query_as(ROLES).fetch_all(pool).await?;
    let role = |(name, bits)| Role { name, permissions: Permissions::from_bits(bits) };
    Ok(roles.into_iter().map(role).collect())
}
