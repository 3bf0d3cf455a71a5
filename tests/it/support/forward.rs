//! Stores that wrap another one.

/// Implements `Store` for a type with a field `inner` and a method `call`: the methods in braces
/// are the type's own, and all others are forwarded through `call`. Every read of the graph is the
/// type's own.
macro_rules! forward_store {
    ($store:ident { $($own:tt)* }) => {
        $crate::support::forward::forward_store! {
            @forward $store { $($own)* }
            fn watch_users() -> Option<Box<dyn entourage::store::UserChanges>>;
            fn change_follow(
                change: entourage::domain::FollowChange
            ) -> entourage::domain::Changed<entourage::domain::FollowChanged>;
            fn find_usage(
                user: entourage::domain::UserId, day: entourage::domain::Day
            ) -> Option<entourage::domain::FollowUsage>;
            fn find_standing(
                user: entourage::domain::UserId,
                others: &[entourage::domain::UserId],
                day: entourage::domain::Day
            ) -> Option<entourage::domain::FollowStanding>;
            fn ties(
                viewer: entourage::domain::UserId, others: &[entourage::domain::UserId]
            ) -> std::collections::HashMap<entourage::domain::UserId, entourage::domain::Tie>;
            fn find_privacy(
                user: entourage::domain::UserId
            ) -> Option<entourage::domain::Privacy>;
            fn update_privacy(
                user: entourage::domain::UserId, change: entourage::domain::PrivacyChange
            ) -> Option<entourage::domain::Privacy>;
            fn mute(
                muter: entourage::domain::UserId,
                muted: entourage::domain::UserId,
                mute: entourage::domain::Mute,
                at: chrono::DateTime<chrono::Utc>,
                limit: i64
            ) -> entourage::domain::MuteOutcome;
            fn unmute(
                muter: entourage::domain::UserId, muted: entourage::domain::UserId
            ) -> bool;
            fn own_lengths(
                audience: entourage::domain::Audience, user: entourage::domain::UserId
            ) -> entourage::domain::OwnLengths;
            fn page_of_own(
                audience: entourage::domain::Audience,
                user: entourage::domain::UserId,
                list: entourage::domain::OwnList,
                request: &entourage::domain::PageRequest<entourage::domain::FollowPosition>
            ) -> entourage::domain::Page<entourage::domain::OwnItem>;
            fn events_after(
                places: &[(entourage::domain::UserId, i64)]
            ) -> std::collections::HashMap<
                (entourage::domain::UserId, i64), entourage::domain::EventLog
            >;
            fn page_of_events(
                user: entourage::domain::UserId, request: &entourage::domain::PageRequest<i64>
            ) -> entourage::domain::EventPage;
            fn last_events(
                users: &[entourage::domain::UserId]
            ) -> std::collections::HashMap<entourage::domain::UserId, i64>;
            fn watch_events() -> (Box<dyn entourage::store::EventHintStream>, bool);
            fn sweep_events(
                sweep: entourage::store::EventSweep, from: (entourage::domain::UserId, i64)
            ) -> entourage::store::Swept;
            fn register_import(import: &entourage::domain::Import) -> entourage::domain::Import;
            fn restart_import(id: &str, at: chrono::DateTime<chrono::Utc>) -> ();
            fn finish_import(id: &str, at: chrono::DateTime<chrono::Utc>, progress: entourage::domain::ImportProgress) -> bool;
            fn imports() -> Vec<entourage::domain::Import>;
            fn find_ids(
                names: &entourage::domain::UserNames
            ) -> std::collections::HashMap<String, entourage::domain::UserId>;
            fn version_of_others() -> Option<u64>;
            fn collect_statistics() -> ();
            fn export() -> Box<dyn entourage::store::Export>;
            fn import_users(
                users: &[entourage::domain::ImportedUser],
                expected: &[entourage::domain::UserImport],
                checkpoint: Option<entourage::store::Checkpoint>
            ) -> Option<Vec<entourage::domain::UserImport>>;
            fn import_follows(
                follows: &[entourage::domain::FollowChange],
                expected: &[entourage::domain::FollowChanged],
                checkpoint: Option<entourage::store::Checkpoint>
            ) -> Option<Vec<entourage::domain::FollowChanged>>;
            fn claim_webhooks(
                now: chrono::DateTime<chrono::Utc>,
                until: chrono::DateTime<chrono::Utc>,
                limit: u32
            ) -> Vec<entourage::domain::Webhook>;
            fn settle_webhooks(attempts: &[entourage::domain::WebhookAttempt]) -> ();
            fn parked_webhooks(after: &str, limit: u32) -> Vec<entourage::domain::Webhook>;
            fn resend_webhooks(
                ids: &[String], due_at: chrono::DateTime<chrono::Utc>
            ) -> Vec<String>;
            fn webhook_backlog() -> entourage::domain::WebhookBacklog;
            fn find_account(id: entourage::domain::UserId) -> Option<entourage::domain::Account>;
            fn find_account_by_external_id(id: &entourage::domain::ExternalId) -> Option<entourage::domain::Account>;
            fn find_credentials(key: &entourage::domain::UsernameKey) -> Option<entourage::domain::Credentials>;
            fn find_credentials_by_id(id: entourage::domain::UserId) -> Option<entourage::domain::Credentials>;
            fn create_user(user: &entourage::domain::NewUser) -> entourage::store::CreateOutcome;
            fn update_profile(
                id: entourage::domain::UserId, change: &entourage::domain::ProfileChange
            ) -> Option<std::sync::Arc<entourage::domain::User>>;
            fn change_password(
                id: entourage::domain::UserId,
                epoch: Option<i64>,
                password_hash: &str,
                at: chrono::DateTime<chrono::Utc>
            ) -> bool;
            fn replace_password_hash(
                id: entourage::domain::UserId, from: &str, to: &str
            ) -> ();
            fn end_tokens(id: entourage::domain::UserId, at: chrono::DateTime<chrono::Utc>) -> bool;
            fn roles() -> Vec<entourage::domain::Role>;
            fn administer(
                step: &entourage::domain::Administration
            ) -> entourage::domain::AdminOutcome;
            fn page_of_audit_log(
                request: &entourage::domain::PageRequest<i64>
            ) -> entourage::domain::Page<entourage::domain::AuditEntry>;
            fn delete_user(
                id: entourage::domain::UserId, at: chrono::DateTime<chrono::Utc>
            ) -> bool;
            fn schema_state() -> entourage::store::SchemaState;
            fn migrate() -> ();
            fn ping() -> ();
            fn test_write() -> ();
            fn load(graph: entourage::store::Graph, progress: entourage::store::OnProgress<'_>) -> entourage::store::LoadOutcome;
            fn find_drift(progress: entourage::store::OnProgress<'_>) -> Vec<entourage::domain::Drift>;
            fn repair(drift: &[entourage::domain::Drift]) -> u64;
        }
    };
    (
        @forward $store:ident { $($own:tt)* }
        $(fn $method:ident($($name:ident: $type:ty),*) -> $result:ty;)+
    ) => {
        #[async_trait::async_trait]
        impl entourage::store::Store for $store {
            $($own)*

            $(async fn $method(&self, $($name: $type),*) -> entourage::store::Result<$result> {
                self.call(self.inner.$method($($name),*)).await
            })+

            async fn change_follows(
                &self,
                changes: &[entourage::domain::FollowChange],
            ) -> Vec<entourage::store::Result<entourage::domain::Changed<entourage::domain::FollowChanged>>>
            {
                let work = async { Ok(self.inner.change_follows(changes).await) };
                self.call(work).await.unwrap_or_else(|error| vec![Err(error); changes.len()])
            }

            async fn webhooks_written(&self) {
                self.inner.webhooks_written().await;
            }

            async fn close(&self) {
                self.inner.close().await;
            }
        }
    };
}
pub(crate) use forward_store;
