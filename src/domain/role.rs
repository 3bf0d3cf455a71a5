//! Roles and their permissions.
//!
//! A permission is one bit, so a set of permissions is one integer in the database.

use std::fmt;

/// A permission that an operation may require. The value is its bit in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i64)]
pub enum Permission {
    /// Follow and unfollow users.
    Follow = 1,
    /// See what other users hide: their lists, and those who block them. Suspend users.
    Moderate = 8,
    /// Create, change and delete users. Read the schema by introspection where the server runs
    /// trusted documents only.
    Admin = 16,
}

impl Permission {
    /// Every permission, in the order of their bits.
    pub const ALL: [Self; 3] = [Self::Follow, Self::Moderate, Self::Admin];

    /// The name in a token's `scope` claim.
    #[must_use]
    pub const fn scope(self) -> &'static str {
        match self {
            Self::Follow => "follow",
            Self::Moderate => "moderate",
            Self::Admin => "admin",
        }
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Permissions(i64);

impl Permissions {
    /// No permission.
    pub const NONE: Self = Self(0);
    /// The permissions over other users.
    pub const OF_STAFF: Self = Self(Permission::Moderate as i64 | Permission::Admin as i64);

    /// The set from its bits in the database; unknown bits are ignored.
    #[must_use]
    pub fn from_bits(bits: i64) -> Self {
        Permission::ALL.into_iter().filter(|p| bits & *p as i64 != 0).collect()
    }

    /// The bits for the database.
    #[must_use]
    pub const fn bits(self) -> i64 {
        self.0
    }

    /// The set that the words of a token's scope name; unknown words are ignored.
    pub fn from_words<'w>(words: impl IntoIterator<Item = &'w str>) -> Self {
        let named = |word| Permission::ALL.into_iter().find(|p| p.scope() == word);
        words.into_iter().filter_map(named).collect()
    }

    /// Whether the set contains the permission.
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission as i64 != 0
    }

    /// The set without the permissions of another.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The permissions in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The permissions in the set, in the order of their bits.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |p| self.contains(*p))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, p| bits | p as i64))
    }
}

/// The words of a scope, separated by commas.
impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(Permission::scope).collect();
        f.write_str(&words.join(","))
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A named set of permissions. The migrations create the built-in roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The unique name, such as `moderator`.
    pub name: String,
    /// The permissions of the role.
    pub permissions: Permissions,
}

impl Role {
    /// The role of a new account.
    pub const DEFAULT: &'static str = "user";
    /// The roles that the migrations create, which cannot be changed.
    pub const BUILT_IN: [&'static str; 4] = [Self::DEFAULT, "restricted", "moderator", "admin"];
    /// The most characters of a name.
    pub const NAME_MAX: usize = 32;

    /// Whether a role of one's own may have this name: 1 to 32 of `a-z 0-9 _ -`.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        (1..=Self::NAME_MAX).contains(&name.len()) && name.chars().all(is_allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_gives_only_the_permissions_it_names() {
        let scope = Permissions::from_words(["openid", "follow", "", "followers"]);
        assert_eq!(scope, [Permission::Follow].into_iter().collect());
        assert_eq!(Permissions::from_words([]), Permissions::NONE);
    }

    #[test]
    fn unknown_bits_are_ignored() {
        assert_eq!(Permissions::from_bits(-1).bits(), 1 + 8 + 16);
        assert_eq!(Permissions::from_bits(2 + 4), Permissions::NONE);
    }
}
