//! Privacy and safety: follow requests, followers to remove, blocks, mutes, and the settings of an
//! account.

use std::{collections::HashMap, sync::atomic::Ordering};

use chrono::{DateTime, Utc};

use super::{Change, Error, ListPage, ListedUser, Result, SeenBy, Viewer};
use crate::domain::{
    AcceptOutcome, Audience, BlockOutcome, BlockRefusal, Ends, FollowAction, FollowChange,
    FollowChanged, FollowPosition, Mute, MuteOutcome, OrderDirection, OwnLengths, OwnList, Page,
    PageRequest, Privacy, PrivacyChange, RejectOutcome, RemoveOutcome, Tie, UnblockOutcome, UserId,
    Window,
};

/// The most users that one user may block.
const BLOCKS_MAX: i64 = 10_000;
/// The most users that one user may mute.
const MUTES_MAX: i64 = 10_000;
/// The most requests that are accepted together when an account becomes public.
const ACCEPTED_TOGETHER: u32 = 1_000;
/// The most requests that one call accepts.
const ACCEPTED_MAX: usize = 5_000;

/// Why a change was refused; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such user.
    NotFound,
    /// It is the viewer.
    Yourself,
    /// The viewer blocks as many users as they may.
    BlocksLimitReached,
    /// The viewer has muted as many users as they may.
    MutesLimitReached,
    /// The end of the mute has passed.
    Past,
}

/// The outcome of ending a mute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnmuteOutcome {
    /// The user was not muted; nothing changed.
    NotMuted,
    /// The mute has ended.
    Unmuted,
}

/// The settings after a change, and what became of the requests that were waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrivacyUpdate {
    /// How many requests were accepted.
    pub accepted: usize,
    /// How many are still waiting.
    pub remaining: i64,
}

type Changed<O> = Result<std::result::Result<Change<O>, Refusal>>;

/// The outcome of a change, which is of the same action.
macro_rules! outcome {
    ($changed:expr, $action:ident) => {
        $changed.try_map(|outcome| match outcome {
            FollowChanged::$action(outcome) => Some(outcome),
            _ => None,
        })
    };
}
pub(super) use outcome;

impl SeenBy {
    /// Accepts the request of a user to follow the viewer.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when signed out, or when the store fails. So do all methods below.
    pub async fn accept_follow_request(&self, user: Option<UserId>) -> Changed<AcceptOutcome> {
        let Some(changed) = self.change_by(user, FollowAction::Accept).await? else {
            return Ok(Err(self.refusal(user)?));
        };
        Ok(Ok(outcome!(changed, Accept)?))
    }

    /// Rejects the request of a user to follow the viewer. The user is not notified.
    ///
    /// # Errors
    /// See [`accept_follow_request`](Self::accept_follow_request).
    pub async fn reject_follow_request(&self, user: Option<UserId>) -> Changed<RejectOutcome> {
        let Some(changed) = self.change_by(user, FollowAction::Reject).await? else {
            return Ok(Err(self.refusal(user)?));
        };
        Ok(Ok(outcome!(changed, Reject)?))
    }

    /// Removes a user from the viewer's followers. They may follow again.
    ///
    /// # Errors
    /// See [`accept_follow_request`](Self::accept_follow_request).
    pub async fn remove_follower(&self, user: Option<UserId>) -> Changed<RemoveOutcome> {
        let Some(changed) = self.change_by(user, FollowAction::Remove).await? else {
            return Ok(Err(self.refusal(user)?));
        };
        Ok(Ok(outcome!(changed, Remove)?))
    }

    /// Blocks a user. All follows and requests between the two are gone afterwards.
    ///
    /// # Errors
    /// See [`accept_follow_request`](Self::accept_follow_request).
    pub async fn block(&self, user: Option<UserId>) -> Changed<BlockOutcome> {
        let block = FollowAction::Block { limit: BLOCKS_MAX };
        let Some(changed) = self.change_of(user, block).await? else {
            return Ok(Err(self.refusal(user)?));
        };
        self.is_blocking.store(true, Ordering::Relaxed);
        let changed = outcome!(changed, Block)?;
        Ok(match changed.outcome {
            Ok(outcome) => Ok(Change { outcome, lists: changed.lists }),
            Err(BlockRefusal::LimitReached) => Err(Refusal::BlocksLimitReached),
            Err(BlockRefusal::NotFound) => Err(self.user_not_found().await?),
        })
    }

    /// Lifts a block. What was removed by it stays removed.
    ///
    /// # Errors
    /// See [`accept_follow_request`](Self::accept_follow_request).
    pub async fn unblock(&self, user: Option<UserId>) -> Changed<UnblockOutcome> {
        let Some(changed) = self.change_of(user, FollowAction::Unblock).await? else {
            return Ok(Err(self.refusal(user)?));
        };
        Ok(Ok(outcome!(changed, Unblock)?))
    }

    /// Mutes a user until a time, or until the viewer ends it.
    ///
    /// # Errors
    /// See [`accept_follow_request`](Self::accept_follow_request).
    pub async fn mute(
        &self,
        user: Option<UserId>,
        until: Option<DateTime<Utc>>,
    ) -> Changed<MuteOutcome> {
        let (viewer, now) = (self.signed_in()?.id(), self.service.clock.now());
        let mute = Mute { until };
        if !mute.holds(now) {
            return Ok(Err(Refusal::Past));
        }
        let Some(user) = user.filter(|user| *user != viewer) else {
            return Ok(Err(self.refusal(user)?));
        };
        let outcome = self.service.store.mute(viewer, user, mute, now, MUTES_MAX).await?;
        Ok(match outcome {
            MuteOutcome::Muted => Ok(Change { outcome, lists: Vec::new() }),
            MuteOutcome::LimitReached => Err(Refusal::MutesLimitReached),
            MuteOutcome::NotFound => Err(self.user_not_found().await?),
        })
    }

    /// Ends a mute.
    ///
    /// # Errors
    /// See [`accept_follow_request`](Self::accept_follow_request).
    pub async fn unmute(&self, user: Option<UserId>) -> Changed<UnmuteOutcome> {
        let viewer = self.signed_in()?.id();
        let Some(user) = user.filter(|user| *user != viewer) else {
            return Ok(Err(self.refusal(user)?));
        };
        let ended = self.service.store.unmute(viewer, user).await?;
        let outcome = if ended { UnmuteOutcome::Unmuted } else { UnmuteOutcome::NotMuted };
        Ok(Ok(Change { outcome, lists: Vec::new() }))
    }

    /// The viewer's privacy settings.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] also when the viewer's account is gone by now.
    pub async fn privacy(&self) -> Result<Privacy> {
        let privacy = self.service.store.find_privacy(self.signed_in()?.id()).await?;
        privacy.ok_or(Error::Unauthenticated)
    }

    /// Changes the viewer's privacy settings. When the account becomes public, requests that wait
    /// are accepted, oldest first, in several transactions and at most 5,000 in a call. A call that
    /// is repeated goes on.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] also when the viewer's account is gone by now.
    pub async fn update_privacy(&self, change: PrivacyChange) -> Result<PrivacyUpdate> {
        let (viewer, at) = (self.signed_in()?.id(), self.service.clock.now());
        let store = &self.service.store;
        store.update_privacy(viewer, change).await?.ok_or(Error::Unauthenticated)?;
        let mut accepted = 0;
        if change.is_private == Some(false) {
            let oldest = PageRequest {
                direction: OrderDirection::Asc,
                window: Window::First(ACCEPTED_TOGETHER),
                after: None,
                before: None,
                ends: Ends::NONE,
            };
            let mut visited = 0;
            while visited < ACCEPTED_MAX {
                let list = OwnList::RequestsReceived;
                let page = store.page_of_own(Audience::EVERYBODY, viewer, list, &oldest).await?;
                if page.items.is_empty() {
                    break;
                }
                visited += page.items.len();
                let accept = |follower| FollowChange {
                    follower,
                    followee: viewer,
                    at,
                    action: FollowAction::AcceptIfPublic,
                };
                let changes: Vec<_> = page.items.iter().map(|item| accept(item.user)).collect();
                let before = accepted;
                for changed in store.change_follows(&changes).await {
                    let is_new = FollowChanged::Accept(AcceptOutcome::Accepted);
                    accepted += usize::from(changed?.outcome == is_new);
                }
                // The account is private again, or others have answered these requests.
                if accepted == before {
                    break;
                }
            }
        }
        let remaining = self.own_lengths().await?.requests_received;
        Ok(PrivacyUpdate { accepted, remaining })
    }

    /// What is between the viewer and these users besides follows; users without any of that are
    /// left out. A lapsed mute counts as no mute.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn ties(&self, users: &[UserId]) -> Result<HashMap<UserId, Tie>> {
        let Some(viewer) = &self.viewer else { return Ok(HashMap::new()) };
        let mut ties = self.service.store.ties(viewer.id(), users).await?;
        let now = self.service.clock.now();
        for tie in ties.values_mut() {
            tie.mute = tie.mute.filter(|mute| mute.holds(now));
        }
        Ok(ties)
    }

    /// The lengths of the lists that only the viewer reads.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when signed out, or when the store fails.
    pub async fn own_lengths(&self) -> Result<OwnLengths> {
        let viewer = self.signed_in()?.id();
        Ok(self.service.store.own_lengths(self.audience, viewer).await?)
    }

    /// A page of a list that only the viewer reads. A user who was deleted since is left out.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when signed out, or when the store fails.
    pub async fn page_of_own(
        &self,
        list: OwnList,
        request: &PageRequest<FollowPosition>,
    ) -> Result<ListPage> {
        let (viewer, store) = (self.signed_in()?.id(), &self.service.store);
        let page = store.page_of_own(self.audience, viewer, list, request).await?;
        let ids: Vec<_> = page.items.iter().map(|item| item.user).collect();
        let users = self.users_by_ids(&ids).await?;
        let listed = page.items.iter().filter_map(|item| {
            let user = users.get(&item.user)?.clone();
            Some(ListedUser { user, followed_at: item.since, until: item.until })
        });
        let Page { has_next, has_previous, .. } = page;
        let page = Page { items: listed.collect(), has_next, has_previous };
        Ok(ListPage { page, ..ListPage::empty() })
    }

    /// Changes an edge from a user to the viewer; `None` if that is refused.
    async fn change_by(
        &self,
        user: Option<UserId>,
        action: FollowAction,
    ) -> Result<Option<Change<FollowChanged>>> {
        let viewer = self.signed_in()?;
        let Some(user) = user.filter(|user| *user != viewer.id()) else { return Ok(None) };
        self.change(viewer, (user, viewer.id()), self.service.clock.now(), action).await.map(Some)
    }

    /// Changes an edge from the viewer to a user; `None` if that is refused.
    async fn change_of(
        &self,
        user: Option<UserId>,
        action: FollowAction,
    ) -> Result<Option<Change<FollowChanged>>> {
        let viewer = self.signed_in()?;
        let Some(user) = user.filter(|user| *user != viewer.id()) else { return Ok(None) };
        self.change(viewer, (viewer.id(), user), self.service.clock.now(), action).await.map(Some)
    }

    /// The refusal of a change when one of the two users does not exist any more.
    async fn user_not_found(&self) -> Result<Refusal> {
        let viewer = self.signed_in()?.id();
        let account = self.service.store.find_account(viewer).await?;
        account.map(|_| Refusal::NotFound).ok_or(Error::Unauthenticated)
    }

    /// Why a change of something between the viewer and this user is refused.
    fn refusal(&self, user: Option<UserId>) -> Result<Refusal> {
        let viewer: &Viewer = self.signed_in()?;
        let is_viewer = user == Some(viewer.id());
        Ok(if is_viewer { Refusal::Yourself } else { Refusal::NotFound })
    }
}
