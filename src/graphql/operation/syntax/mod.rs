//! The syntax of documents: a tree with the offset of every node, and errors as graphql-js words
//! them.
//!
//! This is the authority on what a document is. The parser of apollo-compiler, which makes the
//! typed document, silently drops what it cannot read, and stumbles over things that the
//! specification ignores or allows; so it gets a [normalized](Parsed::plain) text.

pub(crate) mod ast;
mod definitions;
mod lexer;
mod parser;
mod strings;

use std::collections::HashSet;

use self::{ast::Document, lexer::Token, parser::Parser};
use crate::graphql::error::Failure;

/// A text that is not a document.
#[derive(Clone, Debug)]
pub(crate) struct SyntaxError {
    pub message: String,
    /// In bytes.
    pub offset: usize,
}

impl SyntaxError {
    fn new(offset: usize, reason: impl AsRef<str>) -> Self {
        Self { message: format!("Syntax Error: {}", reason.as_ref()), offset }
    }

    /// The same error in a text that begins `by` bytes earlier.
    fn moved(self, by: usize) -> Self {
        Self { offset: self.offset + by, ..self }
    }
}

/// Why a text has no tree.
pub(crate) enum Refusal {
    TooLarge(Failure),
    Syntax(SyntaxError),
}

/// A document and its tokens.
pub(crate) struct Parsed<'a> {
    pub document: Document<'a>,
    text: &'a str,
    tokens: Vec<Token<'a>>,
    /// The numbers of the tokens that describe operations, fragments and variables.
    descriptions: HashSet<usize>,
}

/// Parses a text.
///
/// # Errors
/// The first error in the text; or `QUERY_TOO_LARGE` with more than `tokens_max` tokens and
/// `QUERY_TOO_DEEP` if brackets of any kind nest too deeply.
pub(crate) fn parse(text: &str, tokens_max: usize) -> Result<Parsed<'_>, Refusal> {
    let tokens = lexer::tokens(text, tokens_max).map_err(Refusal::TooLarge)?;
    let mut parser = Parser::new(text, tokens).map_err(Refusal::Syntax)?;
    let document = parser.document().map_err(Refusal::Syntax)?;
    let (tokens, descriptions) = parser.into_tokens();
    Ok(Parsed { document, text, tokens, descriptions })
}

impl Parsed<'_> {
    /// The same document without descriptions, comments, commas and byte order marks, and with line
    /// feeds instead of lone carriage returns. Lines and columns stay the same, the latter in
    /// UTF-16 code units.
    pub(crate) fn plain(&self) -> String {
        let mut plain = String::with_capacity(self.text.len());
        let mut end = 0;
        for (number, token) in self.tokens.iter().enumerate() {
            let is_kept = !self.descriptions.contains(&number);
            push(&mut plain, &self.text[end..token.start], false);
            push(&mut plain, &self.text[token.start..token.end], is_kept);
            end = token.end;
        }
        plain
    }
}

/// Appends a text, or as much white space.
fn push(plain: &mut String, text: &str, is_kept: bool) {
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' if characters.peek() != Some(&'\n') => plain.push('\n'),
            '\n' | '\r' | '\t' => plain.push(character),
            _ if is_kept => plain.push(character),
            _ => plain.extend(std::iter::repeat_n(' ', character.len_utf16())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::{error::Code, schema::NESTING_MAX};

    fn plain(text: &str) -> Option<String> {
        parse(text, 100).ok().map(|parsed| parsed.plain())
    }

    /// The code of a document that is too large; `None` for one that is not, valid or not.
    fn code(text: &str, tokens_max: usize) -> Option<Code> {
        match parse(text, tokens_max) {
            Err(Refusal::TooLarge(failure)) => Some(failure.code()),
            _ => None,
        }
    }

    #[test]
    fn ignored_text_is_normalized_and_the_rest_is_kept() {
        let odd = "\u{feff}{ a(b: \"#,\\\"\",c:\"\"\"\\\"\"\",#\r\"\"\" )#,{\u{1f600}\r\
                   {...,@x # é\r\n{d}}}";
        let even = " { a(b: \"#,\\\"\" c:\"\"\"\\\"\"\",#\n\"\"\" )     \n{... @x    \r\n{d}}}";
        assert_eq!(plain(odd).as_deref(), Some(even));
    }

    #[test]
    fn descriptions_are_left_out_of_the_normalized_text() {
        let described = "\"a\" query A(\"b\" $a: B) { a } \"\"\"\n\"\"\",#\nfragment B on C { a }";
        let even = "    query A(    $a: B) { a }    \n     \nfragment B on C { a }";
        assert_eq!(plain(described).as_deref(), Some(even));
        let refused = ["\"a\"", "\"\\x\" query A { a }", "\"a\" { a }", "\"a\" \"b\" query A {a}"];
        for refused in refused {
            assert_eq!(plain(refused), None, "{refused}");
        }
    }

    #[test]
    fn only_tokens_are_counted() {
        for (text, tokens) in [
            ("# a b\n , \u{feff}", 0),
            ("{ a }", 3),
            ("...a...on B", 5),
            ("\"a b\" \"\" \"\"\"\"\"\" \"\"\" \"\" \"\"\"", 4),
            ("-1.5e+3 [0,1]", 5),
            ("\"\\\\\" a \"\\\" a\"", 3),
        ] {
            assert_eq!(code(text, tokens), None, "{text}");
            if tokens > 0 {
                assert_eq!(code(text, tokens - 1), Some(Code::QueryTooLarge), "{text}");
            }
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

    #[test]
    fn every_part_of_a_document_is_read_without_a_panic() {
        let text = "\u{feff}query A($a:[B!]=[-1.5e+3,{c:\"\\u00e9\\uD83D\\uDE00\\u{1F600}\\n😀\"}]@d)\
                    {...on E{f:g(h:$i,j:\"\"\"\r\n  k\\\"\"\"\r l\"\"\")}#é\r...m}";
        let offsets: Vec<_> = text.char_indices().map(|(offset, _)| offset).collect();
        for start in &offsets {
            for end in offsets.iter().filter(|end| *end >= start) {
                let part = &text[*start..*end];
                if let Ok(parsed) = parse(part, 100) {
                    let length = part.encode_utf16().count();
                    assert_eq!(parsed.plain().encode_utf16().count(), length, "{part}");
                }
            }
        }
    }
}
