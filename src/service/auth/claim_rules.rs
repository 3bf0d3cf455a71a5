//! Which claims of an identity provider's tokens are read, and what they mean here.
//!
//! **Invariant:** a claim of an unexpected type is read as empty: an empty username or name is ignored,
//! and an empty scope grants no permission.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::{AvatarUrl, DisplayName, Permissions, Username};

/// The name of a claim, or the path to one within others, such as `realm_access.roles`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ClaimPath(String);

/// A claim without a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write the name of a claim, or a path such as realm_access.roles")]
pub struct ClaimPathError;

impl std::str::FromStr for ClaimPath {
    type Err = ClaimPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for ClaimPath {
    type Error = ClaimPathError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let has_gap = text.is_empty() || text.contains(|c: char| c.is_whitespace());
        if has_gap { Err(ClaimPathError) } else { Ok(Self(text)) }
    }
}

impl ClaimPath {
    fn known(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The value; `None` also for null.
    fn find<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        find(claims, &self.0)
    }
}

/// The value at a path. A name may contain dots, as URLs do, so each dot may separate two names or
/// be part of one; the longest first name that exists is taken.
fn find<'c>(claims: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(path) {
        return Some(value).filter(|value| !value.is_null());
    }
    path.rmatch_indices('.').find_map(|(dot, _)| {
        let inner = claims.get(&path[..dot])?.as_object()?;
        find(inner, &path[dot + 1..])
    })
}

/// The texts of a claim: itself, or those of a list.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

/// The words of the texts of a claim.
fn words(value: &Value) -> impl Iterator<Item = &str> {
    texts(value).into_iter().flat_map(str::split_ascii_whitespace)
}

/// What the scope of a token means for its permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScopePolicy {
    /// Without the claim a token may do all that the role allows, with it only what its words name.
    #[default]
    Narrow,
    /// The claim is not read: a token may do all that the role allows.
    Ignore,
    /// As [`Self::Narrow`], but a token without the claim may only read.
    Required,
}

/// Which claims of a provider's tokens are read. Of several, the first that fits our rules counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRules {
    /// The words that name permissions: a text or a list of texts.
    pub scope: ClaimPath,
    /// Only words with this prefix count, without it.
    pub scope_prefix: String,
    /// What the scope means.
    pub scope_policy: ScopePolicy,
    /// The username of a new user. Of an address, the part before `@`.
    pub username: Vec<ClaimPath>,
    /// The display name.
    pub name: Vec<ClaimPath>,
    /// The URL of a picture.
    pub picture: Vec<ClaimPath>,
    /// The names of roles, a text or a list of texts; `None` for roles that are given here.
    pub role: Option<ClaimPath>,
}

impl Default for ClaimRules {
    fn default() -> Self {
        Self {
            scope: ClaimPath::known("scope"),
            scope_prefix: String::new(),
            scope_policy: ScopePolicy::default(),
            username: ["preferred_username", "nickname", "email"].map(ClaimPath::known).into(),
            name: vec![ClaimPath::known("name")],
            picture: vec![ClaimPath::known("picture")],
            role: None,
        }
    }
}

impl ClaimRules {
    /// What the token's scope leaves of the role's permissions; `None` for all of them.
    pub(super) fn scope(&self, claims: &Map<String, Value>) -> Option<Permissions> {
        let claim = self.scope.find(claims);
        match (self.scope_policy, claim) {
            (ScopePolicy::Ignore, _) | (ScopePolicy::Narrow, None) => None,
            (ScopePolicy::Required, None) => Some(Permissions::NONE),
            (ScopePolicy::Narrow | ScopePolicy::Required, Some(claim)) => {
                let ours = words(claim).filter_map(|word| word.strip_prefix(&self.scope_prefix));
                Some(Permissions::from_words(ours))
            }
        }
    }

    /// The username, adapted to our rules.
    pub(super) fn username(&self, claims: &Map<String, Value>) -> Option<Username> {
        first(&self.username, claims, |text| {
            let name = text.split_once('@').map_or(text, |(name, _)| name);
            Username::adapted(if name.is_empty() { text } else { name })
        })
    }

    pub(super) fn name(&self, claims: &Map<String, Value>) -> Option<DisplayName> {
        first(&self.name, claims, |text| DisplayName::parse(text).ok())
    }

    pub(super) fn picture(&self, claims: &Map<String, Value>) -> Option<AvatarUrl> {
        first(&self.picture, claims, |text| AvatarUrl::parse(text).ok())
    }

    /// The words that may name roles, in the order of the token.
    pub(super) fn roles(&self, claims: &Map<String, Value>) -> Vec<String> {
        let claim = self.role.as_ref().and_then(|role| role.find(claims));
        claim.into_iter().flat_map(words).map(str::to_owned).collect()
    }
}

/// The first text of these claims that `parse` accepts.
fn first<T>(
    paths: &[ClaimPath],
    claims: &Map<String, Value>,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    paths.iter().find_map(|path| path.find(claims)?.as_str().and_then(&parse))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::Permission;

    fn path(text: &str) -> ClaimPath {
        text.parse().expect("a path")
    }

    fn claims(value: &Value) -> &Map<String, Value> {
        value.as_object().expect("claims are an object")
    }

    #[test]
    fn a_path_leads_into_claims_whose_names_have_dots() {
        let value = json!({
            "scope": "a", "none": null, "text": "x",
            "realm_access": { "roles": ["b"] },
            "resource_access": { "app.example": { "roles": ["c"] }, "app": { "roles": ["d"] } },
            "https://example.com/roles": ["e"],
            "https://example.com/more": { "roles": ["f"] },
        });
        for (text, found) in [
            ("scope", json!("a")),
            ("realm_access.roles", json!(["b"])),
            ("resource_access.app.example.roles", json!(["c"])),
            ("resource_access.app.roles", json!(["d"])),
            ("https://example.com/roles", json!(["e"])),
            ("https://example.com/more.roles", json!(["f"])),
        ] {
            assert_eq!(path(text).find(claims(&value)), Some(&found), "{text}");
        }
        for missing in ["none", "other", "scope.a", "text.x", "realm_access.", ".", ".scope"] {
            assert_eq!(path(missing).find(claims(&value)), None, "{missing}");
        }
        for bad in ["", " ", "a b", "a\n"] {
            assert_eq!(bad.parse::<ClaimPath>(), Err(ClaimPathError), "{bad:?}");
        }
    }

    #[test]
    fn a_scope_narrows_by_its_policy_and_prefix() {
        let (follow, all) = (Some(Permissions::from_iter([Permission::Follow])), None);
        let nothing = Some(Permissions::NONE);
        for (claim, narrow, required) in [
            (Value::Null, all, nothing),
            (json!("app:follow openid"), follow, follow),
            (json!(["openid", "app:follow"]), follow, follow),
            (json!(["openid app:follow"]), follow, follow),
            (json!("follow"), nothing, nothing),
            (json!("app:"), nothing, nothing),
            (json!(""), nothing, nothing),
            (json!([]), nothing, nothing),
            (json!([1, null, "app:follow"]), follow, follow),
            (json!({ "app:follow": true }), nothing, nothing),
            (json!(true), nothing, nothing),
        ] {
            let value = json!({ "permissions": claim });
            let with = |scope_policy| {
                let (scope, scope_prefix) = (path("permissions"), "app:".to_owned());
                let rules = ClaimRules { scope, scope_prefix, scope_policy, ..Default::default() };
                rules.scope(claims(&value))
            };
            assert_eq!(with(ScopePolicy::Narrow), narrow, "{claim}");
            assert_eq!(with(ScopePolicy::Required), required, "{claim}");
            assert_eq!(with(ScopePolicy::Ignore), all, "{claim}");
        }
    }

    #[test]
    fn the_first_claim_that_fits_names_a_user() {
        let rules = ClaimRules::default();
        for (value, username) in [
            (json!({ "preferred_username": "zoe", "nickname": "z", "email": "a@b" }), Some("zoe")),
            (json!({ "preferred_username": "zoe.k@example.com" }), Some("zoe.k")),
            (json!({ "preferred_username": "", "nickname": "z" }), Some("z")),
            (json!({ "preferred_username": null, "email": "zoe@example.com" }), Some("zoe")),
            (json!({ "preferred_username": 7, "nickname": "日本", "email": "zoe@b" }), Some("zoe")),
            (json!({ "preferred_username": "@zoe" }), Some("zoe")),
            (json!({ "email": "日本@example.com" }), None),
            (json!({}), None),
        ] {
            let found = rules.username(claims(&value));
            assert_eq!(found.as_ref().map(Username::as_str), username, "{value}");
        }
        let value = json!({ "name": " ", "full": { "name": "Zoe" }, "picture": "javascript:1" });
        let rules = ClaimRules { name: vec![path("name"), path("full.name")], ..rules };
        let name = rules.name(claims(&value)).expect("a name");
        assert_eq!((name.as_str(), rules.picture(claims(&value))), ("Zoe", None));
    }

    #[test]
    fn roles_come_in_the_order_of_the_token() {
        let roles = |value: &Value| {
            let rules = ClaimRules { role: Some(path("access.roles")), ..Default::default() };
            rules.roles(claims(value))
        };
        let list = json!({ "access": { "roles": ["b", 1, "a c"] } });
        assert_eq!(roles(&list), ["b", "a", "c"]);
        assert_eq!(roles(&json!({ "access": { "roles": "b" } })), ["b"]);
        assert_eq!(roles(&json!({ "access": {} })), [""; 0]);
        assert_eq!(ClaimRules::default().roles(claims(&list)), [""; 0]);
    }
}
