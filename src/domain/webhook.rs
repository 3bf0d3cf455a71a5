//! Messages for the host's webhook: a user has a new follower, or a new follow request.

use chrono::{DateTime, Utc};

use super::UserId;

/// What a message reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookKind {
    /// The follower follows the followee.
    FollowCreated,
    /// The follower asks to follow the followee.
    FollowRequested,
}

impl WebhookKind {
    /// Every kind. A kind is stored as its place here.
    pub const ALL: [Self; 2] = [Self::FollowCreated, Self::FollowRequested];

    /// The `type` of such a message.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FollowCreated => "follow.created",
            Self::FollowRequested => "follow.requested",
        }
    }
}

/// A message in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The id, which the receiver gets with each attempt.
    pub id: String,
    /// What it reports.
    pub kind: WebhookKind,
    /// The user who follows, or asks to.
    pub follower: WebhookUser,
    /// The user who is followed, or asked.
    pub followee: WebhookUser,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// How often it was sent or is being sent, since it was written or resent.
    pub attempts: i16,
    /// Why the last attempt failed.
    pub failure: Option<String>,
}

/// One of the users of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookUser {
    /// The id.
    pub id: UserId,
    /// The user's names as of now; `None` if the user was deleted.
    pub names: Option<WebhookNames>,
}

/// What the host calls a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookNames {
    /// The username.
    pub username: String,
    /// The account at the host's identity provider.
    pub external_id: Option<String>,
}

/// The end of an attempt to deliver a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookAttempt {
    /// The id of the message.
    pub id: String,
    /// Which attempt it was: [`Webhook::attempts`] of the claimed message.
    pub number: i16,
    /// What becomes of the message.
    pub outcome: WebhookOutcome,
}

/// What becomes of a message after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookOutcome {
    /// It leaves the outbox.
    Done,
    /// It is sent again.
    Retry {
        /// When.
        due_at: DateTime<Utc>,
        /// Why.
        failure: String,
    },
    /// It stays until the operator resends it.
    Parked {
        /// Why.
        failure: String,
    },
}

/// What is in the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookBacklog {
    /// Messages to be sent, now or later.
    pub waiting: i64,
    /// Parked messages.
    pub parked: i64,
    /// When the oldest event of a waiting message happened.
    pub oldest: Option<DateTime<Utc>>,
}
