//! The profile of a user: bounded text, parsed once.
//!
//! Text is composed (NFC), and line breaks and spaces of other systems become plain ones. Control
//! characters are refused, except line breaks and tabs in a bio. NUL above all: one of the two
//! databases rejects it and the other does not.

use super::{User, text};

/// The rule that a text breaks. `Display` is the message for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Fewer characters than required.
    #[error("must have at least {min} characters")]
    TooShort {
        /// The fewest characters.
        min: usize,
    },
    /// More bytes than allowed, in UTF-8.
    #[error("must have at most {max} bytes")]
    TooManyBytes {
        /// The most bytes.
        max: usize,
    },
    /// More characters than allowed.
    #[error("must have at most {max} characters")]
    TooLong {
        /// The most characters.
        max: usize,
    },
    /// Empty or white space only.
    #[error("must not be blank")]
    Blank,
    /// A control character.
    #[error("must not contain control characters")]
    ControlCharacter,
    /// Not an absolute http or https URL.
    #[error("must be an absolute http or https URL")]
    NotAUrl,
}

fn check_length(text: &str, max: usize) -> Result<(), TextError> {
    if text.chars().count() > max { Err(TextError::TooLong { max }) } else { Ok(()) }
}

/// A display name: 1 to 100 characters, one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    const LENGTH_MAX: usize = 100;

    /// Parses a name. White space around it is trimmed; tabs and other spaces in it become plain
    /// spaces.
    ///
    /// # Errors
    /// If it is blank, too long or has a line break or another control character.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = text::one_line(text);
        check_length(&text, Self::LENGTH_MAX)?;
        if text.is_empty() {
            return Err(TextError::Blank);
        }
        let is_refused = |c: char| c.is_control() || text::is_line_break(c) || changes_direction(c);
        if text.chars().any(is_refused) {
            return Err(TextError::ControlCharacter);
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a character changes the direction of the text around it, so that one name could be
/// displayed as another.
const fn changes_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A bio: at most 500 characters, line breaks and tabs allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bio(String);

impl Bio {
    const LENGTH_MAX: usize = 500;

    /// Parses a bio. Every line break becomes a line feed, before characters are counted.
    ///
    /// # Errors
    /// If it is too long or has a control character other than a line break or a tab.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = text::lines(text);
        check_length(&text, Self::LENGTH_MAX)?;
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            return Err(TextError::ControlCharacter);
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A picture of a user: an absolute http or https URL of at most 2,000 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvatarUrl(String);

impl AvatarUrl {
    const LENGTH_MAX: usize = 2_000;

    /// Parses a URL; white space around it is trimmed, and its scheme becomes lower case. Checks
    /// its form only: the scheme, a host, and the characters that RFC 3986 allows.
    ///
    /// # Errors
    /// If it is too long or not such a URL.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = text::trimmed(text);
        check_length(text, Self::LENGTH_MAX)?;
        let (scheme, rest) = text.split_once("://").ok_or(TextError::NotAUrl)?;
        let scheme = scheme.to_ascii_lowercase();
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let allowed = |c: char| c.is_ascii_graphic() && !r#""<>\^`{|}"#.contains(c);
        let is_web = matches!(scheme.as_str(), "http" | "https");
        if !is_web || host.is_empty() || !rest.chars().all(allowed) {
            return Err(TextError::NotAUrl);
        }
        Ok(Self(format!("{scheme}://{rest}")))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A change of a profile. `None` keeps a field, `Some(None)` clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// The name.
    pub name: Option<Option<DisplayName>>,
    /// The bio.
    pub bio: Option<Option<Bio>>,
    /// The picture.
    pub avatar_url: Option<Option<AvatarUrl>>,
}

impl ProfileChange {
    /// The change without the fields that a user has already.
    #[must_use]
    pub fn that_differs_from(self, user: &User) -> Self {
        let name = |name: &Option<DisplayName>| {
            name.as_ref().map(DisplayName::as_str) != user.name.as_deref()
        };
        let bio = |bio: &Option<Bio>| bio.as_ref().map(Bio::as_str) != user.bio.as_deref();
        let avatar_url = |url: &Option<AvatarUrl>| {
            url.as_ref().map(AvatarUrl::as_str) != user.avatar_url.as_deref()
        };
        Self {
            name: self.name.filter(name),
            bio: self.bio.filter(bio),
            avatar_url: self.avatar_url.filter(avatar_url),
        }
    }

    /// A user after the change.
    #[must_use]
    pub fn applied_to(&self, user: &User) -> User {
        let mut user = user.clone();
        if let Some(name) = &self.name {
            user.name = name.as_ref().map(|name| name.as_str().into());
        }
        if let Some(bio) = &self.bio {
            user.bio = bio.as_ref().map(|bio| bio.as_str().to_owned());
        }
        if let Some(url) = &self.avatar_url {
            user.avatar_url = url.as_ref().map(|url| url.as_str().to_owned());
        }
        user
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_refused() {
        assert_eq!(DisplayName::parse("a\0b"), Err(TextError::ControlCharacter));
        assert_eq!(DisplayName::parse("a\nb"), Err(TextError::ControlCharacter));
        assert_eq!(DisplayName::parse("\u{202E}live"), Err(TextError::ControlCharacter));
        assert_eq!(Bio::parse("a\0b"), Err(TextError::ControlCharacter));
        assert_eq!(DisplayName::parse("a\u{2028}b"), Err(TextError::ControlCharacter));
        assert_eq!(Bio::parse("a\u{b}b"), Err(TextError::ControlCharacter));
        assert!(Bio::parse("a\nb\tc").is_ok());
    }

    #[test]
    fn text_of_other_systems_is_stored_as_it_is_meant() {
        let name = DisplayName::parse("\u{feff}Rene\u{301}\u{a0}Descartes\r\n").expect("a name");
        assert_eq!(name.as_str(), "Ren\u{e9} Descartes");
        let bio = Bio::parse("one\r\ntwo\rthree\u{2028}\tfour").expect("a bio");
        assert_eq!(bio.as_str(), "one\ntwo\nthree\n\tfour");
        let url = AvatarUrl::parse(" Https://Example.com/A.png\n").expect("a URL");
        assert_eq!(url.as_str(), "https://Example.com/A.png");
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        assert!(DisplayName::parse(&"é".repeat(100)).is_ok());
        assert_eq!(DisplayName::parse(&"é".repeat(101)), Err(TextError::TooLong { max: 100 }));
        assert!(DisplayName::parse(&"e\u{301}".repeat(100)).is_ok());
        assert!(Bio::parse(&"a\r\n".repeat(250)).is_ok());
        assert_eq!(DisplayName::parse("  "), Err(TextError::Blank));
        assert_eq!(DisplayName::parse("\u{200b}\u{a0}"), Err(TextError::Blank));
    }

    #[test]
    fn only_absolute_web_urls_are_pictures() {
        assert!(AvatarUrl::parse("https://example.com/a.png?size=1#x").is_ok());
        for bad in ["", "/a.png", "javascript:alert(1)", "https://", "https:///x", "http://a b"] {
            assert_eq!(AvatarUrl::parse(bad), Err(TextError::NotAUrl), "{bad}");
        }
    }
}
