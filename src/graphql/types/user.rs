//! Users, and how they stand to the viewer: one row for each field.

use std::{borrow::Cow, sync::Arc};

use async_graphql::{
    Context, ContextSelectionSet, ID, Interface, Object, OutputType, Positioned, ServerResult,
    Value, parser::types::Field, registry::Registry,
};

use super::{
    avatar,
    connection::{FollowerConnection, FollowingConnection, Listed},
    denial::FollowDenialReason,
    order::FollowOrder,
    page::PageArguments,
    scalar::{DateTime, Uri, clamped},
    viewer::Viewer,
};
use crate::{
    domain,
    graphql::{
        error::Failure,
        global_id::GlobalId,
        lists::{FOLLOWERS, FOLLOWING},
        projection::fields::{AnyUserField, Needs, Plain, UserField, UserRow},
    },
};

/// What the resolver of an ID returns: the interface must not take it apart.
pub(crate) type IdAnswer = Result<ID, Failure>;

/// An object with a globally unique ID.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "IdAnswer", desc = "The opaque global ID of the object."))]
pub(crate) enum Node {
    User(User),
    Viewer(Viewer),
}

/// A [`Node`] that is resolved as the object it is.
pub(crate) struct AnyNode(pub Node);

impl OutputType for AnyNode {
    fn type_name() -> Cow<'static, str> {
        Node::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Node::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match &self.0 {
            Node::User(user) => user.resolve(ctx, field).await,
            Node::Viewer(viewer) => viewer.resolve(ctx, field).await,
        }
    }
}

/// An account that can follow others and be followed.
pub(crate) struct User(pub Arc<domain::User>);

/// Defines the fields of `User`: a constant and a resolver for each, and [`FIELDS`] with all
/// constants. A row says the name of a field, what it needs, and the value, computed from facts.
/// Lists follow. Comments are descriptions.
macro_rules! user_fields {
    (
        fields { $(
            $(#[$($of_field:tt)*])*
            $row:ident = $field:ident: $ty:ty, $name:literal, $needs:ident, $value:expr;
        )+ }
        lists { $(
            $(#[$($of_list:tt)*])*
            $list_field:ident: $list:ident -> $connection:ident;
        )+ }
    ) => {
        $(static $row: UserField<$ty> = UserField {
            row: UserRow { name: $name, needs: Needs::$needs },
            value: $value,
        };)+

        /// All fields of `User` but its lists.
        pub(crate) static FIELDS: &[&dyn AnyUserField] = &[$(&$row),+];

        #[Object]
        /// An account that can follow others and be followed.
        impl User {
            $(
            $(#[$($of_field)*])*
            async fn $field(&self, ctx: &Context<'_>) -> <$ty as Plain>::Answer<'_> {
                $row.resolve(&self.0, ctx).await
            }
            )+

            $(
            $(#[$($of_list)*])*
            async fn $list_field(
                &self,
                ctx: &Context<'_>,
                #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
                #[graphql(desc = "Only edges before this cursor.")] before: Option<String>,
                #[graphql(
                    desc = "The first n edges, at most the server's page size. Without `first` and \
                    `last`, a page of the default size."
                )]
                first: Option<i32>,
                #[graphql(desc = "The last n edges, at most the server's page size.")]
                last: Option<i32>,
                #[graphql(
                    default_with = "Some(FollowOrder::default())",
                    desc = "The order of the edges."
                )]
                order_by: Option<FollowOrder>,
            ) -> Result<$connection, Failure> {
                let arguments = PageArguments::new(first, last, after, before, order_by);
                Listed::follows(ctx, &$list, self.0.id, &arguments).map($connection)
            }
            )+
        }
    };
}

user_fields! {
    fields {
    /// A square picture of the user: the URL that they have set, or else the path of a drawn one
    /// on this server.
    AVATAR_URL = avatar_url: Uri, "avatarUrl", ROW, |facts| Uri(avatar::uri(facts.user, facts.avatars));
    /// What the user says about themselves.
    BIO = bio: Option<String>, "bio", ROW, |facts| facts.user.bio.as_deref();
    /// When the account was created.
    CREATED_AT = created_at: DateTime, "createdAt", ROW, |facts| DateTime(facts.user.created_at);
    /// The user's ID at the host application; null if it has none. Only the user and holders of
    /// `ADMIN` see it, and in a federation everybody; to others it is null.
    EXTERNAL_ID = external_id: Option<String>, "externalId", ROW, |facts| facts.external_id();
    /// How many users follow this user. It costs 1.
    FOLLOWER_COUNT = follower_count: i32, "followerCount", COUNT,
        |facts| clamped(facts.lists.counts.followers);
    /// How many users this user follows. It costs 1.
    FOLLOWING_COUNT = following_count: i32, "followingCount", COUNT,
        |facts| clamped(facts.lists.counts.following);
    /// Whether the user asks to follow the viewer and waits for an answer. False when signed out.
    HAS_REQUESTED_VIEWER = has_requested_viewer: bool, "hasRequestedViewer", TIE,
        |facts| facts.tie.has_requested_viewer;
    /// The opaque global ID of the user.
    ID_OF_USER = id: ID, "id", ROW, |facts| GlobalId::User(facts.user.id).into();
    /// Whether this user follows the viewer: the "Follows you" label. False when signed out.
    IS_FOLLOWING_VIEWER = is_following_viewer: bool, "isFollowingViewer", FOLLOWING_BACK,
        |facts| facts.relation.followed_back_at.is_some();
    /// Whether a follow of this user needs their consent. It costs 1.
    IS_PRIVATE = is_private: bool, "isPrivate", COUNT, |facts| facts.lists.is_private;
    /// Whether the user is suspended: they cannot sign in, and lists of all users leave them out.
    IS_SUSPENDED = is_suspended: bool, "isSuspended", ROW,
        |facts| facts.user.standing == domain::Standing::Suspended;
    /// Whether this user is the viewer.
    IS_VIEWER = is_viewer: bool, "isViewer", ROW, |facts| facts.is_viewer();
    /// The display name of the user.
    NAME = name: Option<String>, "name", ROW, |facts| facts.user.name.as_deref();
    /// The unique name of the account. Case does not matter.
    USERNAME = username: String, "username", ROW, |facts| facts.user.username.as_str();
    /// Whether `follow` would succeed now, by the viewer's permissions and by the limits on follows:
    /// it drives the Follow button. True for a user whom the viewer follows already.
    VIEWER_CAN_FOLLOW = viewer_can_follow: bool, "viewerCanFollow", DENIALS,
        |facts| facts.denials.is_empty();
    /// Why the viewer cannot follow this user; empty when `viewerCanFollow` is true.
    VIEWER_CANNOT_FOLLOW_REASONS = viewer_cannot_follow_reasons: Vec<FollowDenialReason>,
        "viewerCannotFollowReasons", DENIALS,
        |facts| facts.denials.iter().map(FollowDenialReason::from).collect();
    /// When the viewer followed this user; null if the viewer does not follow them.
    VIEWER_FOLLOWED_AT = viewer_followed_at: Option<DateTime>, "viewerFollowedAt", FOLLOWED,
        |facts| facts.relation.followed_at.map(DateTime);
    /// Whether the viewer asks to follow this user and waits for an answer. False when signed out.
    VIEWER_HAS_REQUESTED = viewer_has_requested: bool, "viewerHasRequested", TIE,
        |facts| facts.tie.requested_at.is_some();
    /// Whether the viewer blocks this user. False when signed out.
    VIEWER_IS_BLOCKING = viewer_is_blocking: bool, "viewerIsBlocking", TIE,
        |facts| facts.tie.is_blocking;
    /// Whether the viewer follows this user. False when signed out.
    VIEWER_IS_FOLLOWING = viewer_is_following: bool, "viewerIsFollowing", FOLLOWED,
        |facts| facts.relation.followed_at.is_some();
    /// Whether the viewer has muted this user, and the mute has not lapsed. False when signed out.
    VIEWER_IS_MUTING = viewer_is_muting: bool, "viewerIsMuting", TIE,
        |facts| facts.tie.mute.is_some();
    /// When the viewer's mute of this user ends; null without a mute, and for one without an end.
    VIEWER_MUTED_UNTIL = viewer_muted_until: Option<DateTime>, "viewerMutedUntil", TIE,
        |facts| facts.tie.mute.and_then(|mute| mute.until).map(DateTime);
    /// When the viewer asked to follow this user; null if no request is waiting.
    VIEWER_REQUESTED_AT = viewer_requested_at: Option<DateTime>, "viewerRequestedAt", TIE,
        |facts| facts.tie.requested_at.map(DateTime);
    }
    lists {
    /// The users who follow this user, by default the newest follow first. Empty if the user hides
    /// the list from the viewer.
    followers: FOLLOWERS -> FollowerConnection;
    /// The users whom this user follows, by default the newest follow first. Empty if the user hides
    /// the list from the viewer.
    following: FOLLOWING -> FollowingConnection;
    }
}
