//! Who the caller is: tokens, passwords, sessions and accounts.

pub(crate) mod accounts;
pub(crate) mod claims;
pub(crate) mod foreign;
pub(crate) mod key_set;
pub(crate) mod passwords;
pub(crate) mod provider;
pub(crate) mod sessions;
pub(crate) mod tokens;
