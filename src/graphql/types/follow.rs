//! Following and unfollowing: their inputs and payloads.
//!
//! A payload reads only what is selected, and after the commit. Its user is the row that was looked
//! up for the change: a follow does not change that row.

use std::{slice::from_ref, sync::Arc};

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, SimpleObject};
use chrono::{DateTime, Utc};

use super::{
    connection::{Edge, FollowerEdge, FollowingEdge},
    user::User,
};
use crate::{
    domain::{self, Changed, FollowLimit, FollowRefusal, UserId, UsernameKey},
    graphql::{
        context::RequestContext,
        error::Failure,
        global_id,
        lists::{FOLLOWERS, FOLLOWING, List},
        loaders::RelationKey,
        projection::Projected,
    },
    service::{ListedUser, SeenBy},
};

/// Refers to a user by exactly one field.
#[derive(OneofObject)]
pub(crate) enum UserRef {
    /// The user's global ID.
    Id(ID),
    /// The user's username, regardless of case.
    Username(String),
}

impl UserRef {
    /// The user, if there is one. Mutations run one after the other, so there is no batch to share.
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

    /// The path of the field that is set.
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
    /// A string of the client's choice, returned in the payload.
    client_mutation_id: Option<String>,
    /// The user to follow.
    user: UserRef,
}

/// The input of `unfollow`.
#[derive(InputObject)]
pub(crate) struct UnfollowInput {
    /// A string of the client's choice, returned in the payload.
    client_mutation_id: Option<String>,
    /// The user to unfollow.
    user: UserRef,
}

/// Why a follow or an unfollow was refused.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum FollowErrorCode {
    /// The viewer has followed too many users, today or in total, or has changed this follow too
    /// often today.
    LimitReached,
    /// There is no such user.
    NotFound,
    /// Users cannot follow or unfollow themselves.
    Yourself,
}

/// An expected failure of a follow or an unfollow, to be shown to the viewer.
#[derive(Clone, SimpleObject)]
pub(crate) struct FollowError {
    /// What went wrong, for programs.
    code: FollowErrorCode,
    /// The path of the input field at fault.
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

/// The outcome of a follow.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::FollowOutcome")]
pub(crate) enum FollowOutcome {
    /// The viewer already followed the user; nothing changed.
    AlreadyFollowing,
    /// The viewer now follows the user.
    Followed,
}

/// The outcome of an unfollow.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::UnfollowOutcome")]
pub(crate) enum UnfollowOutcome {
    /// The viewer did not follow the user; nothing changed.
    NotFollowing,
    /// The viewer no longer follows the user.
    Unfollowed,
}

/// The fields that both payloads share.
struct Change<O> {
    client_mutation_id: Option<String>,
    viewer: UserId,
    /// The user and the outcome, or the refusal.
    result: Result<(Arc<domain::User>, O), FollowError>,
}

impl<O: Copy> Change<O> {
    fn outcome(&self) -> Option<O> {
        self.result.as_ref().ok().map(|(_, outcome)| *outcome)
    }

    fn errors(&self) -> Vec<FollowError> {
        self.result.as_ref().err().cloned().into_iter().collect()
    }

    fn user(&self) -> Option<Projected<User>> {
        let (user, _) = self.result.as_ref().ok()?;
        Some(Projected(User(Arc::clone(user))))
    }

    async fn viewer(&self, ctx: &Context<'_>) -> Option<Result<Projected<User>, Failure>> {
        let viewer = RequestContext::of(ctx).loaders.users.one(self.viewer).await;
        viewer.map(|viewer| viewer.map(User).map(Projected)).transpose()
    }
}

/// Clears the loaders after a change, and adds the counts that the change has returned.
async fn refresh<O>(
    request: &RequestContext,
    viewer: UserId,
    target: Option<&Arc<domain::User>>,
    result: &Result<Changed<O>, FollowRefusal>,
) {
    request.loaders.clear().await;
    if let (Ok(changed), Some(target)) = (result, target) {
        let counts = [(viewer, changed.follower), (target.id, changed.followee)];
        let counts = counts.into_iter().filter_map(|(id, counts)| Some((id, counts?)));
        request.loaders.counts.prime(counts).await;
    }
}

/// The result of `follow`.
pub(crate) struct FollowPayload(Change<FollowOutcome>);

impl FollowPayload {
    /// Follows, and clears the loaders so that the payload is read after the change.
    pub(crate) async fn follow(ctx: &Context<'_>, input: FollowInput) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let viewer = request.service.signed_in()?;
        let target = input.user.find(&request.service).await?;

        let result = request.service.follow(target.as_ref().map(|user| user.id)).await?;
        refresh(request, viewer.id(), target.as_ref(), &result).await;

        let result = result.and_then(|changed| {
            Ok((target.ok_or(FollowRefusal::NotFound)?, changed.outcome.into()))
        });
        Ok(Self(Change {
            client_mutation_id: input.client_mutation_id,
            viewer: viewer.id(),
            result: result.map_err(|refusal| FollowError::new(refusal, &input.user, Verb::Follow)),
        }))
    }

    /// When the viewer followed the user; `None` if there is no such follow.
    async fn followed_at(&self, ctx: &Context<'_>) -> Result<Option<DateTime<Utc>>, Failure> {
        let Ok((target, _)) = &self.0.result else { return Ok(None) };
        Ok(RequestContext::of(ctx).loaders.relations.one(RelationKey::Followed(target.id)).await?)
    }

    async fn edge_to_viewer(&self, ctx: &Context<'_>) -> Result<Option<Edge>, Failure> {
        let Some(followed_at) = self.followed_at(ctx).await? else { return Ok(None) };
        let viewer = RequestContext::of(ctx).loaders.users.one(self.0.viewer).await?;
        Ok(viewer.map(|user| edge(&FOLLOWERS, user, followed_at)))
    }

    async fn edge_to_user(&self, ctx: &Context<'_>) -> Result<Option<Edge>, Failure> {
        let followed_at = self.followed_at(ctx).await?;
        let user = self.0.result.as_ref().ok().map(|(user, _)| Arc::clone(user));
        Ok(user.zip(followed_at).map(|(user, followed_at)| edge(&FOLLOWING, user, followed_at)))
    }
}

/// A follow as an edge of a list in its default order.
const fn edge(list: &'static List, user: Arc<domain::User>, followed_at: DateTime<Utc>) -> Edge {
    Edge { list: list.by_default(), item: ListedUser { user, followed_at } }
}

#[Object]
/// The result of `follow`.
impl FollowPayload {
    /// The `clientMutationId` of the input.
    async fn client_mutation_id(&self) -> Option<&str> {
        self.0.client_mutation_id.as_deref()
    }

    /// The follow as an edge of the user's followers; null if there is none.
    async fn follower_edge(
        &self,
        ctx: &Context<'_>,
    ) -> Option<Result<Projected<FollowerEdge>, Failure>> {
        let edge = self.edge_to_viewer(ctx).await;
        edge.map(|edge| edge.map(FollowerEdge).map(Projected)).transpose()
    }

    /// The follow as an edge of the users whom the viewer follows; null if there is none.
    async fn following_edge(
        &self,
        ctx: &Context<'_>,
    ) -> Option<Result<Projected<FollowingEdge>, Failure>> {
        let edge = self.edge_to_user(ctx).await;
        edge.map(|edge| edge.map(FollowingEdge).map(Projected)).transpose()
    }

    /// The outcome; null exactly if `userErrors` is not empty.
    async fn outcome(&self) -> Option<FollowOutcome> {
        self.0.outcome()
    }

    /// The followed user after the change.
    async fn user(&self) -> Option<Projected<User>> {
        self.0.user()
    }

    /// What went wrong; empty on success.
    async fn user_errors(&self) -> Vec<FollowError> {
        self.0.errors()
    }

    /// The viewer's account after the change.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Result<Projected<User>, Failure>> {
        self.0.viewer(ctx).await
    }
}

/// The result of `unfollow`.
pub(crate) struct UnfollowPayload(Change<UnfollowOutcome>);

impl UnfollowPayload {
    /// Unfollows, and clears the loaders so that the payload is read after the change.
    pub(crate) async fn unfollow(ctx: &Context<'_>, input: UnfollowInput) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let viewer = request.service.signed_in()?;
        let target = input.user.find(&request.service).await?;

        let result = request.service.unfollow(target.as_ref().map(|user| user.id)).await?;
        refresh(request, viewer.id(), target.as_ref(), &result).await;

        let result = result.and_then(|changed| {
            Ok((target.ok_or(FollowRefusal::NotFound)?, changed.outcome.into()))
        });
        Ok(Self(Change {
            client_mutation_id: input.client_mutation_id,
            viewer: viewer.id(),
            result: result
                .map_err(|refusal| FollowError::new(refusal, &input.user, Verb::Unfollow)),
        }))
    }
}

#[Object]
/// The result of `unfollow`.
impl UnfollowPayload {
    /// The `clientMutationId` of the input.
    async fn client_mutation_id(&self) -> Option<&str> {
        self.0.client_mutation_id.as_deref()
    }

    /// The outcome; null exactly if `userErrors` is not empty.
    async fn outcome(&self) -> Option<UnfollowOutcome> {
        self.0.outcome()
    }

    /// The unfollowed user after the change.
    async fn user(&self) -> Option<Projected<User>> {
        self.0.user()
    }

    /// What went wrong; empty on success.
    async fn user_errors(&self) -> Vec<FollowError> {
        self.0.errors()
    }

    /// The viewer's account after the change.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Result<Projected<User>, Failure>> {
        self.0.viewer(ctx).await
    }
}
