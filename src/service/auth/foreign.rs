//! Users whom the identity provider of the host vouches for.

use super::{accounts::DRAWS_MAX, claims::ForeignAccount};
use crate::{
    domain::{Account, AvatarUrl, DisplayName, NewUser, UserId, Username},
    service::{Error, Result, Service},
};

impl Service {
    /// The account of a subject, made on its first request. What the provider says is taken as
    /// far as it keeps our rules; a username that is taken gets a number.
    pub(crate) async fn foreign_account(&self, foreign: &ForeignAccount) -> Result<Account> {
        let wanted = wanted_username(foreign);
        let name = foreign.name.as_deref().and_then(|name| DisplayName::parse(name).ok());
        let picture = foreign.picture.as_deref().and_then(|url| AvatarUrl::parse(url).ok());

        for _ in 0..DRAWS_MAX {
            if let Some(account) = self.store.find_account_by_subject(&foreign.subject).await? {
                return Ok(account);
            }
            let username = self.free_username(&wanted).await?;
            let mut user = NewUser::bare(UserId::MIN, username, self.clock.now());
            user.name = name.as_ref().map(|name| name.as_str().to_owned());
            user.avatar_url = picture.as_ref().map(|url| url.as_str().to_owned());
            user.subject = Some(foreign.subject.clone());
            self.create(&mut user).await?;
        }
        Err(Error::Unavailable("no free username was found".to_owned()))
    }

    /// The wanted username, or with a random number behind it when somebody has it.
    async fn free_username(&self, wanted: &str) -> Result<Username> {
        let parse = |text: &str| {
            Username::parse(text).map_err(|e| Error::Internal(format!("username {text:?} {e}")))
        };
        let plain = parse(wanted)?;
        if self.find_user(&plain.key()).await?.is_none() {
            return Ok(plain);
        }
        let number = self.random.next_u32().to_string();
        let room = Username::LENGTH_MAX - number.len() - 1;
        parse(&format!("{}_{number}", &wanted[..wanted.len().min(room)]))
    }
}

/// The username that an account of the provider should have: what is left of its preferred one
/// when all else is made an underscore.
fn wanted_username(foreign: &ForeignAccount) -> String {
    let preferred = foreign.preferred_username.as_deref().unwrap_or_default();
    let letters = preferred.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    let wanted: String = letters.take(Username::LENGTH_MAX).collect();
    if wanted.chars().any(|c| c != '_') { wanted } else { "user".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preferred_username_is_made_to_keep_our_rules() {
        let wanted = |name: &str| {
            let preferred_username = Some(name.to_owned());
            wanted_username(&ForeignAccount { preferred_username, ..ForeignAccount::default() })
        };
        assert_eq!(wanted("alice"), "alice");
        assert_eq!(wanted("alice@example.com"), "alice_example_com");
        assert_eq!(wanted("é"), "user");
        assert_eq!(wanted(&"x".repeat(50)).len(), 30);
        assert_eq!(wanted_username(&ForeignAccount::default()), "user");
    }
}
