//! What people type, as they mean it: the same text from every keyboard and system.
//!
//! A Mac may decompose letters (NFD), Windows ends lines with a carriage return, phones and copied
//! pages add invisible white space, and a Japanese keyboard writes full-width letters.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Text of one line: composed (NFC), with a plain space for a tab and for every other kind of
/// space, and nothing invisible around it. Line breaks inside stay, for the caller to refuse.
#[must_use]
pub fn one_line(text: &str) -> String {
    trimmed(text).nfc().map(|c| if c == '\t' { ' ' } else { plain_space(c) }).collect()
}

/// Text of several lines: composed (NFC), with a line feed for every kind of line break. Tabs and
/// spaces stay as they are.
#[must_use]
pub fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").nfc().map(|c| if is_line_break(c) { '\n' } else { c }).collect()
}

/// A password, so that it is the same from every keyboard: the profile `OpaqueString` of RFC 8265,
/// which composes letters (NFC) and makes every space a plain one. Nothing is trimmed.
#[must_use]
pub fn password(text: &str) -> String {
    text.chars().map(plain_space).nfc().collect()
}

/// A reference to a user, such as `@ada`: without white space around it and one leading `@`,
/// full-width letters as plain ones (NFKC).
#[must_use]
pub fn mention(text: &str) -> Cow<'_, str> {
    let text = trimmed(text);
    if text.is_ascii() {
        return Cow::Borrowed(text.strip_prefix('@').unwrap_or(text));
    }
    let mut plain: String = text.nfkc().collect();
    if plain.starts_with('@') {
        plain.remove(0);
    }
    Cow::Owned(plain)
}

/// The characters of a text without accents and other marks: compatible letters as plain ones (NFKD).
pub fn bare(text: &str) -> impl Iterator<Item = char> {
    text.nfkd().filter(|c| !is_combining_mark(*c))
}

/// The text without white space and invisible marks around it, which come with a copied text.
#[must_use]
pub fn trimmed(text: &str) -> &str {
    let is_mark = |c| matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}' | '\u{feff}');
    text.trim_matches(|c: char| c.is_whitespace() || is_mark(c))
}

/// Whether a character ends a line.
#[must_use]
pub const fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// A plain space for every character of Unicode's category Zs, such as a no-break space.
fn plain_space(c: char) -> char {
    let is_space = c.is_whitespace() && !c.is_control() && !is_line_break(c);
    if is_space { ' ' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_composed_trimmed_and_plainly_spaced() {
        for (typed, meant) in [
            ("Ada", "Ada"),
            (" Ada\u{a0}Lovelace\r\n", "Ada Lovelace"),
            ("Ada\tLovelace", "Ada Lovelace"),
            ("\u{feff}Ada\u{200b}", "Ada"),
            ("\u{3000}山田\u{3000}太郎", "山田 太郎"),
            ("Rene\u{301}", "Ren\u{e9}"),
            ("a\u{200d}b", "a\u{200d}b"),
            ("a\nb", "a\nb"),
        ] {
            assert_eq!(one_line(typed), meant, "{typed:?}");
        }
    }

    #[test]
    fn every_line_break_is_a_line_feed() {
        let typed = "a\r\nb\rc\u{85}d\u{2028}e\u{2029}f\n\r\ng\th\u{a0}i ";
        assert_eq!(lines(typed), "a\nb\nc\nd\ne\nf\n\ng\th\u{a0}i ");
        assert_eq!(lines("Rene\u{301}"), "Ren\u{e9}");
    }

    #[test]
    fn a_password_is_the_same_from_every_keyboard() {
        assert_eq!(password(" pa\u{a0}sse\u{301} "), " pa ss\u{e9} ");
    }

    #[test]
    fn a_mention_is_a_username_in_disguise() {
        for typed in
            ["ada", " ada ", "@ada", "\u{a0}@ada\n", "ａｄａ", "＠ａｄａ\u{3000}", "\u{200e}ada"]
        {
            assert_eq!(mention(typed), "ada", "{typed:?}");
        }
        assert_eq!(mention("@@ada"), "@ada");
        assert_eq!(mention("ad a"), "ad a");
    }
}
