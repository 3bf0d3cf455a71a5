//! The log of administrators.

use async_graphql::{Context, Enum, Object};

use super::{
    page::{PageArguments, PageInfo},
    scalar::DateTime,
    user::User,
};
use crate::{
    domain::{self, Ends, Page, UserId},
    graphql::{
        context::RequestContext, cursor, error::Failure, lists::AUDIT_LOG, projection::Projected,
    },
};

/// What an administrator did.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::AuditAction")]
pub(crate) enum AuditAction {
    /// A user was created; the detail is their role.
    UserCreated,
    /// A profile was changed; the detail has the fields.
    ProfileUpdated,
    /// A user was given a role, which the detail has.
    RoleSet,
    /// A user was suspended; the detail has the reason.
    UserSuspended,
    /// A suspension was lifted.
    UserReinstated,
    /// A password was replaced, and all tokens revoked.
    PasswordSet,
    /// All tokens of a user were revoked.
    SignedOut,
    /// A user was deleted.
    UserDeleted,
    /// A role was created or changed; the detail has its permissions.
    RoleDefined,
    /// A role was removed; the detail has its name.
    RoleRemoved,
}

/// Something that an administrator did.
#[derive(Clone)]
pub(crate) struct AuditEntry(domain::AuditEntry);

async fn user(ctx: &Context<'_>, id: Option<UserId>) -> Option<Result<Projected<User>, Failure>> {
    let user = RequestContext::of(ctx).loaders.users.one(id?).await;
    user.map(|user| user.map(User).map(Projected)).transpose()
}

#[Object]
/// Something that an administrator did.
impl AuditEntry {
    /// What was done.
    async fn action(&self) -> AuditAction {
        self.0.action.into()
    }

    /// Who did it; null for the operator on the command line, for an identity provider, for a machine,
    /// and if the account is gone.
    async fn actor(&self, ctx: &Context<'_>) -> Option<Result<Projected<User>, Failure>> {
        user(ctx, self.0.actor).await
    }

    /// The username of the actor at that time. `provider`, or `provider NAME` for one with a name, if an
    /// identity provider did it; null for the operator on the command line.
    async fn actor_name(&self) -> Option<&str> {
        self.0.actor_name.as_deref()
    }

    /// When it was done.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// What was given: see `AuditAction`.
    async fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The user whom it is about; null for a role, for a machine, and if the account is gone.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<Projected<User>, Failure>> {
        user(ctx, self.0.user).await
    }

    /// The username of the user at that time; null for a role.
    async fn username(&self) -> Option<&str> {
        self.0.username.as_deref()
    }
}

/// A page of the log of administrators, newest first.
pub(crate) struct AuditConnection(Page<domain::AuditEntry>);

impl AuditConnection {
    /// The page that the arguments ask for.
    pub(crate) async fn load(
        ctx: &Context<'_>,
        arguments: &PageArguments,
    ) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let page = arguments.read(&AUDIT_LOG, request.limits.page_size_max)?;
        let page = page.page_of_events(cursor::NO_OWNER, Ends::BOTH)?;
        Ok(Self(request.service.page_of_audit_log(&page).await?))
    }

    fn entries(&self) -> impl DoubleEndedIterator<Item = AuditEntry> {
        self.0.items.iter().cloned().map(AuditEntry)
    }
}

#[Object]
/// A page of the log of administrators, newest first.
impl AuditConnection {
    /// The edges of the page.
    async fn edges(&self) -> Vec<AuditEdge> {
        self.entries().map(AuditEdge).collect()
    }

    /// The entries of the page, without their edges.
    async fn nodes(&self) -> Vec<AuditEntry> {
        self.entries().collect()
    }

    /// Where the page lies within the log.
    async fn page_info(&self) -> PageInfo {
        let cursor = |entry: &domain::AuditEntry| cursor::encode_audit(entry.id);
        PageInfo {
            end_cursor: self.0.items.last().map(cursor),
            has_next_page: self.0.has_next,
            has_previous_page: self.0.has_previous,
            start_cursor: self.0.items.first().map(cursor),
        }
    }
}

/// An entry in the log of administrators.
pub(crate) struct AuditEdge(AuditEntry);

#[Object]
/// An entry in the log of administrators.
impl AuditEdge {
    /// The position of the entry in the log.
    async fn cursor(&self) -> String {
        cursor::encode_audit(self.0.0.id)
    }

    /// The entry.
    async fn node(&self) -> AuditEntry {
        self.0.clone()
    }
}
