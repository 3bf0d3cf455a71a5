//! Connections: pages of followers, of followed users, and of users.
//!
//! A connection fetches nothing by itself. `totalCount` comes with the page when anything of the
//! page is selected, and costs a count of its own only when it is selected alone.

use std::sync::Arc;

use async_graphql::{Context, Lookahead, Object};
use tokio::sync::OnceCell;

use super::{
    order::{FollowOrder, UserOrder},
    page::{PageArguments, PageInfo, UserPage, position_of},
    scalar::{DateTime, clamped},
    user::User,
};
use crate::service::{ListPage, ListedUser};
use crate::{
    domain::{
        self, Ends, FollowList, FollowPageKey, FollowPosition, OrderDirection, Page, PageRequest,
        UserId, UserListRequest, UserPosition, UsernamePrefix,
    },
    graphql::{
        context::RequestContext,
        cursor::{self, List},
        error::Failure,
    },
};

/// One of the two lists of a user, and a page of it.
struct Follows {
    key: FollowPageKey,
    /// Whether anything but `totalCount` is selected.
    wants_page: bool,
}

impl Follows {
    /// The connection that a field of a user asks for, by its arguments and its selection.
    fn select(
        ctx: &Context<'_>,
        direction: FollowList,
        user: UserId,
        arguments: &PageArguments,
        order: Option<FollowOrder>,
    ) -> Result<Self, Failure> {
        let order = order.unwrap_or(FollowOrder::DEFAULT).direction.into();
        let size_max = RequestContext::of(ctx).limits.page_size_max;
        let mut request = arguments.follows(direction, order, size_max)?;

        let selected = ctx.look_ahead();
        request.ends = ends(&selected);
        let wants_page = selected.field("pageInfo").exists()
            || selected.field("edges").exists()
            || selected.field("nodes").exists();

        let key = FollowPageKey { user, list: direction, request };
        Ok(Self { key, wants_page })
    }

    async fn page(&self, ctx: &Context<'_>) -> Result<Arc<ListPage>, Failure> {
        RequestContext::of(ctx).loaders.page_of_follows(self.key).await
    }

    async fn edges<E>(
        &self,
        ctx: &Context<'_>,
        seen_from: fn(Edge) -> E,
    ) -> Result<Vec<Option<E>>, Failure> {
        let page = self.page(ctx).await?;
        let (direction, order) = (self.key.list, self.key.request.direction);
        let edge = |item: &ListedUser| Edge { direction, order, item: item.clone() };
        Ok(page.page.items.iter().map(|item| Some(seen_from(edge(item)))).collect())
    }

    async fn nodes(&self, ctx: &Context<'_>) -> Result<Vec<Option<User>>, Failure> {
        let page = self.page(ctx).await?;
        Ok(page.page.items.iter().map(|item| Some(User(item.user.clone()))).collect())
    }

    async fn page_info(&self, ctx: &Context<'_>) -> Result<PageInfo, Failure> {
        let page = &self.page(ctx).await?.page;
        let (direction, order) = (self.key.list, self.key.request.direction);
        let cursor = |item: &ListedUser| cursor::of_follow(direction, order, item);
        Ok(PageInfo {
            end_cursor: page.items.last().map(cursor),
            has_next_page: page.has_next,
            has_previous_page: page.has_previous,
            start_cursor: page.items.first().map(cursor),
        })
    }

    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32, Failure> {
        let counts = if self.wants_page {
            self.page(ctx).await?.counts
        } else {
            RequestContext::of(ctx).loaders.counts(self.key.user).await?
        };
        Ok(clamped(counts.of(self.key.list)))
    }
}

/// A follow, seen from one of its ends.
pub(crate) struct Edge {
    pub direction: FollowList,
    pub order: OrderDirection,
    pub item: ListedUser,
}

impl Edge {
    /// The edge in the list in its default order.
    pub(crate) const fn new(direction: FollowList, item: ListedUser) -> Self {
        Self { direction, order: OrderDirection::Desc, item }
    }

    fn cursor(&self) -> String {
        cursor::of_follow(self.direction, self.order, &self.item)
    }
}

/// A page of the users who follow a user.
pub(crate) struct FollowerConnection(Follows);

impl FollowerConnection {
    pub(crate) fn select(
        ctx: &Context<'_>,
        user: UserId,
        arguments: &PageArguments,
        order: Option<FollowOrder>,
    ) -> Result<Self, Failure> {
        Follows::select(ctx, FollowList::Followers, user, arguments, order).map(Self)
    }
}

#[Object]
/// A page of the users who follow a user.
impl FollowerConnection {
    /// The edges of the page.
    async fn edges(&self, ctx: &Context<'_>) -> Option<Result<Vec<Option<FollowerEdge>>, Failure>> {
        Some(self.0.edges(ctx, FollowerEdge).await)
    }

    /// The followers of the page, without their edges.
    async fn nodes(&self, ctx: &Context<'_>) -> Option<Result<Vec<Option<User>>, Failure>> {
        Some(self.0.nodes(ctx).await)
    }

    /// Where the page lies within the list.
    async fn page_info(&self, ctx: &Context<'_>) -> Result<PageInfo, Failure> {
        self.0.page_info(ctx).await
    }

    /// How many edges there are in all, on every page together.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32, Failure> {
        self.0.total_count(ctx).await
    }
}

/// A follow, seen from the user who is followed.
pub(crate) struct FollowerEdge(pub Edge);

#[Object]
/// A follow, seen from the user who is followed.
impl FollowerEdge {
    /// The position of the edge in the list.
    async fn cursor(&self) -> String {
        self.0.cursor()
    }

    /// When the follow began.
    async fn followed_at(&self) -> DateTime {
        DateTime(cursor::position_of(&self.0.item).followed_at)
    }

    /// The follower.
    async fn node(&self) -> Option<User> {
        Some(User(self.0.item.user.clone()))
    }
}

/// A page of the users whom a user follows.
pub(crate) struct FollowingConnection(Follows);

impl FollowingConnection {
    pub(crate) fn select(
        ctx: &Context<'_>,
        user: UserId,
        arguments: &PageArguments,
        order: Option<FollowOrder>,
    ) -> Result<Self, Failure> {
        Follows::select(ctx, FollowList::Following, user, arguments, order).map(Self)
    }
}

#[Object]
/// A page of the users whom a user follows.
impl FollowingConnection {
    /// The edges of the page.
    async fn edges(
        &self,
        ctx: &Context<'_>,
    ) -> Option<Result<Vec<Option<FollowingEdge>>, Failure>> {
        Some(self.0.edges(ctx, FollowingEdge).await)
    }

    /// The followed users of the page, without their edges.
    async fn nodes(&self, ctx: &Context<'_>) -> Option<Result<Vec<Option<User>>, Failure>> {
        Some(self.0.nodes(ctx).await)
    }

    /// Where the page lies within the list.
    async fn page_info(&self, ctx: &Context<'_>) -> Result<PageInfo, Failure> {
        self.0.page_info(ctx).await
    }

    /// How many edges there are in all, on every page together.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32, Failure> {
        self.0.total_count(ctx).await
    }
}

/// A follow, seen from the user who follows.
pub(crate) struct FollowingEdge(pub Edge);

#[Object]
/// A follow, seen from the user who follows.
impl FollowingEdge {
    /// The position of the edge in the list.
    async fn cursor(&self) -> String {
        self.0.cursor()
    }

    /// When the follow began.
    async fn followed_at(&self) -> DateTime {
        DateTime(cursor::position_of(&self.0.item).followed_at)
    }

    /// The followed user.
    async fn node(&self) -> Option<User> {
        Some(User(self.0.item.user.clone()))
    }
}

/// A page of users.
pub(crate) struct UserConnection {
    page: UserPage,
    /// `None` when no username can begin with what was asked for.
    prefix: Option<UsernamePrefix>,
    ends: Ends,
    loaded: OnceCell<Result<Arc<Page<Arc<domain::User>>>, Failure>>,
}

impl UserConnection {
    pub(crate) fn select(
        ctx: &Context<'_>,
        arguments: &PageArguments,
        order: Option<UserOrder>,
        prefix: &str,
    ) -> Result<Self, Failure> {
        let UserOrder { direction, field } = order.unwrap_or(UserOrder::DEFAULT);
        let size_max = RequestContext::of(ctx).limits.page_size_max;
        let page = arguments.users(field.into(), direction.into(), size_max)?;

        let selected = ctx.look_ahead();
        let prefix = UsernamePrefix::parse(prefix);
        Ok(Self { page, prefix, ends: ends(&selected), loaded: OnceCell::new() })
    }

    /// The page, which is loaded once.
    pub(crate) async fn page(
        &self,
        request: &RequestContext,
    ) -> Result<Arc<Page<Arc<domain::User>>>, Failure> {
        let load = async || {
            let page = match &self.prefix {
                Some(prefix) => self.load(request, prefix.clone()).await?,
                None => Page { items: Vec::new(), has_next: false, has_previous: false },
            };
            Ok(Arc::new(page))
        };
        self.loaded.get_or_init(load).await.clone()
    }

    async fn load(
        &self,
        request: &RequestContext,
        prefix: UsernamePrefix,
    ) -> Result<Page<Arc<domain::User>>, Failure> {
        let UserPage { order, direction, window, after, before } = &self.page;
        let page = PageRequest {
            direction: *direction,
            window: *window,
            after: after.as_ref().map(user_position),
            before: before.as_ref().map(user_position),
            ends: self.ends,
        };
        let list = UserListRequest { order: *order, page, prefix };
        Ok(request.service.page_of_users(&list).await?)
    }

    /// How many users there are in all, on every page together.
    pub(crate) async fn count(&self, request: &RequestContext) -> Result<i64, Failure> {
        match &self.prefix {
            Some(prefix) => Ok(request.service.count_users(prefix).await?),
            None => Ok(0),
        }
    }

    /// The list, with its order.
    pub(crate) const fn list(&self) -> List {
        List::Users(self.page.order, self.page.direction)
    }

    fn cursor(&self, user: &domain::User) -> String {
        cursor::encode(self.list(), &position_of(self.page.order, user))
    }
}

/// At which ends of a page a selection wants to know whether there is more.
fn ends(selected: &Lookahead<'_>) -> Ends {
    let page_info = selected.field("pageInfo");
    Ends {
        next: page_info.field("hasNextPage").exists(),
        previous: page_info.field("hasPreviousPage").exists(),
    }
}

fn user_position(position: &cursor::Position) -> UserPosition<'_> {
    match position {
        cursor::Position::Time(FollowPosition { followed_at, user }) => {
            UserPosition::CreatedAt(*followed_at, *user)
        }
        cursor::Position::Username(key) => UserPosition::Username(key),
    }
}

#[Object]
/// A page of users.
impl UserConnection {
    /// The edges of the page.
    async fn edges(&self, ctx: &Context<'_>) -> Option<Result<Vec<Option<UserEdge>>, Failure>> {
        let edge = |user: &Arc<domain::User>| {
            Some(UserEdge { cursor: self.cursor(user), user: user.clone() })
        };
        Some(
            self.page(RequestContext::of(ctx))
                .await
                .map(|page| page.items.iter().map(edge).collect()),
        )
    }

    /// The users of the page, without their edges.
    async fn nodes(&self, ctx: &Context<'_>) -> Option<Result<Vec<Option<User>>, Failure>> {
        let node = |user: &Arc<domain::User>| Some(User(user.clone()));
        Some(
            self.page(RequestContext::of(ctx))
                .await
                .map(|page| page.items.iter().map(node).collect()),
        )
    }

    /// Where the page lies within the list.
    async fn page_info(&self, ctx: &Context<'_>) -> Result<PageInfo, Failure> {
        let page = self.page(RequestContext::of(ctx)).await?;
        Ok(PageInfo {
            end_cursor: page.items.last().map(|user| self.cursor(user)),
            has_next_page: page.has_next,
            has_previous_page: page.has_previous,
            start_cursor: page.items.first().map(|user| self.cursor(user)),
        })
    }

    /// How many users there are in all, on every page together.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32, Failure> {
        Ok(clamped(self.count(RequestContext::of(ctx)).await?))
    }
}

/// A user in a list of users.
pub(crate) struct UserEdge {
    cursor: String,
    user: Arc<domain::User>,
}

#[Object]
/// A user in a list of users.
impl UserEdge {
    /// The position of the edge in the list.
    async fn cursor(&self) -> &str {
        &self.cursor
    }

    /// The user.
    async fn node(&self) -> Option<User> {
        Some(User(self.user.clone()))
    }
}
