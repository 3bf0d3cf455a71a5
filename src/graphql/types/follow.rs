//! Following and unfollowing: their inputs and payloads.
//!
//! What a payload shows is as of the commit or later, and read only as far as it is selected. The
//! user is who was looked up for the change: a follow does not change their row.

use std::{slice::from_ref, sync::Arc};

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, SimpleObject};

use super::{
    connection::{Edge, FollowerEdge, FollowingEdge},
    user::User,
};
use crate::service::ListedUser;
use crate::{
    domain::{self, Changed, FollowLimit, FollowList, FollowRefusal, UserId, UsernameKey},
    graphql::{context::RequestContext, error::Failure, global_id, projection::Projected},
    service::SeenBy,
};

/// Which user is meant: give exactly one field.
#[derive(OneofObject)]
pub(crate) enum UserRef {
    /// The user's global ID.
    Id(ID),
    /// The user's username, without regard to case.
    Username(String),
}

impl UserRef {
    /// The user who is meant, if there is one. Changes are made one after the other, so there is
    /// nobody to share a batch with.
    async fn find(&self, service: &SeenBy) -> Result<Option<Arc<domain::User>>, Failure> {
        Ok(match self {
            Self::Id(id) => match global_id::to_user(id) {
                Some(id) => service.users_by_ids(&[id]).await?.remove(&id),
                None => None,
            },
            Self::Username(name) => match UsernameKey::parse(name) {
                Some(key) => service.users_by_usernames(from_ref(&key)).await?.remove(&key),
                None => None,
            },
        })
    }

    /// The path of the field that was given.
    fn path(&self) -> Vec<String> {
        let field = match self {
            Self::Id(_) => "id",
            Self::Username(_) => "username",
        };
        ["input", "user", field].map(str::to_owned).into()
    }
}

/// The input of `follow`.
#[derive(InputObject)]
pub(crate) struct FollowInput {
    /// A string of the client's own, handed back in the payload.
    client_mutation_id: Option<String>,
    /// Whom to follow.
    user: UserRef,
}

/// The input of `unfollow`.
#[derive(InputObject)]
pub(crate) struct UnfollowInput {
    /// A string of the client's own, handed back in the payload.
    client_mutation_id: Option<String>,
    /// Whom to unfollow.
    user: UserRef,
}

/// Why a follow or an unfollow could not be done.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum FollowErrorCode {
    /// The viewer has followed too many users, today or in all, or has changed this follow too
    /// often today.
    LimitReached,
    /// There is no such user.
    NotFound,
    /// Nobody can follow or unfollow themselves.
    Yourself,
}

/// An expected failure of a follow or an unfollow, to show to the viewer.
#[derive(Clone, SimpleObject)]
pub(crate) struct FollowError {
    /// What went wrong, for programs.
    code: FollowErrorCode,
    /// The path of the input field that is at fault.
    field: Option<Vec<String>>,
    /// What went wrong, for people.
    message: &'static str,
}

impl FollowError {
    fn new(refusal: FollowRefusal, user: &UserRef, verb: Verb) -> Self {
        let (code, message) = match refusal {
            FollowRefusal::NotFound => (FollowErrorCode::NotFound, "That is not a valid user."),
            FollowRefusal::Yourself => (
                FollowErrorCode::Yourself,
                match verb {
                    Verb::Follow => "You cannot follow yourself.",
                    Verb::Unfollow => "You cannot unfollow yourself.",
                },
            ),
            FollowRefusal::LimitReached(limit) => (
                FollowErrorCode::LimitReached,
                match limit {
                    FollowLimit::Day => "You have followed enough users for today.",
                    FollowLimit::Total => "You follow as many users as you can.",
                    FollowLimit::Pair => "You have changed your mind often enough for today.",
                },
            ),
        };
        Self { code, field: Some(user.path()), message }
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Follow,
    Unfollow,
}

/// What became of a follow.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::FollowOutcome")]
pub(crate) enum FollowOutcome {
    /// The viewer already followed the user; nothing changed.
    AlreadyFollowing,
    /// The viewer now follows the user.
    Followed,
}

/// What became of an unfollow.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::UnfollowOutcome")]
pub(crate) enum UnfollowOutcome {
    /// The viewer did not follow the user; nothing changed.
    NotFollowing,
    /// The viewer no longer follows the user.
    Unfollowed,
}

/// What both payloads show.
struct Change<O> {
    client_mutation_id: Option<String>,
    viewer: UserId,
    /// What became of whom, or why nothing did.
    done: Result<(Arc<domain::User>, O), FollowError>,
}

impl<O: Copy> Change<O> {
    fn outcome(&self) -> Option<O> {
        self.done.as_ref().ok().map(|(_, outcome)| *outcome)
    }

    fn errors(&self) -> Vec<FollowError> {
        self.done.as_ref().err().cloned().into_iter().collect()
    }

    fn user(&self) -> Option<Projected<User>> {
        let (user, _) = self.done.as_ref().ok()?;
        Some(Projected(User(Arc::clone(user))))
    }

    async fn viewer(&self, ctx: &Context<'_>) -> Option<Result<Projected<User>, Failure>> {
        let viewer = RequestContext::of(ctx).loaders.user(self.viewer).await;
        viewer.map(|viewer| viewer.map(User).map(Projected)).transpose()
    }
}

/// Makes the loaders forget what was before a change, and know what it has told.
async fn know<O>(
    request: &RequestContext,
    viewer: UserId,
    target: Option<&Arc<domain::User>>,
    done: &Result<Changed<O>, FollowRefusal>,
) {
    request.loaders.clear().await;
    if let (Ok(changed), Some(target)) = (done, target) {
        let counts = [(viewer, changed.follower), (target.id, changed.followee)];
        let told = counts.into_iter().filter_map(|(id, counts)| Some((id, counts?)));
        request.loaders.know_counts(told).await;
    }
}

/// The result of `follow`.
pub(crate) struct FollowPayload(Change<FollowOutcome>);

impl FollowPayload {
    /// Follows, and clears the loaders so that the payload shows what is true then.
    pub(crate) async fn follow(ctx: &Context<'_>, input: FollowInput) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let viewer = request.service.signed_in()?;
        let target = input.user.find(&request.service).await?;

        let done = request.service.follow(target.as_ref().map(|user| user.id)).await?;
        know(request, viewer.id(), target.as_ref(), &done).await;

        let done = done.and_then(|changed| {
            Ok((target.ok_or(FollowRefusal::NotFound)?, changed.outcome.into()))
        });
        Ok(Self(Change {
            client_mutation_id: input.client_mutation_id,
            viewer: viewer.id(),
            done: done.map_err(|refusal| FollowError::new(refusal, &input.user, Verb::Follow)),
        }))
    }

    /// The follow as an edge of `direction`'s list, if there still is one.
    async fn edge(
        &self,
        ctx: &Context<'_>,
        direction: FollowList,
    ) -> Result<Option<Edge>, Failure> {
        let Ok((target, _)) = &self.0.done else { return Ok(None) };
        let loaders = &RequestContext::of(ctx).loaders;
        let relation = loaders.followed(target.id).await?;
        let user = match direction {
            FollowList::Followers => loaders.user(self.0.viewer).await?,
            FollowList::Following => Some(Arc::clone(target)),
        };
        let item = relation.followed_at.zip(user);
        let item = item.map(|(at, user)| ListedUser { user, followed_at: at });
        Ok(item.map(|item| Edge::new(direction, item)))
    }
}

#[Object]
/// The result of `follow`.
impl FollowPayload {
    /// The string that the client sent.
    async fn client_mutation_id(&self) -> Option<&str> {
        self.0.client_mutation_id.as_deref()
    }

    /// The follow as an edge of the user's followers; null when there is none.
    async fn follower_edge(
        &self,
        ctx: &Context<'_>,
    ) -> Option<Result<Projected<FollowerEdge>, Failure>> {
        let edge = self.edge(ctx, FollowList::Followers).await;
        edge.map(|edge| edge.map(FollowerEdge).map(Projected)).transpose()
    }

    /// The follow as an edge of the viewer's following; null when there is none.
    async fn following_edge(
        &self,
        ctx: &Context<'_>,
    ) -> Option<Result<Projected<FollowingEdge>, Failure>> {
        let edge = self.edge(ctx, FollowList::Following).await;
        edge.map(|edge| edge.map(FollowingEdge).map(Projected)).transpose()
    }

    /// What became of it; null exactly when `userErrors` is not empty.
    async fn outcome(&self) -> Option<FollowOutcome> {
        self.0.outcome()
    }

    /// The user whom the viewer follows, as they are after the change.
    async fn user(&self) -> Option<Projected<User>> {
        self.0.user()
    }

    /// What went wrong; empty when nothing did.
    async fn user_errors(&self) -> Vec<FollowError> {
        self.0.errors()
    }

    /// The viewer's account, as it is after the change.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Result<Projected<User>, Failure>> {
        self.0.viewer(ctx).await
    }
}

/// The result of `unfollow`.
pub(crate) struct UnfollowPayload(Change<UnfollowOutcome>);

impl UnfollowPayload {
    /// Unfollows, and clears the loaders so that the payload shows what is true then.
    pub(crate) async fn unfollow(ctx: &Context<'_>, input: UnfollowInput) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let viewer = request.service.signed_in()?;
        let target = input.user.find(&request.service).await?;

        let done = request.service.unfollow(target.as_ref().map(|user| user.id)).await?;
        know(request, viewer.id(), target.as_ref(), &done).await;

        let done = done.and_then(|changed| {
            Ok((target.ok_or(FollowRefusal::NotFound)?, changed.outcome.into()))
        });
        Ok(Self(Change {
            client_mutation_id: input.client_mutation_id,
            viewer: viewer.id(),
            done: done.map_err(|refusal| FollowError::new(refusal, &input.user, Verb::Unfollow)),
        }))
    }
}

#[Object]
/// The result of `unfollow`.
impl UnfollowPayload {
    /// The string that the client sent.
    async fn client_mutation_id(&self) -> Option<&str> {
        self.0.client_mutation_id.as_deref()
    }

    /// What became of it; null exactly when `userErrors` is not empty.
    async fn outcome(&self) -> Option<UnfollowOutcome> {
        self.0.outcome()
    }

    /// The user whom the viewer no longer follows, as they are after the change.
    async fn user(&self) -> Option<Projected<User>> {
        self.0.user()
    }

    /// What went wrong; empty when nothing did.
    async fn user_errors(&self) -> Vec<FollowError> {
        self.0.errors()
    }

    /// The viewer's account, as it is after the change.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Result<Projected<User>, Failure>> {
        self.0.viewer(ctx).await
    }
}
