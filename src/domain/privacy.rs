//! Privacy: what users decide about their accounts and lists, and who sees a list.
//!
//! [`ListReader::sees`] is the only place that says who sees a list. A database asks it once for all
//! settings and keeps the answers as bits, so its statements know no rule.

use chrono::{DateTime, Utc};

use super::{FollowList, UserId};

/// Who sees a list of a user. The user and moderators always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i64)]
pub enum ListVisibility {
    /// Any reader of the account.
    Everybody = 1,
    /// The followers of the user.
    Followers = 2,
    /// No other user.
    Nobody = 3,
}

/// The privacy settings of a user: bits of one number in the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Privacy(i64);

impl Privacy {
    /// A public account with visible lists.
    pub const PUBLIC: Self = Self(0);

    const LIST_MASK: i64 = 3;
    const PRIVATE: i64 = 1 << 6;
    const ACCEPTS_FOLLOWED: i64 = 1 << 7;

    /// The settings from their bits in the database; unknown bits are kept.
    #[must_use]
    pub const fn from_bits(bits: i64) -> Self {
        Self(bits)
    }

    /// The bits for the database.
    #[must_use]
    pub const fn bits(self) -> i64 {
        self.0
    }

    /// Whether a follow needs the consent of the user.
    #[must_use]
    pub const fn is_private(self) -> bool {
        self.0 & Self::PRIVATE != 0
    }

    /// Whether the user consents at once to follows by those whom the user follows.
    #[must_use]
    pub const fn accepts_followed(self) -> bool {
        self.0 & Self::ACCEPTS_FOLLOWED != 0
    }

    /// Who sees a list; `None` if that is as the account: everybody while it is public, otherwise
    /// the followers.
    #[must_use]
    pub const fn visibility(self, list: FollowList) -> Option<ListVisibility> {
        match self.0 >> list_shift(list) & Self::LIST_MASK {
            1 => Some(ListVisibility::Everybody),
            2 => Some(ListVisibility::Followers),
            3 => Some(ListVisibility::Nobody),
            _ => None,
        }
    }

    /// The settings after a change.
    #[must_use]
    pub const fn after(self, change: &PrivacyChange) -> Self {
        let (kept, set) = change.masks();
        Self(self.0 & kept | set)
    }
}

/// Where the bits of a list begin.
const fn list_shift(list: FollowList) -> u32 {
    match list {
        FollowList::Followers => 0,
        FollowList::Following => 2,
    }
}

/// A change of privacy settings. What is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrivacyChange {
    /// Whether the account is private.
    pub is_private: Option<bool>,
    /// Whether it accepts requests of users whom it follows by itself.
    pub accepts_followed: Option<bool>,
    /// Who sees the followers.
    pub followers: Option<Option<ListVisibility>>,
    /// Who sees the followed users.
    pub following: Option<Option<ListVisibility>>,
}

impl PrivacyChange {
    /// The bits that are kept, and those that are set then.
    #[must_use]
    pub const fn masks(&self) -> (i64, i64) {
        let flags = [
            (self.is_private, Privacy::PRIVATE),
            (self.accepts_followed, Privacy::ACCEPTS_FOLLOWED),
        ];
        let lists =
            [(self.followers, FollowList::Followers), (self.following, FollowList::Following)];
        let (mut kept, mut set, mut n) = (!0, 0, 0);
        while n < 2 {
            if let (Some(flag), bit) = flags[n] {
                kept &= !bit;
                set |= if flag { bit } else { 0 };
            }
            if let (Some(visibility), list) = lists[n] {
                kept &= !(Privacy::LIST_MASK << list_shift(list));
                let bits = match visibility {
                    Some(visibility) => visibility as i64,
                    None => 0,
                };
                set |= bits << list_shift(list);
            }
            n += 1;
        }
        (kept, set)
    }
}

/// Who reads a list, as far as that decides whether it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListReader {
    /// The owner of the list or a moderator.
    Everything,
    /// Another user; `None` if signed out.
    Other(Option<UserId>),
}

impl ListReader {
    /// Whether the reader sees the list of an owner with these settings. `follows` says whether the
    /// reader follows the owner.
    #[must_use]
    pub const fn sees(self, privacy: Privacy, list: FollowList, follows: bool) -> bool {
        if matches!(self, Self::Everything) {
            return true;
        }
        match (privacy.visibility(list), privacy.is_private()) {
            (Some(ListVisibility::Everybody), _) | (None, false) => true,
            (Some(ListVisibility::Followers), _) | (None, true) => follows,
            (Some(ListVisibility::Nobody), _) => false,
        }
    }

    /// The answers of [`sees`](Self::sees) for all settings, as bits. The setting of the list, from
    /// 0 to 3, counts 4, a private account 2, and a reader who follows 1.
    #[must_use]
    pub fn rule(self) -> i64 {
        let sees = |bit: i64| {
            let private = if bit & 2 == 0 { 0 } else { Privacy::PRIVATE };
            self.sees(Privacy(bit >> 2 | private), FollowList::Followers, bit & 1 != 0)
        };
        (0..16).filter(|bit| sees(*bit)).fold(0, |rule, bit| rule | 1 << bit)
    }

    /// The user whose follow of the owner counts.
    #[must_use]
    pub const fn viewer(self) -> Option<UserId> {
        match self {
            Self::Everything => None,
            Self::Other(viewer) => viewer,
        }
    }
}

/// A mute. It hides a user from the events and suggestions of the muter, and from nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mute {
    /// When it ends; `None` if only the muter ends it.
    pub until: Option<DateTime<Utc>>,
}

impl Mute {
    /// Whether the mute has not lapsed.
    #[must_use]
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: [FollowList; 2] = [FollowList::Followers, FollowList::Following];

    fn settings(is_private: bool, visibility: Option<ListVisibility>) -> Privacy {
        let change = PrivacyChange {
            is_private: Some(is_private),
            followers: Some(visibility),
            following: Some(visibility),
            ..PrivacyChange::default()
        };
        Privacy::PUBLIC.after(&change)
    }

    #[test]
    fn a_list_is_seen_as_its_owner_decides() {
        use ListVisibility::{Everybody, Followers, Nobody};
        // Visibility, for a private account; seen by strangers, by followers.
        for (visibility, is_private, stranger, follower) in [
            (None, false, true, true),
            (None, true, false, true),
            (Some(Everybody), false, true, true),
            (Some(Everybody), true, true, true),
            (Some(Followers), false, false, true),
            (Some(Followers), true, false, true),
            (Some(Nobody), false, false, false),
            (Some(Nobody), true, false, false),
        ] {
            let privacy = settings(is_private, visibility);
            let reader = ListReader::Other(Some(UserId(1)));
            for list in LISTS {
                assert_eq!(reader.sees(privacy, list, false), stranger, "{privacy:?} {list:?}");
                assert_eq!(reader.sees(privacy, list, true), follower, "{privacy:?} {list:?}");
                assert!(ListReader::Everything.sees(privacy, list, false), "{privacy:?} {list:?}");
            }
        }
    }

    #[test]
    fn the_bits_of_the_rule_are_its_answers() {
        for reader in [ListReader::Everything, ListReader::Other(None)] {
            let rule = reader.rule();
            for bits in 0..256 {
                let privacy = Privacy::from_bits(bits);
                for (list, follows) in LISTS.into_iter().zip([false, true]) {
                    let shift = list_shift(list);
                    let setting = bits >> shift & Privacy::LIST_MASK;
                    let bit = 4 * setting + 2 * (bits >> 6 & 1) + i64::from(follows);
                    let sees = rule >> bit & 1 == 1;
                    assert_eq!(sees, reader.sees(privacy, list, follows), "{privacy:?} {list:?}");
                }
            }
        }
        assert_eq!(ListReader::Everything.rule(), 0xFFFF);
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let before = settings(true, Some(ListVisibility::Followers));
        let accepts = PrivacyChange { accepts_followed: Some(true), ..PrivacyChange::default() };
        let after = before.after(&accepts);
        assert!(after.accepts_followed() && after.is_private());
        assert_eq!(after.visibility(FollowList::Following), Some(ListVisibility::Followers));

        let public = PrivacyChange {
            is_private: Some(false),
            following: Some(None),
            ..PrivacyChange::default()
        };
        let after = after.after(&public);
        assert!(after.accepts_followed() && !after.is_private());
        assert_eq!(after.visibility(FollowList::Following), None);
        assert_eq!(after.visibility(FollowList::Followers), Some(ListVisibility::Followers));
        assert_eq!(after.after(&PrivacyChange::default()), after);
    }
}
