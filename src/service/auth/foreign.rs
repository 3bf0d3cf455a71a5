//! Accounts of users who sign in at the identity provider.

use super::{accounts::DRAWS_MAX, claims::ForeignAccount};
use crate::{
    domain::{Account, Actor, AdminChange, AdminOutcome, NewUser, Role, UserId, Username},
    service::{Error, Result, Service},
};

impl Service {
    /// The account of a subject, created on its first request. A username that is taken gets a
    /// random number.
    pub(crate) async fn find_or_create_foreign(&self, foreign: &ForeignAccount) -> Result<Account> {
        for _ in 0..DRAWS_MAX {
            if let Some(account) = self.store.find_account_by_external_id(&foreign.subject).await? {
                return Ok(account);
            }
            let username = self.free_username(foreign.username.as_ref()).await?;
            let mut user = NewUser::bare(UserId::MIN, username, self.clock.now());
            user.name = foreign.name.as_ref().map(|name| name.as_str().to_owned());
            user.avatar_url = foreign.picture.as_ref().map(|url| url.as_str().to_owned());
            user.external_id = Some(foreign.subject.clone());
            // The next round finds the account, also if a concurrent request created it.
            self.create_with_new_id(&mut user).await?;
        }
        Err(Error::Unavailable("no free username was found".to_owned()))
    }

    /// Gives an account the first role of its token that exists, if it has another. If none exists,
    /// the account keeps its own.
    pub(crate) async fn take_role(
        &self,
        account: &mut Account,
        foreign: &ForeignAccount,
    ) -> Result<()> {
        // Only words before the account's own role can change anything.
        let is_own = |word: &&String| **word == account.role.name;
        let words: Vec<_> = foreign.roles.iter().take_while(|word| !is_own(word)).collect();
        if words.is_empty() {
            return Ok(());
        }
        let roles = self.store.roles().await?;
        let named = |word: &&String| roles.iter().find(|role: &&Role| role.name == **word);
        let Some(role) = words.iter().find_map(named) else { return Ok(()) };

        let (user, actor) = (&account.user, Actor::Provider(foreign.provider.clone()));
        let change = AdminChange::SetRole(user.id, role.name.clone());
        let outcome = self.administer(actor, Some(user.username.to_string()), change).await?;
        // Otherwise the role or the user has just been removed.
        if matches!(outcome, AdminOutcome::Done | AdminOutcome::Unchanged) {
            account.role = role.clone();
        }
        Ok(())
    }

    /// The preferred username, or if it is taken, the same with a random number appended; `user`
    /// without one.
    async fn free_username(&self, preferred: Option<&Username>) -> Result<Username> {
        let preferred = match preferred {
            Some(preferred) => preferred.clone(),
            None => Username::parse("user")
                .map_err(|error| Error::Internal(format!("a username {error}")))?,
        };
        // Also those of machines, which look-ups of users do not find.
        if self.store.find_credentials(&preferred.key()).await?.is_none() {
            return Ok(preferred);
        }
        Ok(preferred.numbered(self.random.next_u32().into()))
    }
}
