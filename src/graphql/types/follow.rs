//! Following and unfollowing: their inputs and payloads.
//!
//! A payload reads only what is selected, and after the commit. Its user is the row that was looked
//! up for the change: a follow does not change that row.

use std::{slice::from_ref, sync::Arc};

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, SimpleObject};

use super::{
    connection::{Edge, FollowerEdge, FollowingEdge},
    query::Query,
    scalar::DateTime,
    user::User,
    viewer::Viewer,
};
use crate::{
    domain::{self, ExternalId, FollowLimit, FollowRefusal, UsernameKey},
    graphql::{
        context::RequestContext,
        error::Failure,
        global_id::GlobalId,
        lists::{FOLLOWERS, FOLLOWING, List},
        loaders::{Loaders, RelationKey},
        projection::Projected,
    },
    service::{self, ListedUser, RefusedFollow, SeenBy},
};

/// Refers to a user by exactly one field.
#[derive(OneofObject)]
pub(crate) enum UserRef {
    /// The user's ID at the host application, in its very bytes.
    ExternalId(String),
    /// The user's global ID.
    Id(ID),
    /// The user's username, regardless of case, white space around it and one leading `@`.
    Username(String),
}

impl UserRef {
    /// The user, if there is one. Mutations run one after the other, so there is no batch to share.
    pub(crate) async fn find(
        &self,
        service: &SeenBy,
    ) -> Result<Option<Arc<domain::User>>, Failure> {
        Ok(match self {
            Self::ExternalId(id) => match ExternalId::parse(id) {
                Ok(id) => service.users_by_external_ids(from_ref(&id)).await?.remove(&id),
                Err(_) => None,
            },
            Self::Id(id) => match GlobalId::user(id) {
                Some(id) => service.users_by_ids(&[id]).await?.remove(&id),
                None => None,
            },
            Self::Username(name) => match UsernameKey::parse(name) {
                Some(key) => service.users_by_usernames(from_ref(&key)).await?.remove(&key),
                None => None,
            },
        })
    }

    /// The same, together with the other users that the request looks up.
    pub(crate) async fn load(&self, loaders: &Loaders) -> Result<Option<User>, Failure> {
        let user = match self {
            Self::ExternalId(id) => match ExternalId::parse(id) {
                Ok(id) => loaders.external_ids.one(id).await?,
                Err(_) => None,
            },
            Self::Id(id) => match GlobalId::user(id) {
                Some(id) => loaders.users.one(id).await?,
                None => None,
            },
            Self::Username(name) => match UsernameKey::parse(name) {
                Some(key) => loaders.usernames.one(key).await?,
                None => None,
            },
        };
        Ok(user.map(User))
    }

    /// The path of the field that is set.
    pub(crate) fn path(&self) -> Vec<String> {
        let field = match self {
            Self::ExternalId(_) => "externalId",
            Self::Id(_) => "id",
            Self::Username(_) => "username",
        };
        ["input", "user", field].map(str::to_owned).into()
    }
}

/// Why a follow or an unfollow was refused.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum FollowErrorCode {
    /// The user blocks the viewer. Only moderators meet this; to others there is no such user.
    Blocked,
    /// The viewer blocks the user: unblock them first.
    Blocking,
    /// The viewer has followed as many users as a day allows.
    DailyLimitReached,
    /// There is no such user.
    NotFound,
    /// The viewer has followed and unfollowed this user too often today.
    PairLimitReached,
    /// The viewer follows as many users as they may at the same time.
    TotalLimitReached,
    /// Users cannot follow or unfollow themselves.
    Yourself,
}

/// An expected failure of a follow or an unfollow, to be shown to the viewer.
#[derive(Clone, SimpleObject)]
pub(crate) struct FollowError {
    /// What went wrong, for programs.
    code: FollowErrorCode,
    /// The path of the input field at fault; null if none is.
    field: Option<Vec<String>>,
    /// What went wrong, for people.
    message: &'static str,
    /// When the change is no longer refused for this reason; null if waiting does not help.
    retry_at: Option<DateTime>,
}

impl FollowError {
    #[expect(clippy::unnecessary_wraps, reason = "other mutations refuse bad arguments here")]
    fn new(
        refused: RefusedFollow,
        user: &UserRef,
        yourself: &'static str,
    ) -> Result<Self, Failure> {
        let (code, message, field) = match refused.refusal {
            FollowRefusal::NotFound => {
                (FollowErrorCode::NotFound, "There is no such user.", Some(user.path()))
            }
            FollowRefusal::Blocked => {
                (FollowErrorCode::Blocked, "That user has blocked you.", Some(user.path()))
            }
            FollowRefusal::Blocking => {
                (FollowErrorCode::Blocking, "You have blocked that user.", Some(user.path()))
            }
            FollowRefusal::Yourself => (FollowErrorCode::Yourself, yourself, Some(user.path())),
            FollowRefusal::LimitReached(limit) => {
                let (code, message) = limit_reached(limit);
                (code, message, None)
            }
        };
        Ok(Self { code, field, message, retry_at: refused.retry_at.map(DateTime) })
    }
}

const fn limit_reached(limit: FollowLimit) -> (FollowErrorCode, &'static str) {
    match limit {
        FollowLimit::Day => {
            (FollowErrorCode::DailyLimitReached, "You have followed enough users for today.")
        }
        FollowLimit::Total => {
            (FollowErrorCode::TotalLimitReached, "You follow as many users as you can.")
        }
        FollowLimit::Pair => {
            let message = "You have changed your mind often enough for today.";
            (FollowErrorCode::PairLimitReached, message)
        }
    }
}

/// The outcome of a follow.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::FollowOutcome")]
pub(crate) enum FollowOutcome {
    /// The viewer already followed the user; nothing changed.
    AlreadyFollowing,
    /// A request of the viewer was already waiting for an answer; nothing changed.
    AlreadyRequested,
    /// The viewer now follows the user.
    Followed,
    /// The user is private and has to accept the viewer's request.
    Requested,
}

/// The outcome of an unfollow.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::UnfollowOutcome")]
pub(crate) enum UnfollowOutcome {
    /// The viewer did not follow the user, nor ask to; nothing changed.
    NotFollowing,
    /// The viewer's request to follow the user is withdrawn.
    RequestWithdrawn,
    /// The viewer no longer follows the user.
    Unfollowed,
}

/// Defines the input and the payload of a mutation about a user, which is named like the method of
/// the service. The texts are descriptions, but for the message to users who name themselves. Fields
/// that only this input or payload has come last.
macro_rules! mutation {
    (
        $mutation:ident, yourself: $yourself:literal, errors: $error:ident;
        $input:ident: $of_input:literal, user: $of_target:literal
        $(, $argument:ident: $of_argument:literal as $argument_type:ty => $read:expr)?;
        $payload:ident($outcome:ident): $of_payload:literal, user: $of_user:literal;
        $($more:tt)*
    ) => {
        #[doc = $of_input]
        #[derive(InputObject)]
        pub(crate) struct $input {
            #[doc = $of_target]
            user: UserRef,
            $(#[doc = $of_argument]
            $argument: $argument_type,)?
        }

        #[doc = $of_payload]
        pub(crate) struct $payload {
            viewer: Arc<service::Viewer>,
            /// The user and the outcome, or the refusal.
            result: Result<(Arc<domain::User>, $outcome), $error>,
        }

        impl $payload {
            /// Makes the change, and clears the loaders so that the payload is read after it, with
            /// the lists that the change has returned.
            pub(crate) async fn $mutation(
                ctx: &Context<'_>,
                input: $input,
            ) -> Result<Self, Failure> {
                let request = RequestContext::of(ctx);
                let viewer = Arc::clone(request.service.signed_in()?);
                let target = input.user.find(&request.service).await?;
                let id = target.as_ref().map(|user| user.id);

                let change = request.service.$mutation(id $(, $read(input.$argument))?);
                let result = change.await?;
                request.loaders.clear().await;
                if let Ok(changed) = &result {
                    request.loaders.lists.prime(changed.lists.iter().copied()).await;
                }

                let result = match (result, target) {
                    (Ok(changed), Some(target)) => Ok((target, changed.outcome.into())),
                    (Ok(_), None) => return Err(Failure::internal()),
                    (Err(refused), _) => Err($error::new(refused, &input.user, $yourself)?),
                };
                Ok(Self { viewer, result })
            }
        }

        #[Object]
        #[doc = $of_payload]
        impl $payload {
            /// The outcome; null exactly if `userErrors` is not empty.
            async fn outcome(&self) -> Option<$outcome> {
                self.result.as_ref().ok().map(|(_, outcome)| *outcome)
            }

            /// The root of all queries, read after the change.
            async fn query(&self) -> Query {
                Query
            }

            #[doc = $of_user]
            async fn user(&self) -> Option<Projected<User>> {
                let (user, _) = self.result.as_ref().ok()?;
                Some(Projected(User(Arc::clone(user))))
            }

            /// What went wrong; empty on success.
            async fn user_errors(&self) -> Vec<$error> {
                self.result.as_ref().err().cloned().into_iter().collect()
            }

            /// The viewer after the change.
            async fn viewer(&self) -> Option<Viewer> {
                Some(Viewer(Arc::clone(&self.viewer)))
            }

            $($more)*
        }
    };
}
pub(crate) use mutation;

mutation! {
    follow, yourself: "You cannot follow yourself.", errors: FollowError;
    FollowInput: "The input of `follow`.", user: "The user to follow.";
    FollowPayload(FollowOutcome): "The result of `follow`.",
        user: "The followed user after the change.";

    /// The follow as an edge of the user's followers; null if the viewer does not follow the user.
    async fn follower_edge(
        &self,
        ctx: &Context<'_>,
    ) -> Option<Result<Projected<FollowerEdge>, Failure>> {
        let edge = self.edge(ctx, &FOLLOWERS).await;
        edge.map(|edge| edge.map(FollowerEdge).map(Projected)).transpose()
    }

    /// The follow as an edge of the users whom the viewer follows; null if the viewer does not follow the user.
    async fn following_edge(
        &self,
        ctx: &Context<'_>,
    ) -> Option<Result<Projected<FollowingEdge>, Failure>> {
        let edge = self.edge(ctx, &FOLLOWING).await;
        edge.map(|edge| edge.map(FollowingEdge).map(Projected)).transpose()
    }
}

mutation! {
    unfollow, yourself: "You cannot unfollow yourself.", errors: FollowError;
    UnfollowInput: "The input of `unfollow`.", user: "The user to unfollow, or the one whose request to withdraw.";
    UnfollowPayload(UnfollowOutcome): "The result of `unfollow`.",
        user: "The unfollowed user after the change.";
}

impl FollowPayload {
    /// The follow as an edge of a list in its default order; `None` if there is no such follow.
    async fn edge(&self, ctx: &Context<'_>, list: &'static List) -> Result<Option<Edge>, Failure> {
        let Ok((target, _)) = &self.result else { return Ok(None) };
        let loaders = &RequestContext::of(ctx).loaders;
        let followed_at = loaders.relations.one(RelationKey::Followed(target.id)).await?;
        let Some(followed_at) = followed_at else { return Ok(None) };
        let user = if *list == FOLLOWERS {
            loaders.users.one(self.viewer.id()).await?
        } else {
            Some(Arc::clone(target))
        };
        let list = list.ordered(None, None);
        Ok(user.map(|user| {
            let item = ListedUser { user, followed_at, until: None };
            Edge { list, item }
        }))
    }
}
