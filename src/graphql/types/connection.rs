//! Connections: pages of followers, of followed users, and of all users.
//!
//! A connection loads nothing until one of its fields is resolved. `totalCount` comes with the
//! page if anything of the page is selected, and takes a count of its own only if it is selected
//! alone.

use std::sync::Arc;

use async_graphql::{Context, Object};
use tokio::sync::OnceCell;

use super::{
    page::{ListRequest, PageArguments, PageInfo},
    scalar::{DateTime, clamped},
    user::User,
};
use crate::{
    domain::{self, FollowPageKey, Page, UserId, UserListRequest, UsernamePrefix},
    graphql::{
        context::RequestContext,
        cursor,
        error::Failure,
        lists::{List, OrderField, OrderedList, Source, USERS},
        projection::fields::Needs,
    },
    service::{ListPage, ListedUser},
};

/// A page of a list of follows, and what is selected of it.
pub(crate) struct Follows {
    list: OrderedList,
    key: FollowPageKey,
    needs: Needs,
}

impl Follows {
    /// The page that a field of a user asks for with its arguments and its selection.
    pub(crate) fn select(
        ctx: &Context<'_>,
        list: &'static List,
        user: UserId,
        arguments: &PageArguments,
    ) -> Result<Self, Failure> {
        let Source::Follows(source) = list.source else { return Err(Failure::internal()) };
        let request = arguments.read(list, RequestContext::of(ctx).limits.page_size_max)?;
        let needs = Needs::of_connection(&ctx.look_ahead());
        let page = request.page_of_follows(needs.ends());
        let key = FollowPageKey { user, list: source, request: page };
        Ok(Self { list: request.list, key, needs })
    }

    async fn page(&self, ctx: &Context<'_>) -> Result<Arc<ListPage>, Failure> {
        RequestContext::of(ctx).loaders.pages.one(self.key).await
    }

    async fn edges<E>(
        &self,
        ctx: &Context<'_>,
        edge: fn(Edge) -> E,
    ) -> Result<Vec<Option<E>>, Failure> {
        let page = self.page(ctx).await?;
        let edge = |item: &ListedUser| Some(edge(Edge { list: self.list, item: item.clone() }));
        Ok(page.page.items.iter().map(edge).collect())
    }

    async fn nodes(&self, ctx: &Context<'_>) -> Result<Vec<Option<User>>, Failure> {
        let page = self.page(ctx).await?;
        Ok(page.page.items.iter().map(|item| Some(User(Arc::clone(&item.user)))).collect())
    }

    async fn page_info(&self, ctx: &Context<'_>) -> Result<PageInfo, Failure> {
        let page = &self.page(ctx).await?.page;
        Ok(page_info(page, |item| cursor::encode_follow(&self.list, item)))
    }

    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32, Failure> {
        let counts = if self.needs.include(Needs::PAGE) {
            self.page(ctx).await?.counts
        } else {
            RequestContext::of(ctx).loaders.counts.one(self.key.user).await?
        };
        Ok(clamped(counts.of(self.key.list)))
    }
}

fn page_info<T>(page: &Page<T>, cursor: impl Fn(&T) -> String) -> PageInfo {
    PageInfo {
        end_cursor: page.items.last().map(&cursor),
        has_next_page: page.has_next,
        has_previous_page: page.has_previous,
        start_cursor: page.items.first().map(&cursor),
    }
}

/// A page of users, and what is selected of it.
pub(crate) struct Users {
    request: ListRequest,
    /// `None` if no username can begin with the prefix that was given.
    prefix: Option<UsernamePrefix>,
    needs: Needs,
    loaded: OnceCell<Result<Arc<Page<Arc<domain::User>>>, Failure>>,
}

impl Users {
    pub(crate) fn select(
        ctx: &Context<'_>,
        arguments: &PageArguments,
        prefix: &str,
    ) -> Result<Self, Failure> {
        let size_max = RequestContext::of(ctx).limits.page_size_max;
        let request = arguments.read(&USERS, size_max)?;
        let prefix = UsernamePrefix::parse(prefix);
        let needs = Needs::of_connection(&ctx.look_ahead());
        Ok(Self { request, prefix, needs, loaded: OnceCell::new() })
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
        let order = match self.request.list.order.field {
            OrderField::Username => domain::UserOrderField::Username,
            OrderField::CreatedAt | OrderField::FollowedAt => domain::UserOrderField::CreatedAt,
        };
        let page = self.request.page_of_users(self.needs.ends());
        Ok(request.service.page_of_users(&UserListRequest { order, page, prefix }).await?)
    }

    /// The number of users in the whole list.
    pub(crate) async fn count(&self, request: &RequestContext) -> Result<i64, Failure> {
        match &self.prefix {
            Some(prefix) => Ok(request.service.count_users(prefix).await?),
            None => Ok(0),
        }
    }

    pub(crate) const fn list(&self) -> OrderedList {
        self.request.list
    }

    async fn edges<E>(
        &self,
        ctx: &Context<'_>,
        edge: fn(UserEntry) -> E,
    ) -> Result<Vec<Option<E>>, Failure> {
        let page = self.page(RequestContext::of(ctx)).await?;
        let edge = |user: &Arc<domain::User>| {
            Some(edge(UserEntry { list: self.list(), user: Arc::clone(user) }))
        };
        Ok(page.items.iter().map(edge).collect())
    }

    async fn nodes(&self, ctx: &Context<'_>) -> Result<Vec<Option<User>>, Failure> {
        let page = self.page(RequestContext::of(ctx)).await?;
        Ok(page.items.iter().map(|user| Some(User(Arc::clone(user)))).collect())
    }

    async fn page_info(&self, ctx: &Context<'_>) -> Result<PageInfo, Failure> {
        let page = self.page(RequestContext::of(ctx)).await?;
        Ok(page_info(&page, |user| cursor::encode_user(&self.list(), user)))
    }

    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32, Failure> {
        Ok(clamped(self.count(RequestContext::of(ctx)).await?))
    }
}

/// A user as an entry of a list.
pub(crate) struct UserEntry {
    list: OrderedList,
    user: Arc<domain::User>,
}

impl UserEntry {
    fn cursor(&self) -> String {
        cursor::encode_user(&self.list, &self.user)
    }

    const fn user(&self) -> &Arc<domain::User> {
        &self.user
    }
}

/// A follow as an entry of a list.
pub(crate) struct Edge {
    pub list: OrderedList,
    pub item: ListedUser,
}

impl Edge {
    fn cursor(&self) -> String {
        cursor::encode_follow(&self.list, &self.item)
    }

    const fn user(&self) -> &Arc<domain::User> {
        &self.item.user
    }
}

/// Defines a connection over its page, with its edge over an entry of the page. The texts are
/// descriptions.
macro_rules! connection {
    (
        $connection:ident($page:ident): $of_connection:literal, nodes: $of_nodes:literal;
        $edge:ident($entry:ident): $of_edge:literal, node: $of_node:literal
        $(, followedAt: $of_time:literal)?
    ) => {
        #[doc = $of_connection]
        pub(crate) struct $connection(pub $page);

        #[Object]
        #[doc = $of_connection]
        impl $connection {
            /// The edges of the page.
            async fn edges(
                &self,
                ctx: &Context<'_>,
            ) -> Option<Result<Vec<Option<$edge>>, Failure>> {
                Some(self.0.edges(ctx, $edge).await)
            }

            #[doc = $of_nodes]
            async fn nodes(&self, ctx: &Context<'_>) -> Option<Result<Vec<Option<User>>, Failure>> {
                Some(self.0.nodes(ctx).await)
            }

            /// Where the page lies within the list.
            async fn page_info(&self, ctx: &Context<'_>) -> Result<PageInfo, Failure> {
                self.0.page_info(ctx).await
            }

            /// The number of edges in the whole list.
            async fn total_count(&self, ctx: &Context<'_>) -> Result<i32, Failure> {
                self.0.total_count(ctx).await
            }
        }

        #[doc = $of_edge]
        pub(crate) struct $edge(pub $entry);

        #[Object]
        #[doc = $of_edge]
        impl $edge {
            /// The position of the edge in the list.
            async fn cursor(&self) -> String {
                self.0.cursor()
            }

            $(#[doc = $of_time]
            async fn followed_at(&self) -> DateTime {
                DateTime(self.0.item.followed_at)
            })?

            #[doc = $of_node]
            async fn node(&self) -> Option<User> {
                Some(User(Arc::clone(self.0.user())))
            }
        }
    };
}

connection! {
    FollowerConnection(Follows): "A page of the users who follow a user.",
        nodes: "The followers of the page, without their edges.";
    FollowerEdge(Edge): "A follow, seen from the followed user.",
        node: "The follower.", followedAt: "When the follow began."
}
connection! {
    FollowingConnection(Follows): "A page of the users whom a user follows.",
        nodes: "The followed users of the page, without their edges.";
    FollowingEdge(Edge): "A follow, seen from the follower.",
        node: "The followed user.", followedAt: "When the follow began."
}
connection! {
    UserConnection(Users): "A page of users.",
        nodes: "The users of the page, without their edges.";
    UserEdge(UserEntry): "A user in a list of users.", node: "The user."
}
