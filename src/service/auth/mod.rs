//! Authentication: who the caller is, and the life of an account.
//!
//! `tokens` issues and verifies bearer tokens, reading them with `claims`: ours with `own_keys`, those
//! of identity `providers` by their `claim_rules`. `provider` holds the keys of one (`key_set`) and
//! keeps them fresh; `foreign` creates its users and gives them its roles, `profiles`
//! brings their names and pictures up to date.
//! `passwords` hashes, and `imported_hashes` verifies those of
//! other applications. `sessions` has the use cases that end with a token or revoke tokens,
//! `accounts` those that create, change or delete an account.

mod accounts;
mod claim_rules;
mod claims;
mod foreign;
mod imported_hashes;
mod key_set;
mod own_keys;
mod passwords;
mod profiles;
mod provider;
mod providers;
mod sessions;
mod tokens;

pub(super) use self::{accounts::DRAWS_MAX, passwords::Passwords, profiles::ProfileChanges};
pub use self::{
    accounts::NewAccount,
    claim_rules::{ClaimPath, ClaimPathError, ClaimRules, ScopePolicy},
    claims::{ForeignAccount, Session, Subject, TokenClaims},
    imported_hashes::stored_hash,
    key_set::JwksError,
    own_keys::SecretError,
    provider::{IdentityProvider, KeySource, ProviderName, ProviderNameError, Trust},
    providers::{Providers, ProvidersError},
    sessions::{PasswordChange, SignIn, SignInRefusal, SignedIn},
    tokens::Tokens,
};
