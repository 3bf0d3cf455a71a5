//! The identity providers that the configuration names.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context, bail};
use chrono::TimeDelta;
use serde::Deserialize;

use super::jwks::JwksPlace;
use crate::{
    config::{self, Provider, Switch},
    domain::{Clock as _, SystemClock},
    service::{
        ClaimPath, ClaimRules, IdentityProvider, JwksError, ProviderName, Providers, ScopePolicy,
        Trust,
    },
};

/// How often the keys of a provider in the file are reloaded.
const REFRESH: &str = "5m";

/// The configured providers, whose keys have not been loaded.
pub(super) struct Configured {
    providers: Providers,
    /// Where the keys of each come from, for messages.
    origins: Vec<String>,
}

/// A provider in the file. The settings of claims are those of the variables.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: ProviderName,
    issuer: String,
    audience: Option<String>,
    jwks: String,
    jwks_refresh: Option<String>,
    scope_claim: Option<ClaimPath>,
    scope_prefix: Option<String>,
    scope_policy: Option<ScopePolicy>,
    username_claims: Option<Vec<ClaimPath>>,
    name_claims: Option<Vec<ClaimPath>>,
    picture_claims: Option<Vec<ClaimPath>>,
    role_claim: Option<ClaimPath>,
    profiles: Option<bool>,
}

/// Reads the settings of the providers. Fetches nothing.
pub(super) fn configured(provider: &Provider) -> anyhow::Result<Configured> {
    let (mut providers, mut origins) = (Vec::new(), Vec::new());
    if let Some(jwks) = &provider.jwks {
        let trust = Trust {
            name: None,
            issuer: provider.jwt_issuer.clone(),
            audience: provider.jwt_audience.clone(),
            refresh_every: TimeDelta::from_std(provider.jwks_refresh)?,
            claims: provider.claims(),
            updates_profiles: provider.jwt_profiles == Switch::On,
        };
        let origin = format!("ENTOURAGE_JWKS {jwks}");
        let source = JwksPlace::new(jwks).with_context(|| origin.clone())?;
        providers.push(IdentityProvider::new(Arc::new(source), trust));
        origins.push(origin);
    }

    let mut file_origin = "ENTOURAGE_JWKS".to_owned();
    if let Some(file) = &provider.providers_file {
        file_origin = format!("ENTOURAGE_PROVIDERS_FILE {}", file.display());
        for entry in entries(file).with_context(|| file_origin.clone())? {
            let origin = format!("{file_origin}: {}: {}", entry.name.as_str(), entry.jwks);
            providers.push(entry.provider().with_context(|| origin.clone())?);
            origins.push(origin);
        }
    }
    let providers = Providers::new(providers).with_context(|| file_origin)?;
    Ok(Configured { providers, origins })
}

fn entries(file: &Path) -> anyhow::Result<Vec<Entry>> {
    Ok(serde_json::from_str(&fs::read_to_string(file)?)?)
}

impl Entry {
    fn provider(self) -> anyhow::Result<IdentityProvider> {
        let refresh = self.jwks_refresh.as_deref().unwrap_or(REFRESH);
        let refresh = config::duration(refresh).map_err(anyhow::Error::msg);
        let refresh = refresh.context("jwks_refresh")?;
        let source = JwksPlace::new(&self.jwks)?;
        let default = ClaimRules::default();
        let claims = ClaimRules {
            scope: self.scope_claim.unwrap_or(default.scope),
            scope_prefix: self.scope_prefix.unwrap_or(default.scope_prefix),
            scope_policy: self.scope_policy.unwrap_or(default.scope_policy),
            username: self.username_claims.unwrap_or(default.username),
            name: self.name_claims.unwrap_or(default.name),
            picture: self.picture_claims.unwrap_or(default.picture),
            role: self.role_claim,
        };
        let trust = Trust {
            name: Some(self.name),
            issuer: Some(self.issuer),
            audience: self.audience,
            refresh_every: TimeDelta::from_std(refresh)?,
            claims,
            updates_profiles: self.profiles.unwrap_or(true),
        };
        Ok(IdentityProvider::new(Arc::new(source), trust))
    }
}

impl Configured {
    /// The providers, with their keys. Those of a provider that does not answer are missing if the
    /// server `waits`: it loads them while it runs.
    pub(super) async fn load(self, waits: bool) -> anyhow::Result<Providers> {
        for (provider, origin) in self.providers.iter().zip(self.origins) {
            match provider.load(SystemClock.now()).await {
                Ok(()) => {}
                Err(error @ JwksError::Unreachable(_)) if waits => {
                    let (provider, reason) = (provider.title(), error.to_string());
                    tracing::warn!(provider, origin, reason, "waiting for the provider's keys");
                }
                Err(error) => bail!("{origin}: {error}"),
            }
        }
        for provider in self.providers.iter().filter(|provider| provider.accepts_any()) {
            tracing::warn!(
                provider = provider.title(),
                "without an issuer and an audience, tokens that the provider issued to other \
                 services are accepted too"
            );
        }
        Ok(self.providers)
    }
}
