//! Connections: pages of followers, of followed users, and of all users.
//!
//! A connection loads nothing until one of its fields is resolved. In a list of follows,
//! `totalCount` comes with the page if anything of the page is selected. Alone, and in a list of
//! all users, it takes a count of its own.

use std::sync::Arc;

use async_graphql::{Context, Object};
use tokio::sync::OnceCell;

use super::{
    page::{ListRequest, PageArguments, PageInfo},
    scalar::{DateTime, clamped},
    user::User,
};
use crate::{
    domain::{self, FollowPageKey, OwnList, Page, SeenLists, UserId, UserListRequest, UserSearch},
    graphql::{
        context::RequestContext,
        cursor,
        error::Failure,
        lists::{List, OrderField, OrderedList, Source, USERS},
        projection::fields::Needs,
    },
    service::{ListPage, ListedUser, SeenBy},
};

/// A page of a list, and what is selected of it.
pub(crate) struct Listed {
    pub list: OrderedList,
    needs: Needs,
    of: Of,
}

/// The list that a page is of.
enum Of {
    Follows(FollowPageKey),
    Users {
        request: ListRequest,
        /// `None` if no user can match.
        search: Option<UserSearch>,
        loaded: OnceCell<Result<Arc<ListPage>, Failure>>,
    },
    Own {
        service: SeenBy,
        list: OwnList,
        request: ListRequest,
        loaded: OnceCell<Result<Arc<ListPage>, Failure>>,
    },
}

impl Listed {
    /// The page that a field of a user asks for with its arguments and its selection.
    pub(crate) fn follows(
        ctx: &Context<'_>,
        list: &'static List,
        user: UserId,
        arguments: &PageArguments,
    ) -> Result<Self, Failure> {
        let Source::Follows(source) = list.source else { return Err(Failure::internal()) };
        let request = arguments.read(list, RequestContext::of(ctx).limits.page_size_max)?;
        let needs = Needs::of_connection(&ctx.look_ahead());
        let page = request.page_by_time(needs.ends());
        let reader = RequestContext::of(ctx).service.reader_of(user);
        let key = FollowPageKey { user, list: source, reader, request: page };
        Ok(Self { list: request.list, needs, of: Of::Follows(key) })
    }

    /// The page that `users` asks for.
    pub(crate) fn users(
        ctx: &Context<'_>,
        arguments: &PageArguments,
        search: Option<UserSearch>,
    ) -> Result<Self, Failure> {
        let request = arguments.read(&USERS, RequestContext::of(ctx).limits.page_size_max)?;
        let needs = Needs::of_connection(&ctx.look_ahead());
        let list = request.list;
        Ok(Self { list, needs, of: Of::Users { request, search, loaded: OnceCell::new() } })
    }

    /// The page of a list that only the viewer reads.
    pub(crate) fn own(
        ctx: &Context<'_>,
        list: &'static List,
        service: SeenBy,
        arguments: &PageArguments,
    ) -> Result<Self, Failure> {
        let Source::Own(source) = list.source else { return Err(Failure::internal()) };
        let request = arguments.read(list, RequestContext::of(ctx).limits.page_size_max)?;
        let needs = Needs::of_connection(&ctx.look_ahead());
        let list = request.list;
        let of = Of::Own { service, list: source, request, loaded: OnceCell::new() };
        Ok(Self { list, needs, of })
    }

    /// The page, which is loaded once.
    pub(crate) async fn page(&self, ctx: &RequestContext) -> Result<Arc<ListPage>, Failure> {
        match &self.of {
            Of::Follows(key) => ctx.loaders.pages.one(*key).await,
            Of::Users { request, search, loaded } => {
                let load = async || {
                    let Some(search) = search else { return Ok(Arc::new(ListPage::empty())) };
                    page_of_users(ctx, request, search, self.needs).await.map(Arc::new)
                };
                loaded.get_or_init(load).await.clone()
            }
            Of::Own { service, list, request, loaded } => {
                let load = async || {
                    let page = request.page_by_time(self.needs.ends());
                    Ok(Arc::new(service.page_of_own(*list, &page).await?))
                };
                loaded.get_or_init(load).await.clone()
            }
        }
    }

    /// The length of the whole list.
    pub(crate) async fn count(&self, ctx: &RequestContext) -> Result<i64, Failure> {
        Ok(match &self.of {
            Of::Follows(key) if ctx.service.pages_have_counts() => {
                self.lists(ctx, key).await?.total(key.list)
            }
            Of::Follows(key) => ctx.loaders.lists.one(key.user).await?.total(key.list),
            Of::Own { service, list, .. } => service.own_lengths().await?.of(*list),
            Of::Users { search: Some(search), .. } => ctx.service.count_users(search).await?,
            Of::Users { search: None, .. } => 0,
        })
    }

    /// Whether the list is hidden from the viewer.
    async fn is_hidden(&self, ctx: &RequestContext) -> Result<bool, Failure> {
        let Of::Follows(key) = &self.of else { return Ok(false) };
        Ok(self.lists(ctx, key).await?.is_hidden(key.list))
    }

    /// The lists of the owner; they come with the page if one is selected.
    async fn lists(&self, ctx: &RequestContext, key: &FollowPageKey) -> Result<SeenLists, Failure> {
        if self.needs.include(Needs::PAGE) {
            Ok(self.page(ctx).await?.lists)
        } else {
            ctx.loaders.lists.one(key.user).await
        }
    }

    async fn map<T>(
        &self,
        ctx: &Context<'_>,
        entry: impl Fn(&ListedUser) -> T,
    ) -> Result<Vec<T>, Failure> {
        let page = self.page(RequestContext::of(ctx)).await?;
        Ok(page.page.items.iter().map(entry).collect())
    }

    async fn page_info(&self, ctx: &Context<'_>) -> Result<PageInfo, Failure> {
        let page = &self.page(RequestContext::of(ctx)).await?.page;
        let cursor = |item: &ListedUser| cursor::encode(&self.list, item);
        Ok(PageInfo {
            end_cursor: page.items.last().map(cursor),
            has_next_page: page.has_next,
            has_previous_page: page.has_previous,
            start_cursor: page.items.first().map(cursor),
        })
    }
}

/// A page of users, as entries whose time is that of the account.
async fn page_of_users(
    ctx: &RequestContext,
    request: &ListRequest,
    search: &UserSearch,
    needs: Needs,
) -> Result<ListPage, Failure> {
    let order = match request.list.order.field {
        OrderField::Username => domain::UserOrderField::Username,
        OrderField::CreatedAt
        | OrderField::FollowedAt
        | OrderField::MadeAt
        | OrderField::Sequence => domain::UserOrderField::CreatedAt,
    };
    let page = request.page_of_users(needs.ends());
    let request = UserListRequest { order, page, search: search.clone() };
    let Page { items, has_next, has_previous } = ctx.service.page_of_users(&request).await?;
    let entry =
        |user: Arc<domain::User>| ListedUser { followed_at: user.created_at, user, until: None };
    let items = items.into_iter().map(entry).collect();
    Ok(ListPage { page: Page { items, has_next, has_previous }, ..ListPage::empty() })
}

/// An entry of a list.
pub(crate) struct Edge {
    pub list: OrderedList,
    pub item: ListedUser,
}

/// Defines a connection with its edge. The texts are descriptions.
macro_rules! connection {
    (
        $connection:ident: $of_connection:literal, nodes: $of_nodes:literal
        $(, isHidden: $of_hidden:literal)?;
        $edge:ident: $of_edge:literal, node: $of_node:literal
        $(, $time:ident: $of_time:literal)? $(, until $until:ident: $of_until:literal)?
    ) => {
        #[doc = $of_connection]
        pub(crate) struct $connection(pub Listed);

        #[Object]
        #[doc = $of_connection]
        impl $connection {
            /// The edges of the page.
            async fn edges(&self, ctx: &Context<'_>) -> Result<Vec<$edge>, Failure> {
                let edge = |item: &ListedUser| $edge(Edge { list: self.0.list, item: item.clone() });
                self.0.map(ctx, edge).await
            }

            $(#[doc = $of_hidden]
            async fn is_hidden(&self, ctx: &Context<'_>) -> Result<bool, Failure> {
                self.0.is_hidden(RequestContext::of(ctx)).await
            })?

            #[doc = $of_nodes]
            async fn nodes(&self, ctx: &Context<'_>) -> Result<Vec<User>, Failure> {
                self.0.map(ctx, |item| User(Arc::clone(&item.user))).await
            }

            /// Where the page lies within the list.
            async fn page_info(&self, ctx: &Context<'_>) -> Result<PageInfo, Failure> {
                self.0.page_info(ctx).await
            }

            /// The number of edges in the whole list.
            async fn total_count(&self, ctx: &Context<'_>) -> Result<i32, Failure> {
                Ok(clamped(self.0.count(RequestContext::of(ctx)).await?))
            }
        }

        #[doc = $of_edge]
        pub(crate) struct $edge(pub Edge);

        #[Object]
        #[doc = $of_edge]
        impl $edge {
            /// The position of the edge in the list.
            async fn cursor(&self) -> String {
                cursor::encode(&self.0.list, &self.0.item)
            }

            $(#[doc = $of_time]
            async fn $time(&self) -> DateTime {
                DateTime(self.0.item.followed_at)
            })?

            $(#[doc = $of_until]
            async fn $until(&self) -> Option<DateTime> {
                self.0.item.until.map(DateTime)
            })?

            #[doc = $of_node]
            async fn node(&self) -> User {
                User(Arc::clone(&self.0.item.user))
            }
        }
    };
}

connection! {
    FollowerConnection: "A page of the users who follow a user.",
        nodes: "The followers of the page, without their edges.",
        isHidden: "Whether the user hides the list from the viewer. The connection is then that of \
an empty list.";
    FollowerEdge: "A follow, seen from the followed user.",
        node: "The follower.", followed_at: "When the follow began."
}
connection! {
    FollowingConnection: "A page of the users whom a user follows.",
        nodes: "The followed users of the page, without their edges.",
        isHidden: "Whether the user hides the list from the viewer. The connection is then that of \
an empty list.";
    FollowingEdge: "A follow, seen from the follower.",
        node: "The followed user.", followed_at: "When the follow began."
}
connection! {
    UserConnection: "A page of users.",
        nodes: "The users of the page, without their edges.";
    UserEdge: "A user in a list of users.", node: "The user."
}
connection! {
    FollowRequestConnection: "A page of follow requests, newest first.",
        nodes: "The users of the page, without their edges.";
    FollowRequestEdge: "A follow request that waits for an answer.",
        node: "The user who asks; of a sent request, the user who is asked.",
        requested_at: "When the request was made."
}
connection! {
    BlockedUserConnection: "A page of the users whom the viewer blocks, newest block first.",
        nodes: "The users of the page, without their edges.";
    BlockedUserEdge: "A user whom the viewer blocks.",
        node: "The user.", blocked_at: "When the viewer blocked the user."
}
connection! {
    MutedUserConnection: "A page of the users whom the viewer has muted, newest mute first. Lapsed \
mutes stay until they are ended.",
        nodes: "The users of the page, without their edges.";
    MutedUserEdge: "A user whom the viewer has muted.",
        node: "The user.", muted_at: "When the viewer first muted the user.",
        until muted_until: "When the mute ends, which may have passed; null if only the viewer ends it."
}
