//! All identity providers of the host. The issuer of a token chooses the one that must have signed
//! it.
//!
//! **Invariant:** the keys of one provider never verify a token of another, and no two providers
//! share an account.

use futures_util::future::join_all;
use jsonwebtoken::dangerous::insecure_decode_claims;
use serde::Deserialize;

use super::provider::IdentityProvider;
use crate::domain::{Clock, ExternalId};

/// The identity providers of the host.
#[derive(Debug, Default)]
pub struct Providers(Vec<IdentityProvider>);

/// Why providers cannot be used together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvidersError {
    /// Two have the same name, or two have none.
    #[error("two are called {0}")]
    SameName(String),
    /// Two have the same issuer.
    #[error("two have the issuer {0}")]
    SameIssuer(String),
    /// One of several has no issuer.
    #[error("{0} needs an issuer, since there are several providers")]
    NoIssuer(String),
}

impl Providers {
    /// Takes these providers together.
    ///
    /// # Errors
    /// When the issuer of a token would not choose one of them.
    pub fn new(providers: Vec<IdentityProvider>) -> Result<Self, ProvidersError> {
        for (index, provider) in providers.iter().enumerate() {
            let before = &providers[..index];
            if before.iter().any(|other| other.trust.name == provider.trust.name) {
                return Err(ProvidersError::SameName(provider.title()));
            }
            match &provider.trust.issuer {
                Some(issuer) if before.iter().any(|p| p.trust.issuer.as_ref() == Some(issuer)) => {
                    return Err(ProvidersError::SameIssuer(issuer.clone()));
                }
                None if providers.len() > 1 => {
                    return Err(ProvidersError::NoIssuer(provider.title()));
                }
                Some(_) | None => {}
            }
        }
        Ok(Self(providers))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &IdentityProvider> {
        self.0.iter()
    }

    /// The provider that must have signed a token.
    pub(super) fn choose(&self, token: &str) -> Result<&IdentityProvider, &'static str> {
        #[derive(Deserialize)]
        struct Issuer {
            iss: String,
        }

        match &self.0[..] {
            [] => Err("no identity provider is configured"),
            [only] => Ok(only),
            several => {
                // It is verified with the keys of the chosen provider afterwards, issuer and all.
                let claims = insecure_decode_claims::<Issuer>(token);
                let issuer = claims.map_err(|_| "its issuer is missing, or not a text")?.iss;
                let is_chosen = |p: &&IdentityProvider| p.trust.issuer.as_ref() == Some(&issuer);
                several.iter().find(is_chosen).ok_or("its issuer is not one of the providers")
            }
        }
    }

    /// Whether this is the external id of a user of one of the providers that have names.
    pub(super) fn own(&self, id: &ExternalId) -> bool {
        let Some((beginning, _)) = id.as_str().split_once(':') else { return false };
        let names = self.iter().filter_map(|provider| provider.trust.name.as_ref());
        names.into_iter().any(|name| name.as_str() == beginning)
    }

    /// Loads the keys of those that were away, until all are loaded.
    pub(crate) async fn keep_loading(&self, clock: &dyn Clock) {
        join_all(self.iter().map(|provider| provider.keep_loading(clock))).await;
    }
}

impl From<IdentityProvider> for Providers {
    fn from(provider: IdentityProvider) -> Self {
        Self(vec![provider])
    }
}
