//! External ids: what the host calls a user.

/// The id of a user at the host: any text of 1 to 255 bytes without control characters. For an
/// account of the identity provider it is the subject of its tokens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExternalId(String);

/// Why a text is not an external id. `Display` is the whole rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 255 bytes without control characters")]
pub struct ExternalIdError;

impl ExternalId {
    /// The most bytes of an external id.
    pub const BYTES_MAX: usize = 255;

    /// Parses an external id. Nothing is trimmed: ids are compared byte by byte.
    ///
    /// # Errors
    /// If it is empty, too long or has a control character.
    pub fn parse(text: &str) -> Result<Self, ExternalIdError> {
        let fits = (1..=Self::BYTES_MAX).contains(&text.len());
        if !fits || text.contains(char::is_control) {
            return Err(ExternalIdError);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_id_is_1_to_255_bytes_without_control_characters() {
        for good in ["1", " 7 ", "auth0|5f7", "é", &"x".repeat(255)] {
            assert_eq!(ExternalId::parse(good).expect("good").as_str(), good);
        }
        for bad in ["", "a\0", "a\n", "a\u{7f}", "a\u{85}", &"x".repeat(256), &"é".repeat(128)] {
            assert_eq!(ExternalId::parse(bad), Err(ExternalIdError), "{bad:?}");
        }
    }
}
