//! Searching users by what their usernames and names begin with.
//!
//! Case and accents do not matter: names and searches are *folded* in the same way before they are
//! compared, word by word. All words but the first of a username, which is compared with the username
//! itself, are stored as all their beginnings, so that a search is a look-up of equal texts.
//!
//! **Invariant:** changing how texts are folded makes the stored beginnings wrong. `entourage check
//! --repair` rewrites them.

use std::collections::BTreeSet;

use super::{Username, text};

/// The most characters of a folded text that are read; a name has fewer, unless its characters
/// decompose. It bounds the number of beginnings of a name.
const TEXT_MAX: usize = 100;
/// The most characters of a word that are compared. A username has no more.
const WORD_MAX: usize = Username::LENGTH_MAX;
/// The most words of a search that are compared: the longest.
const WORDS_MAX: usize = 5;

/// What users are searched for: words, each of which must be the beginning of the username or of a
/// word of the name; and what only moderators ask for. Accounts of machines match no search.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UserSearch {
    /// The longest first: few users match that one. Without words, all users match.
    words: Vec<String>,
    /// Whether those who are suspended match, or those who are not.
    pub is_suspended: bool,
    /// The name of the role that those who match have.
    pub role: Option<String>,
}

impl UserSearch {
    /// The search for a text. A blank text matches all users; `None` if the text is not blank but
    /// has no word, so that no user matches.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words: Vec<_> = words(text).into_iter().collect();
        if words.is_empty() && !text.trim().is_empty() {
            return None;
        }
        words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
        words.truncate(WORDS_MAX);
        Some(Self { words, is_suspended: false, role: None })
    }

    /// The same search among users with a standing and a role.
    #[must_use]
    pub fn narrowed(self, is_suspended: bool, role: Option<String>) -> Self {
        Self { is_suspended, role, ..self }
    }

    /// Whether there are words.
    #[must_use]
    pub fn has_words(&self) -> bool {
        !self.words.is_empty()
    }

    /// Whether all users match who are not suspended.
    #[must_use]
    pub fn matches_all(&self) -> bool {
        *self == Self::default()
    }

    /// The longest word; empty without words.
    #[must_use]
    pub fn word(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// Above every username key that begins with [`word`](Self::word), and below the next other
    /// key. (`~` sorts after every character of a username.)
    #[must_use]
    pub fn upper_bound(&self) -> String {
        format!("{}~", self.word())
    }

    /// The other words.
    #[must_use]
    pub fn other_words(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }
}

/// All beginnings of all words of a name and of those after the first of a username, folded and
/// sorted; at most 164.
#[must_use]
pub fn name_prefixes(key: &str, name: Option<&str>) -> Vec<String> {
    let beginnings = |word: String| {
        let ends = word.char_indices().map(|(start, c)| start + c.len_utf8());
        ends.map(|end| word[..end].to_owned()).collect::<Vec<_>>()
    };
    let in_username = key.split_once(['.', '-']).map(|(_, rest)| words(rest)).unwrap_or_default();
    let words = in_username.into_iter().chain(name.map(words).unwrap_or_default());
    words.flat_map(beginnings).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The distinct words of a text, folded. Words consist of letters, digits and `_`.
fn words(text: &str) -> BTreeSet<String> {
    let text: String = folded(text).take(TEXT_MAX).collect();
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    let words = words.filter(|word| !word.is_empty());
    words.map(|word| word.chars().take(WORD_MAX).collect()).collect()
}

/// The characters without case and accents. Lower case is the last of three steps, since some
/// letters have one only: `ß`, `ẞ` and `SS` are all `ss`.
fn folded(text: &str) -> impl Iterator<Item = char> {
    let lower = text::bare(text).flat_map(char::to_lowercase);
    let lower = lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    lower.flat_map(|c| {
        let (first, second) = without_stroke(c);
        std::iter::once(first).chain(second)
    })
}

/// Latin letters that people type without their stroke, or as two letters, although Unicode does
/// not decompose them.
const fn without_stroke(c: char) -> (char, Option<char>) {
    match c {
        'đ' | 'ð' => ('d', None),
        'ħ' => ('h', None),
        'ł' => ('l', None),
        'ø' => ('o', None),
        'ŧ' => ('t', None),
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'þ' => ('t', Some('h')),
        c => (c, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_words(text: &str, expected: &[&str]) {
        assert_eq!(words(text).into_iter().collect::<Vec<_>>(), expected, "{text:?}");
    }

    #[test]
    fn case_and_accents_do_not_matter() {
        assert_words("Émile ZOLA", &["emile", "zola"]);
        assert_words("e\u{301}mile", &["emile"]);
        assert_words("Łukasz Sørensen", &["lukasz", "sorensen"]);
        assert_words("Đức Æsir Œuvre Þór", &["aesir", "duc", "oeuvre", "thor"]);
        assert_words("Straße STRASSE straẞe", &["strasse"]);
        assert_words("İstanbul ıstanbul", &["istanbul"]);
        assert_words("ΣΊΣΥΦΟΣ σίσυφος", &["σισυφοσ"]);
        assert_words("ﬁne Ⅻ ｗｉｄｅ", &["fine", "wide", "xii"]);
        assert_words("太郎 山田", &["太郎", "山田"]);
    }

    #[test]
    fn punctuation_and_symbols_separate_words_and_underscores_do_not() {
        assert_words("Jean-Luc O'Brien", &["brien", "jean", "luc", "o"]);
        assert_words("ann_lee", &["ann_lee"]);
        assert_words(" ,\t\0🦀 ", &[]);
    }

    #[test]
    fn a_folded_text_folds_to_itself() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let once: String = folded(&c.to_string()).collect();
            let twice: String = folded(&once).collect();
            assert_eq!(once, twice, "{c:?}");
        }
    }

    #[test]
    fn a_name_has_the_beginnings_of_all_its_words() {
        assert_eq!(name_prefixes("u", Some("Éva Ev")), ["e", "ev", "eva"]);
        assert_eq!(name_prefixes("u", Some("Bo Xi")), ["b", "bo", "x", "xi"]);
        assert!(name_prefixes("u", Some("🦀")).is_empty() && name_prefixes("u", None).is_empty());
    }

    #[test]
    fn a_username_has_the_beginnings_of_its_words_but_the_first() {
        assert_eq!(name_prefixes("ann-lee.xi", None), ["l", "le", "lee", "x", "xi"]);
        assert_eq!(name_prefixes("ann.", Some("Bo")), ["b", "bo"]);
        assert!(name_prefixes("ann_lee", None).is_empty());
    }

    #[test]
    fn a_name_has_a_bounded_number_of_beginnings() {
        // One character that decomposes into four words.
        let long = "\u{FDFA}".repeat(100);
        let prefixes = name_prefixes("u", Some(&long));
        assert!(prefixes.len() <= TEXT_MAX, "{}", prefixes.len());
        let word = name_prefixes("u", Some(&"x".repeat(100)));
        assert_eq!(word.len(), WORD_MAX);
    }

    #[test]
    fn the_longest_word_comes_first() {
        let search = UserSearch::parse(" Lee  ANNA ").expect("it has words");
        assert_eq!((search.word(), search.other_words()), ("anna", &["lee".to_owned()][..]));
        assert_eq!(search.upper_bound(), "anna~");
        let search = UserSearch::parse("a b c d e f g").expect("it has words");
        assert_eq!(search.other_words().len(), WORDS_MAX - 1);
    }

    #[test]
    fn a_blank_search_matches_all_and_one_without_words_none() {
        for blank in ["", " ", "\t\n"] {
            assert!(UserSearch::parse(blank).expect("blank").matches_all());
        }
        for wordless in ["🦀", "-", "\u{301}"] {
            assert_eq!(UserSearch::parse(wordless), None, "{wordless:?}");
        }
    }
}
