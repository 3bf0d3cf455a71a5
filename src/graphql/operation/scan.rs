//! The first scan of a document, before the parser.
//!
//! Parsers recurse, so the scan reads the text once from left to right and bounds its tokens and
//! its nesting. It also normalizes what the specification says to ignore and apollo-compiler
//! stumbles over: lines that end with a lone carriage return, a comma after `...` or an alias, and
//! descriptions of operations.

use apollo_compiler::ast::Document;

use crate::graphql::{
    error::{Code, Failure},
    schema::NESTING_MAX,
};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// A normalized document.
pub(crate) struct Plain {
    pub text: String,
    /// The number of tokens without the optional ones: descriptions, and the word `query` before
    /// an operation.
    pub tokens: usize,
}

/// The same document without descriptions, comments, commas and byte order marks, and with line
/// feeds instead of lone carriage returns. The lines stay the same; columns may change only after
/// a removed text on the same line.
///
/// # Errors
/// `QUERY_TOO_LARGE` with more than `tokens_max` tokens, `QUERY_TOO_DEEP` if brackets of any kind
/// nest deeper than [`NESTING_MAX`].
pub(crate) fn plain(text: &str, tokens_max: usize) -> Result<Plain, Failure> {
    let mut plain = String::with_capacity(text.len());
    let (mut tokens, mut nesting) = (0_usize, 0_usize);
    let mut optional = 0_usize;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (lexeme, after) = rest.split_at(length(rest, first));
        rest = after;
        match first {
            '#' | ',' | BYTE_ORDER_MARK => plain.push(' '),
            '\r' if !rest.starts_with('\n') => plain.push('\n'),
            ' ' | '\t' | '\n' | '\r' => plain.push(first),
            _ => {
                tokens += 1;
                let is_description = first == '"' && nesting == 0 && describes(lexeme, rest);
                optional += usize::from(is_description || nesting == 0 && lexeme == "query");
                push_token(&mut plain, if is_description { " " } else { lexeme });
            }
        }
        match first {
            '{' | '(' | '[' => nesting += 1,
            '}' | ')' | ']' => nesting = nesting.saturating_sub(1),
            _ => {}
        }

        if tokens > tokens_max {
            let message = format!("the document has more than {tokens_max} tokens");
            return Err(Failure::new(Code::QueryTooLarge, message));
        }
        if nesting > NESTING_MAX {
            let message = format!("the document nests deeper than {NESTING_MAX}");
            return Err(Failure::new(Code::QueryTooDeep, message));
        }
    }
    Ok(Plain { text: plain, tokens: tokens - optional })
}

/// Whether a string describes an operation or a fragment, which then follows in `after`. The parser
/// does not support such descriptions, but it can tell whether this is a valid string.
fn describes(string: &str, after: &str) -> bool {
    const KEYWORDS: [&str; 4] = ["query", "mutation", "subscription", "fragment"];
    let is_string = || Document::parse(format!("{{ a(b: {string}) }}"), "description").is_ok();
    let mut rest = after;
    while let Some(first) = rest.chars().next() {
        let (lexeme, after) = rest.split_at(length(rest, first));
        if !" \t\n\r,#\u{feff}".contains(first) {
            return KEYWORDS.contains(&lexeme) && is_string();
        }
        rest = after;
    }
    false
}

/// Appends a token. Only a block string can contain carriage returns.
fn push_token(plain: &mut String, token: &str) {
    if !token.contains('\r') {
        plain.push_str(token);
        return;
    }
    let mut characters = token.chars().peekable();
    while let Some(character) = characters.next() {
        let is_lone = character == '\r' && characters.peek() != Some(&'\n');
        plain.push(if is_lone { '\n' } else { character });
    }
}

/// The length in bytes of the token, comment or white space at the start of a text.
fn length(text: &str, first: char) -> usize {
    let until = |is_end: fn(char) -> bool| text.find(is_end).unwrap_or(text.len());
    match first {
        '#' => until(|c| c == '\n' || c == '\r'),
        '"' => string(text),
        '.' if text.starts_with("...") => 3,
        '_' | 'a'..='z' | 'A'..='Z' => until(|c| c != '_' && !c.is_ascii_alphanumeric()),
        '-' | '0'..='9' => until(|c| !"_.+-".contains(c) && !c.is_ascii_alphanumeric()),
        _ => first.len_utf8(),
    }
}

/// The length in bytes of the string at the start of a text; an unterminated one takes all of it.
fn string(text: &str) -> usize {
    let (quotes, escape) =
        if text.starts_with("\"\"\"") { ("\"\"\"", "\\\"\"\"") } else { ("\"", "\\") };
    let mut end = quotes.len();
    while let Some(rest) = text.get(end..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(quotes) {
            return end + quotes.len();
        }
        let is_broken = quotes.len() == 1 && rest.starts_with(['\n', '\r']);
        if is_broken {
            return end;
        }
        let escaped = if rest.starts_with(escape) { escape.len() } else { 0 };
        let next = rest[escaped..].chars().next().filter(|_| escaped < 2);
        end += escaped + next.map_or(0, char::len_utf8);
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str, tokens_max: usize) -> Option<Code> {
        plain(text, tokens_max).err().map(|failure| failure.code())
    }

    #[test]
    fn ignored_text_is_normalized_and_the_rest_is_kept() {
        let odd = "\u{feff}{ a(b: \"#,\\\"\",c:\"\"\"\\\"\"\",#\r\"\"\" )#,{\r...,@x # é\r\n}";
        let even = " { a(b: \"#,\\\"\" c:\"\"\"\\\"\"\",#\n\"\"\" ) \n... @x  \r\n}";
        assert_eq!(plain(odd, 100).expect("it is short").text, even);
    }

    #[test]
    fn only_tokens_are_counted() {
        for (text, tokens) in [
            ("", 0),
            ("# a b\n , \u{feff}", 0),
            ("{ a }", 3),
            ("...a...on B", 5),
            ("\"a b\" \"\" \"\"\"\"\"\" \"\"\" \"\" \"\"\"", 4),
            ("-1.5e+3 [0,1]", 5),
            ("\"\\\\\" a \"\\\" a", 3),
            ("\"a\nb\"", 3),
            ("é?", 2),
        ] {
            assert_eq!(code(text, tokens), None, "{text}");
            if tokens > 0 {
                assert_eq!(code(text, tokens - 1), Some(Code::QueryTooLarge), "{text}");
            }
        }
    }

    #[test]
    fn descriptions_of_operations_and_fragments_are_left_out() {
        let described = "\"a\" query A { a } \"\"\"b\"\"\",#\nfragment B on C { a }";
        let plain = |text: &str| plain(text, 100).expect("it is short");
        assert_eq!(plain(described).text, "  query A { a }    \nfragment B on C { a }");
        assert_eq!(plain(described).tokens, 11);
        for other in [
            "\"a\"",
            "\"\\x\" query A { a }",
            "\"a\" { a }",
            "\"a\" \"b\" {a}",
            "{ a(b: \"c\" query: 1) }",
        ] {
            assert_eq!(plain(other).text, other);
        }
    }

    #[test]
    fn every_kind_of_bracket_nests() {
        for (open, close) in [("{", "}"), ("(", ")"), ("[", "]"), ("{(", ")}")] {
            let nested = |levels: usize| open.repeat(levels) + &close.repeat(levels);
            let most = NESTING_MAX / open.len();
            assert_eq!(code(&(nested(most) + &nested(most)), 1_000), None, "{open}");
            assert_eq!(code(&nested(most + 1), 1_000), Some(Code::QueryTooDeep), "{open}");
        }
        assert_eq!(code(&format!("\"{}\" #{0}", "{".repeat(100)), 10), None);
    }
}
