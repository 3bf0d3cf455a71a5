//! Authentication: who the caller is, and the life of an account.
//!
//! `tokens` issues and verifies bearer tokens, reading them with `claims`. `provider` holds the
//! identity provider's keys (`key_set`) and keeps them fresh; `foreign` creates its users.
//! `passwords` hashes, and `imported_hashes` verifies those of
//! other applications. `sessions` has the use cases that end with a token or revoke tokens,
//! `accounts` those that create, change or delete an account.

mod accounts;
mod claims;
mod foreign;
mod imported_hashes;
mod key_set;
mod passwords;
mod provider;
mod sessions;
mod tokens;

pub(super) use self::{accounts::DRAWS_MAX, passwords::Passwords};
pub use self::{
    accounts::NewAccount,
    claims::{ForeignAccount, Session, Subject, TokenClaims},
    imported_hashes::stored_hash,
    key_set::JwksError,
    provider::{IdentityProvider, KeySource, Trust},
    sessions::{PasswordChange, SignIn, SignInRefusal, SignedIn},
    tokens::{SecretError, Tokens},
};
