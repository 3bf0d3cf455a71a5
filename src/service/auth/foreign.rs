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
        let preferred = sanitized_username(foreign);
        let name = foreign.name.as_deref().and_then(|name| DisplayName::parse(name).ok());
        let picture = foreign.picture.as_deref().and_then(|url| AvatarUrl::parse(url).ok());

        for _ in 0..DRAWS_MAX {
            if let Some(account) = self.store.find_account_by_subject(&foreign.subject).await? {
                return Ok(account);
            }
            let username = self.free_username(&preferred).await?;
            let mut user = NewUser::bare(UserId::MIN, username, self.clock.now());
            user.name = name.as_ref().map(|name| name.as_str().to_owned());
            user.avatar_url = picture.as_ref().map(|url| url.as_str().to_owned());
            user.subject = Some(foreign.subject.clone());
            // The next round finds the account, also if a concurrent request created it.
            self.create_with_new_id(&mut user).await?;
        }
        Err(Error::Unavailable("no free username was found".to_owned()))
    }

    /// The preferred username, or if it is taken, the same with a random number appended.
    async fn free_username(&self, preferred: &str) -> Result<Username> {
        let parse = |text: &str| {
            Username::parse(text).map_err(|e| Error::Internal(format!("username {text:?} {e}")))
        };
        let plain = parse(preferred)?;
        if self.find_user(&plain.key()).await?.is_none() {
            return Ok(plain);
        }
        let number = self.random.next_u32().to_string();
        let prefix_max = Username::LENGTH_MAX - number.len() - 1;
        parse(&format!("{}_{number}", &preferred[..preferred.len().min(prefix_max)]))
    }
}

/// The preferred username cut to our length, with an underscore for each invalid character; "user"
/// if nothing valid is left.
fn sanitized_username(foreign: &ForeignAccount) -> String {
    let preferred = foreign.preferred_username.as_deref().unwrap_or_default();
    let valid = preferred.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    let username: String = valid.take(Username::LENGTH_MAX).collect();
    if username.chars().any(|c| c != '_') { username } else { "user".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferred_usernames_are_sanitized() {
        let sanitized = |name: &str| {
            let preferred_username = Some(name.to_owned());
            sanitized_username(&ForeignAccount { preferred_username, ..ForeignAccount::default() })
        };
        assert_eq!(sanitized("alice"), "alice");
        assert_eq!(sanitized("alice@example.com"), "alice_example_com");
        assert_eq!(sanitized("é"), "user");
        assert_eq!(sanitized(&"x".repeat(50)).len(), 30);
        assert_eq!(sanitized_username(&ForeignAccount::default()), "user");
    }
}
