//! The use cases, one method per verb, and the policy that decides them.
//!
//! This layer decides, the store below it reads and writes, and the layers above it only ask. It
//! knows nothing of GraphQL, HTTP or SQL.
//!
//! **Invariant:** clients read and write as somebody: every such method is one of [`SeenBy`]. What
//! the operator does on the command line is in [`Operator`].
//!
//! **Invariant:** `policy` decides what a viewer may do and see. The rule of a follow itself is
//! [`domain`](crate::domain)'s.

mod administration;
mod auth;
mod error;
mod events;
mod follows;
mod limits;
mod outage;
mod policy;
mod random;
mod safety;
mod users;
mod webhooks;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use chrono::{DateTime, Utc};

pub use self::{
    administration::{UpsertOutcome, UserUpsert},
    auth::{
        ClaimPath, ClaimPathError, ClaimRules, ForeignAccount, IdentityProvider, JwksError,
        KeySource, NewAccount, PasswordChange, ProviderName, ProviderNameError, Providers,
        ProvidersError, ScopePolicy, SecretError, Session, SignIn, SignInRefusal, SignedIn,
        Subject, TokenClaims, Tokens, Trust, stored_hash,
    },
    error::{Error, Result},
    events::{EventBatch, EventFeed, EventFeedEnd},
    follows::{Change, FollowQuota, RefusedFollow},
    limits::Budget,
    policy::{FollowDenial, FollowDenials, Viewer, authorize},
    random::{Random, SystemRandom},
    safety::{PrivacyUpdate, Refusal, UnmuteOutcome},
    users::{ListPage, ListedUser},
    webhooks::{WebhookReceiver, WebhookSecretError, WebhookSecrets, WebhookUrlError},
};
use self::{
    auth::{Passwords, ProfileChanges},
    events::EventHub,
    limits::{Attempts, Budgets, Exports},
    users::cache::UserCache,
    webhooks::Deliveries,
};
pub(crate) use self::{limits::network, outage::Outage};
use crate::{
    domain::{Audience, Clock, FollowLimits, Limits, ListReader, UserId, UserIds},
    store::Store,
};

/// What a [`Service`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Issues and reads bearer tokens.
    pub tokens: Tokens,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub random: Arc<dyn Random>,
    /// Whether strangers can sign up and sign in with a password.
    pub sign_up: bool,
    /// Whether the server is a subgraph of a federation.
    pub federation: bool,
    /// Whether there are limits over time: on sign-ins, follows and cost.
    pub rate_limits: bool,
    /// How long events are kept; zero for no events.
    pub events_kept: Duration,
    /// The host's webhook.
    pub webhook: Option<WebhookReceiver>,
    /// The limits.
    pub limits: Limits,
}

/// The follow graph and everything that can be done with it.
#[derive(Debug)]
pub struct Service {
    store: Arc<dyn Store>,
    /// `None` when the cache is turned off.
    users: Option<Arc<UserCache>>,
    tokens: Tokens,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    ids: UserIds,
    passwords: Passwords,
    profile_changes: ProfileChanges,
    attempts: Option<Attempts>,
    budgets: Option<Budgets>,
    exports: Option<Exports>,
    follow_limits: FollowLimits,
    /// `None` when no events are kept.
    events: Option<Arc<EventHub>>,
    events_kept: Duration,
    webhook: Option<Deliveries>,
    sign_up: bool,
    federation: bool,
}

impl Service {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts {
            store,
            tokens,
            clock,
            random,
            sign_up,
            federation,
            rate_limits,
            events_kept,
            webhook,
            limits,
        } = parts;
        Arc::new(Self {
            attempts: rate_limits.then(|| Attempts::new(&clock)),
            budgets: rate_limits.then(|| Budgets::new(&limits, &clock)),
            exports: rate_limits.then(|| Exports::new(&clock)),
            users: (limits.users_cached_max > 0)
                .then(|| Arc::new(UserCache::new(limits.users_cached_max))),
            store,
            tokens,
            clock,
            random,
            ids: UserIds::default(),
            passwords: Passwords::default(),
            profile_changes: ProfileChanges::default(),
            follow_limits: if rate_limits { limits.follows } else { FollowLimits::NONE },
            events: (!events_kept.is_zero()).then(Arc::default),
            events_kept,
            webhook: webhook.map(Deliveries::new),
            sign_up,
            federation,
        })
    }

    /// Whether `signUp`, `signIn` and `changePassword` exist.
    pub const fn sign_up_is_open(&self) -> bool {
        self.sign_up
    }

    /// Whether the server is a subgraph of a federation.
    pub const fn is_federated(&self) -> bool {
        self.federation
    }

    /// The time, by the clock of the service.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Loads the keys of identity providers that were away when the server started. Never returns.
    pub async fn keep_providers_loaded(&self) {
        self.tokens.providers().keep_loading(&*self.clock).await;
        std::future::pending::<()>().await;
    }

    /// An identity provider whose keys have not been loaded, as operators read it.
    pub fn missing_provider(&self) -> Option<String> {
        let mut providers = self.tokens.providers().iter();
        providers.find(|provider| !provider.is_loaded()).map(IdentityProvider::title)
    }

    /// The service as one caller sees it: `viewer` when signed in, `None` when signed out.
    #[must_use]
    pub fn seen_by(self: &Arc<Self>, viewer: Option<Arc<Viewer>>) -> SeenBy {
        let audience = policy::audience(viewer.as_deref());
        let is_blocking = viewer.as_ref().is_some_and(|viewer| viewer.account.is_blocking);
        let is_blocking = Arc::new(AtomicBool::new(is_blocking));
        SeenBy { service: Arc::clone(self), viewer, audience, is_blocking }
    }

    /// The service as the operator sees it.
    #[must_use]
    pub const fn operator(&self) -> Operator<'_> {
        Operator(self)
    }
}

/// The service as one caller sees it: everything that is read or changed for a client.
#[derive(Clone, Debug)]
pub struct SeenBy {
    service: Arc<Service>,
    viewer: Option<Arc<Viewer>>,
    /// Whom the answers are for.
    audience: Audience,
    /// Whether the viewer may block a user by now.
    is_blocking: Arc<AtomicBool>,
}

impl SeenBy {
    /// The service as it looks up users for administration, which also finds those who block the
    /// caller.
    #[must_use]
    pub fn for_administration(&self) -> Self {
        Self { audience: Audience::EVERYBODY, ..self.clone() }
    }

    /// The signed-in caller; `None` when signed out.
    pub const fn viewer(&self) -> Option<&Arc<Viewer>> {
        self.viewer.as_ref()
    }

    /// The caller as the reader of the lists of a user.
    pub fn reader_of(&self, owner: UserId) -> ListReader {
        self.audience.reader_of(owner)
    }

    /// Whether pages of follows come with the lengths of lists as the caller sees them: not if
    /// others block the caller.
    pub const fn pages_have_counts(&self) -> bool {
        self.audience.blocked_viewer().is_none()
    }

    /// The signed-in caller.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when signed out.
    pub fn signed_in(&self) -> Result<&Arc<Viewer>> {
        self.viewer.as_ref().ok_or(Error::Unauthenticated)
    }
}

/// The service as the operator sees it: administration on the command line, without permissions
/// and limits.
#[derive(Clone, Copy, Debug)]
pub struct Operator<'a>(&'a Service);
