//! The viewer's privacy settings.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, MaybeUndefined, SimpleObject};

use super::{query::Query, safety::SafetyError, scalar::clamped, viewer::Viewer};
use crate::{
    domain::{self, FollowList, Privacy, PrivacyChange},
    graphql::{context::RequestContext, error::Failure},
};

/// Who sees a list. The owner and moderators always do.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::ListVisibility")]
pub(crate) enum Visibility {
    /// All who see the account.
    Everybody,
    /// The followers of the user.
    Followers,
    /// No other user.
    Nobody,
}

/// The privacy settings of the viewer. They have no ID: caches keep them as a part of their `Viewer`.
#[derive(SimpleObject)]
pub(crate) struct PrivacySettings {
    /// Whether requests of users whom the viewer follows are accepted at once.
    accepts_followed: bool,
    /// Who sees the viewer's followers; null if that is as the account: everybody while it is
    /// public, otherwise the followers.
    followers: Option<Visibility>,
    /// Who sees the users whom the viewer follows; null as above.
    following: Option<Visibility>,
    /// Whether a follow of the viewer needs their consent.
    is_private: bool,
}

impl From<Privacy> for PrivacySettings {
    fn from(privacy: Privacy) -> Self {
        let visibility = |list| privacy.visibility(list).map(Visibility::from);
        Self {
            accepts_followed: privacy.accepts_followed(),
            followers: visibility(FollowList::Followers),
            following: visibility(FollowList::Following),
            is_private: privacy.is_private(),
        }
    }
}

/// The input of `updatePrivacy`. A field that is left out stays unchanged.
#[derive(InputObject)]
pub(crate) struct UpdatePrivacyInput {
    /// Whether requests of users whom the viewer follows are accepted at once.
    accepts_followed: Option<bool>,
    /// Who sees the viewer's followers; null sets it to that of the account.
    followers: MaybeUndefined<Visibility>,
    /// Who sees the users whom the viewer follows; null sets it to that of the account.
    following: MaybeUndefined<Visibility>,
    /// Whether a follow of the viewer needs their consent. `false` accepts the requests that wait,
    /// oldest first and at most 5,000 in a call.
    is_private: Option<bool>,
}

/// The result of `updatePrivacy`.
#[derive(SimpleObject)]
pub(crate) struct UpdatePrivacyPayload {
    /// How many requests were accepted because the account became public.
    accepted_requests: i32,
    /// The root of all queries, read after the change.
    query: Query,
    /// How many requests still wait. If the account is public, call again to accept them.
    remaining_requests: i32,
    /// What went wrong; empty on success.
    user_errors: Vec<SafetyError>,
    /// The viewer after the change.
    viewer: Option<Viewer>,
}

/// The change of a field: none, or a new value that may be null.
#[expect(clippy::option_option, reason = "as `PrivacyChange` tells the three apart")]
fn changed(visibility: MaybeUndefined<Visibility>) -> Option<Option<domain::ListVisibility>> {
    match visibility {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(visibility) => Some(Some(visibility.into())),
    }
}

impl UpdatePrivacyPayload {
    pub(crate) async fn update_privacy(
        ctx: &Context<'_>,
        input: UpdatePrivacyInput,
    ) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let viewer = Arc::clone(request.service.signed_in()?);
        let change = PrivacyChange {
            is_private: input.is_private,
            accepts_followed: input.accepts_followed,
            followers: changed(input.followers),
            following: changed(input.following),
        };
        let update = request.service.update_privacy(change).await?;
        request.loaders.clear().await;
        Ok(Self {
            accepted_requests: i32::try_from(update.accepted).unwrap_or(i32::MAX),
            query: Query,
            remaining_requests: clamped(update.remaining),
            user_errors: Vec::new(),
            viewer: Some(Viewer(viewer)),
        })
    }
}
