//! The words of the product and their rules: users, roles, follows, pages.
//!
//! Plain data and pure functions. Nothing here is async, opens a connection
//! or depends on a database, GraphQL or HTTP. Every other layer may use it.

mod administration;
mod audience;
mod change;
mod clock;
mod drift;
mod edge;
mod event;
mod external_id;
mod follow;
mod follow_rule;
mod form;
mod global_id;
mod id;
mod import;
mod limits;
mod page;
mod privacy;
mod profile;
mod role;
mod search;
pub mod text;
mod user;
mod username;
mod webhook;

pub use administration::{
    Actor, AdminChange, AdminOutcome, AdminRefusal, Administration, AuditAction, AuditEntry,
    PasswordHash, Standing, outranks,
};
pub use audience::Audience;
pub use change::{
    AcceptOutcome, BlockOutcome, BlockRefusal, Changed, FollowAction, FollowChange, FollowChanged,
    FollowImport, ListsRow, MuteOutcome, RejectOutcome, RemoveOutcome, UnblockOutcome,
    UnfollowOutcome,
};
pub use clock::{Clock, SystemClock, TIMES, to_micros};
pub use drift::Drift;
pub use edge::{Edge, EdgeKind, Length, Lengths, OfEdges};
pub use event::{EventCause, EventKind, EventLog, EventPage, FollowEvent, readable_after};
pub use external_id::{ExternalId, ExternalIdError};
pub use follow::{
    Day, Follow, FollowCounts, FollowItem, FollowList, FollowPage, FollowPageKey, FollowPosition,
    OwnItem, OwnLengths, OwnList, Relation, SeenLists, Tie,
};
pub use follow_rule::{
    FollowFacts, FollowLimit, FollowLimits, FollowOutcome, FollowRefusal, FollowStanding,
    FollowTies, FollowUsage, decide_follow,
};
pub use form::{BrokenRule, Form, FormError};
pub use global_id::GlobalId;
pub use id::{UserId, UserIds};
pub use import::{Import, ImportKind, ImportProgress, ImportedUser, UserImport, UserNames};
pub use limits::Limits;
pub use page::{Ends, OrderDirection, Outside, Page, PageRequest, Window};
pub use privacy::{ListReader, ListVisibility, Mute, Privacy, PrivacyChange};
pub use profile::{AvatarUrl, Bio, DisplayName, ProfileChange, TextError};
pub use role::{Permission, Permissions, Role};
pub use search::{UserSearch, name_prefixes};
pub use user::{
    Account, Credentials, NewUser, User, UserListRequest, UserOrderField, UserPosition,
};
pub use username::{Username, UsernameError, UsernameKey};
pub use webhook::{
    Webhook, WebhookAttempt, WebhookBacklog, WebhookKind, WebhookNames, WebhookOutcome, WebhookUser,
};
