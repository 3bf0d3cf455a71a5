//! The identity providers whose tokens are accepted.

use std::{path::PathBuf, time::Duration};

use clap::{
    Args, ValueEnum,
    builder::{NonEmptyStringValueParser, PossibleValue},
};

use super::{Switch, duration, list::List};
use crate::service::{ClaimPath, ClaimRules, ScopePolicy};

/// The first identity provider, and the file with others.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Identity provider")]
pub struct Provider {
    /// JSON Web Key Set of an identity provider
    ///
    /// Its tokens are accepted too. A file or an http(s) URL.
    #[arg(
        long,
        env = "ENTOURAGE_JWKS",
        value_name = "FILE|URL",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub jwks: Option<String>,

    /// How often the key set is reloaded
    ///
    /// A token with an unknown key reloads it at once, at most every 10 seconds.
    #[arg(
        long,
        env = "ENTOURAGE_JWKS_REFRESH",
        value_name = "TIME",
        default_value = "5m",
        requires = "jwks",
        value_parser = duration
    )]
    pub jwks_refresh: Duration,

    /// Required `iss` of the identity provider's tokens
    #[arg(
        long,
        env = "ENTOURAGE_JWT_ISSUER",
        value_name = "TEXT",
        requires = "jwks",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub jwt_issuer: Option<String>,

    /// Required `aud` of the identity provider's tokens
    #[arg(
        long,
        env = "ENTOURAGE_JWT_AUDIENCE",
        value_name = "TEXT",
        requires = "jwks",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub jwt_audience: Option<String>,

    /// Claim that narrows what a token may do
    ///
    /// Its words do: a text or a list of texts. A path leads into other claims: `realm_access.roles`.
    #[arg(
        long,
        env = "ENTOURAGE_JWT_SCOPE_CLAIM",
        value_name = "CLAIM",
        default_value = "scope",
        requires = "jwks"
    )]
    jwt_scope_claim: ClaimPath,

    /// Beginning of the words that count, such as `entourage:`
    ///
    /// It is cut off: `entourage:follow` is `follow`, and `follow` alone is nothing.
    #[arg(long, env = "ENTOURAGE_JWT_SCOPE_PREFIX", value_name = "TEXT", requires = "jwks")]
    jwt_scope_prefix: Option<String>,

    /// What that claim means
    ///
    /// `narrow`: without it a token may do all that the user's role allows, with it only what its words
    /// name. `ignore`: it is not read. `required`: without it a token may only read.
    #[arg(
        long,
        env = "ENTOURAGE_JWT_SCOPE_POLICY",
        value_name = "POLICY",
        default_value = "narrow",
        hide_possible_values = true,
        requires = "jwks"
    )]
    jwt_scope_policy: ScopePolicy,

    /// Claims for the username of a new user, comma-separated
    ///
    /// The first that has a usable text counts; of an address the part before `@`. By default they are
    /// `preferred_username`, `nickname` and `email`.
    #[arg(
        long,
        env = "ENTOURAGE_JWT_USERNAME_CLAIMS",
        value_name = "CLAIMS",
        default_value = "preferred_username,nickname,email",
        hide_default_value = true,
        requires = "jwks"
    )]
    jwt_username_claims: Vec<List<ClaimPath>>,

    /// Claims for the name, comma-separated
    #[arg(
        long,
        env = "ENTOURAGE_JWT_NAME_CLAIMS",
        value_name = "CLAIMS",
        default_value = "name",
        requires = "jwks"
    )]
    jwt_name_claims: Vec<List<ClaimPath>>,

    /// Claims for the picture, comma-separated
    ///
    /// Each has its URL.
    #[arg(
        long,
        env = "ENTOURAGE_JWT_PICTURE_CLAIMS",
        value_name = "CLAIMS",
        default_value = "picture",
        requires = "jwks"
    )]
    jwt_picture_claims: Vec<List<ClaimPath>>,

    /// Claim that decides the role of a user
    ///
    /// A text or a list: the first word that is the name of a role. A token without one changes nothing.
    /// Without this setting roles are given here only.
    #[arg(long, env = "ENTOURAGE_JWT_ROLE_CLAIM", value_name = "CLAIM", requires = "jwks")]
    jwt_role_claim: Option<ClaimPath>,

    /// Whether later tokens change names and pictures
    ///
    /// If so, a token with another name or picture changes the user, at most every 10 minutes; a change
    /// by `updateProfile` lasts until then.
    #[arg(
        long,
        env = "ENTOURAGE_JWT_PROFILES",
        value_name = "on|off",
        default_value = "on",
        hide_possible_values = true,
        requires = "jwks"
    )]
    pub jwt_profiles: Switch,

    /// JSON file with further identity providers
    ///
    /// A list of objects with `name`, `issuer`, `jwks` and more: see `docs/authentication.md`.
    #[arg(long, env = "ENTOURAGE_PROVIDERS_FILE", value_name = "FILE")]
    pub providers_file: Option<PathBuf>,
}

impl Provider {
    /// Which claims of the first provider's tokens are read.
    pub fn claims(&self) -> ClaimRules {
        ClaimRules {
            scope: self.jwt_scope_claim.clone(),
            scope_prefix: self.jwt_scope_prefix.clone().unwrap_or_default(),
            scope_policy: self.jwt_scope_policy,
            username: List::concat(self.jwt_username_claims.clone()),
            name: List::concat(self.jwt_name_claims.clone()),
            picture: List::concat(self.jwt_picture_claims.clone()),
            role: self.jwt_role_claim.clone(),
        }
    }
}

impl ValueEnum for ScopePolicy {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Narrow, Self::Ignore, Self::Required]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Narrow => "narrow",
            Self::Ignore => "ignore",
            Self::Required => "required",
        }))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        provider: Provider,
    }

    #[test]
    fn the_defaults_are_those_of_other_providers() {
        let flags = Flags::parse_from(["entourage"]);
        assert_eq!(flags.provider.claims(), ClaimRules::default());
    }
}
