//! Usernames: one rule for those that people choose and for those that are imported.
//!
//! A [`Username`] can only be created by parsing, so code that has one need not check it.

use super::{User, text};

/// The unique name of an account: 1 to 64 of `a-z A-Z 0-9 _ . -`, first a letter, a digit or `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username(String);

/// Why a text is not a username. `Display` is the whole rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 of a-z, A-Z, 0-9, _, . and -, and not begin with . or -")]
pub enum UsernameError {
    /// It has no characters.
    Empty,
    /// It has too many characters.
    TooLong,
    /// It has a character that is not allowed there.
    OtherCharacter,
}

const fn is_first(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

const fn is_other(c: char) -> bool {
    is_first(c) || c == '.' || c == '-'
}

impl Username {
    /// The most characters of a username.
    pub const LENGTH_MAX: usize = 64;

    /// Parses a username.
    ///
    /// # Errors
    /// If it is empty, too long or has another character.
    pub fn parse(text: &str) -> Result<Self, UsernameError> {
        if text.is_empty() {
            return Err(UsernameError::Empty);
        }
        if text.chars().count() > Self::LENGTH_MAX {
            return Err(UsernameError::TooLong);
        }
        if !text.starts_with(is_first) || !text.chars().all(is_other) {
            return Err(UsernameError::OtherCharacter);
        }
        Ok(Self(text.to_owned()))
    }

    /// The username that is most like a text: letters without accents, `_` for what is not allowed,
    /// cut to the greatest length. `None` if nothing but `_` is left.
    #[must_use]
    pub fn adapted(text: &str) -> Option<Self> {
        let mut adapted = String::new();
        for c in text::bare(text) {
            let c = if is_other(c) { c } else { '_' };
            // Runs of `_` are one, and nothing begins with `.` or `-`.
            let is_left_out = (c == '_' && adapted.ends_with('_'))
                || (adapted.is_empty() && !c.is_ascii_alphanumeric());
            if !is_left_out && adapted.len() < Self::LENGTH_MAX {
                adapted.push(c);
            }
        }
        adapted.truncate(adapted.trim_end_matches('_').len());
        (!adapted.is_empty()).then_some(Self(adapted))
    }

    /// The same username with `_` and a number, shortened so that it fits.
    #[must_use]
    pub fn numbered(&self, number: u64) -> Self {
        let number = format!("_{number}");
        let kept = self.0.len().min(Self::LENGTH_MAX - number.len());
        Self(format!("{}{number}", &self.0[..kept]))
    }

    /// Whether a text is this username with a number.
    #[must_use]
    pub fn is_of_numbered(&self, text: &str) -> bool {
        let number = text.rsplit_once('_').and_then(|(_, number)| number.parse().ok());
        number.is_some_and(|number| self.numbered(number).0 == text)
    }

    /// The name in the owner's spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key that look-ups use.
    #[must_use]
    pub fn key(&self) -> UsernameKey {
        UsernameKey(self.0.to_ascii_lowercase())
    }
}

/// A username in lower case: unique, used for look-ups and for the order of users.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsernameKey(String);

impl UsernameKey {
    /// The key of a name as people write it, such as ` @Ada `; `None` if it is not a valid
    /// username.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Username::parse(&text::mention(text)).ok().map(|name| name.key())
    }

    /// The key of a user from the database.
    #[must_use]
    pub fn of(user: &User) -> Self {
        Self(user.username.to_ascii_lowercase())
    }

    /// The lower-case text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_is_1_to_64_characters_and_begins_with_no_mark() {
        for good in ["a", "A_9", "_a", "9", "ann-lee", "ann.lee.", "a--b..", &"x".repeat(64)] {
            assert_eq!(Username::parse(good).expect("good").as_str(), good);
        }
        for (bad, error) in [
            ("", UsernameError::Empty),
            (" a", UsernameError::OtherCharacter),
            (".a", UsernameError::OtherCharacter),
            ("-a", UsernameError::OtherCharacter),
            ("a/b", UsernameError::OtherCharacter),
            ("é", UsernameError::OtherCharacter),
            ("a\0", UsernameError::OtherCharacter),
            (&"x".repeat(65), UsernameError::TooLong),
            (&"é".repeat(65), UsernameError::TooLong),
        ] {
            assert_eq!(Username::parse(bad), Err(error), "{bad:?}");
        }
    }

    #[test]
    fn an_adapted_username_is_one() {
        for (text, adapted) in [
            ("alice", "alice"),
            ("alice@example.com", "alice_example.com"),
            ("Zoë  O'Neill!", "Zoe_O_Neill"),
            ("_.-x__", "x"),
            ("ｗｉｄｅ", "wide"),
        ] {
            assert_eq!(Username::adapted(text).expect("one").as_str(), adapted, "{text:?}");
        }
        for text in ["", "___", "🦀", "日本", ".-"] {
            assert_eq!(Username::adapted(text), None, "{text:?}");
        }
        let long = Username::adapted(&"x".repeat(99)).expect("one");
        assert_eq!(long.as_str().len(), Username::LENGTH_MAX);
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let adapted = Username::adapted(&format!("{c}a{c}b"));
            let parsed = adapted.as_ref().map(|name| Username::parse(name.as_str()));
            assert_eq!(parsed, adapted.map(Ok), "{c:?}");
        }
    }

    #[test]
    fn a_numbered_username_fits() {
        let name = |text| Username::parse(text).expect("a username");
        assert_eq!(name("ann").numbered(2).as_str(), "ann_2");
        assert!(name("ann").is_of_numbered("ann_12"));
        assert!(
            !["ann", "ann_", "ann_x", "bob_2"].iter().any(|text| name("ann").is_of_numbered(text))
        );
        assert_eq!(name(&"x".repeat(64)).numbered(12).as_str(), format!("{}_12", "x".repeat(61)));
    }

    #[test]
    fn keys_ignore_case() {
        assert_eq!(UsernameKey::parse("AliCE"), UsernameKey::parse("alice"));
    }

    #[test]
    fn a_look_up_takes_a_username_as_people_write_it() {
        let alice = UsernameKey::parse("alice");
        for typed in [" alice", "alice\n", "@alice", " @Alice ", "ａｌｉｃｅ", "\u{200e}alice"]
        {
            assert_eq!(UsernameKey::parse(typed), alice, "{typed:?}");
        }
        for wrong in ["", "@", "@@alice", "al ice", "àlice"] {
            assert_eq!(UsernameKey::parse(wrong), None, "{wrong:?}");
        }
    }
}
