//! Accounts of users who sign in at the identity provider.

use super::{accounts::DRAWS_MAX, claims::ForeignAccount};
use crate::{
    domain::{Account, AvatarUrl, DisplayName, NewUser, UserId, Username},
    service::{Error, Result, Service},
};

impl Service {
    /// The account of a subject, created on its first request. A name or picture that breaks our
    /// rules is dropped; a username that is taken gets a random number.
    pub(crate) async fn find_or_create_foreign(&self, foreign: &ForeignAccount) -> Result<Account> {
        let preferred = preferred_username(foreign)?;
        let name = foreign.name.as_deref().and_then(|name| DisplayName::parse(name).ok());
        let picture = foreign.picture.as_deref().and_then(|url| AvatarUrl::parse(url).ok());

        for _ in 0..DRAWS_MAX {
            if let Some(account) = self.store.find_account_by_external_id(&foreign.subject).await? {
                return Ok(account);
            }
            let username = self.free_username(&preferred).await?;
            let mut user = NewUser::bare(UserId::MIN, username, self.clock.now());
            user.name = name.as_ref().map(|name| name.as_str().to_owned());
            user.avatar_url = picture.as_ref().map(|url| url.as_str().to_owned());
            user.external_id = Some(foreign.subject.clone());
            // The next round finds the account, also if a concurrent request created it.
            self.create_with_new_id(&mut user).await?;
        }
        Err(Error::Unavailable("no free username was found".to_owned()))
    }

    /// The preferred username, or if it is taken, the same with a random number appended.
    async fn free_username(&self, preferred: &Username) -> Result<Username> {
        if self.find_user(&preferred.key()).await?.is_none() {
            return Ok(preferred.clone());
        }
        Ok(preferred.numbered(self.random.next_u32().into()))
    }
}

/// The preferred username as far as our rules allow; "user" if nothing is left.
fn preferred_username(foreign: &ForeignAccount) -> Result<Username> {
    let preferred = foreign.preferred_username.as_deref().unwrap_or_default();
    let wrong = |error| Error::Internal(format!("a username {error}"));
    Username::adapted(preferred).map_or_else(|| Username::parse("user").map_err(wrong), Ok)
}
