//! The tokens of a document.
//!
//! **Invariant:** the lexer never recurses, and stops at the limits on tokens and nesting, so the
//! parser cannot recurse deeper than [`NESTING_MAX`] brackets.

use std::borrow::Cow;

use super::{SyntaxError, strings};
use crate::graphql::{
    error::{Code, Failure},
    schema::NESTING_MAX,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The end of the document.
    End,
    Punctuator(&'static str),
    Name,
    Int,
    Float,
    String,
    BlockString,
}

impl Kind {
    /// As error messages name it.
    pub(super) fn description(self) -> String {
        match self {
            Self::End => "<EOF>".to_owned(),
            Self::Punctuator(text) => format!("\"{text}\""),
            Self::Name => "Name".to_owned(),
            Self::Int => "Int".to_owned(),
            Self::Float => "Float".to_owned(),
            Self::String => "String".to_owned(),
            Self::BlockString => "BlockString".to_owned(),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub kind: Kind,
    /// Its first byte, and the byte after its last one.
    pub start: usize,
    pub end: usize,
    /// The text of a name or a number, the value of a string; empty for the others.
    pub value: Cow<'a, str>,
}

impl Token<'_> {
    /// As error messages name it.
    pub(super) fn description(&self) -> String {
        match self.kind {
            Kind::End | Kind::Punctuator(_) => self.kind.description(),
            kind => format!("{} \"{}\"", kind.description(), self.value),
        }
    }
}

/// All tokens of a document, or those before the first text that is no token.
pub(super) struct Tokens<'a> {
    /// The last one is [`Kind::End`], unless there is an error.
    pub list: Vec<Token<'a>>,
    pub error: Option<SyntaxError>,
}

/// Reads the tokens of a text.
///
/// # Errors
/// `QUERY_TOO_LARGE` with more than `tokens_max` tokens, `QUERY_TOO_DEEP` if brackets of any kind
/// nest deeper than [`NESTING_MAX`].
pub(super) fn tokens(text: &str, tokens_max: usize) -> Result<Tokens<'_>, Failure> {
    let mut list = Vec::new();
    let (mut end, mut nesting) = (0, 0_usize);
    loop {
        let token = match (Lexer { text }).next(end) {
            Ok(token) => token,
            Err(error) => return Ok(Tokens { list, error: Some(error) }),
        };
        match token.kind {
            Kind::Punctuator("{" | "(" | "[") => nesting += 1,
            Kind::Punctuator("}" | ")" | "]") => nesting = nesting.saturating_sub(1),
            _ => {}
        }
        if nesting > NESTING_MAX {
            let message = format!("the document nests deeper than {NESTING_MAX}");
            return Err(Failure::new(Code::QueryTooDeep, message));
        }
        let is_end = token.kind == Kind::End;
        if !is_end && list.len() == tokens_max {
            let message = format!("the document has more than {tokens_max} tokens");
            return Err(Failure::new(Code::QueryTooLarge, message));
        }

        end = token.end;
        list.push(token);
        if is_end {
            return Ok(Tokens { list, error: None });
        }
    }
}

const PUNCTUATORS: [&str; 14] =
    ["!", "$", "&", "(", ")", "...", ":", "=", "@", "[", "]", "{", "|", "}"];

struct Lexer<'a> {
    text: &'a str,
}

impl<'a> Lexer<'a> {
    /// The first token from an offset on.
    fn next(&self, from: usize) -> Result<Token<'a>, SyntaxError> {
        let start = self.skip_ignored(from);
        let rest = &self.text[start..];
        if let Some(text) = PUNCTUATORS.into_iter().find(|text| rest.starts_with(text)) {
            let value = Cow::Borrowed("");
            let end = start + text.len();
            return Ok(Token { kind: Kind::Punctuator(text), start, end, value });
        }
        match rest.chars().next() {
            None => Ok(Token { kind: Kind::End, start, end: start, value: Cow::Borrowed("") }),
            Some('"') => {
                let is_block = rest.starts_with("\"\"\"");
                let read = if is_block { strings::block(rest) } else { strings::plain(rest) };
                let (value, length) = read.map_err(|error| error.moved(start))?;
                let kind = if is_block { Kind::BlockString } else { Kind::String };
                Ok(Token { kind, start, end: start + length, value })
            }
            Some('-' | '0'..='9') => self.number(start),
            Some('_' | 'a'..='z' | 'A'..='Z') => {
                let is_end = |c: char| c != '_' && !c.is_ascii_alphanumeric();
                Ok(self.token(Kind::Name, start, start + rest.find(is_end).unwrap_or(rest.len())))
            }
            Some('\'') => Err(SyntaxError::new(
                start,
                "Unexpected single quote character ('), did you mean to use a double quote (\")?",
            )),
            Some(_) => {
                let message = format!("Unexpected character: {}.", self.character(start));
                Err(SyntaxError::new(start, message))
            }
        }
    }

    fn skip_ignored(&self, from: usize) -> usize {
        let mut is_comment = false;
        let is_ignored = |c: char| {
            is_comment = (is_comment || c == '#') && c != '\n' && c != '\r';
            is_comment || "\u{feff}\t ,\n\r".contains(c)
        };
        let rest = &self.text[from..];
        self.text.len() - rest.trim_start_matches(is_ignored).len()
    }

    fn token(&self, kind: Kind, start: usize, end: usize) -> Token<'a> {
        Token { kind, start, end, value: Cow::Borrowed(&self.text[start..end]) }
    }

    fn number(&self, start: usize) -> Result<Token<'a>, SyntaxError> {
        let mut end = start + usize::from(self.byte(start) == b'-');
        let mut kind = Kind::Int;
        if self.byte(end) == b'0' {
            end += 1;
            if self.byte(end).is_ascii_digit() {
                let found = self.character(end);
                let message = format!("Invalid number, unexpected digit after 0: {found}.");
                return Err(SyntaxError::new(end, message));
            }
        } else {
            end = self.digits(end)?;
        }
        if self.byte(end) == b'.' {
            kind = Kind::Float;
            end = self.digits(end + 1)?;
        }
        if matches!(self.byte(end), b'e' | b'E') {
            kind = Kind::Float;
            end += 1;
            end = self.digits(end + usize::from(matches!(self.byte(end), b'+' | b'-')))?;
        }
        if matches!(self.byte(end), b'.' | b'_' | b'a'..=b'z' | b'A'..=b'Z') {
            return Err(self.no_digit(end));
        }
        Ok(self.token(kind, start, end))
    }

    fn digits(&self, start: usize) -> Result<usize, SyntaxError> {
        let rest = &self.text[start..];
        match rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()) {
            0 => Err(self.no_digit(start)),
            length => Ok(start + length),
        }
    }

    fn no_digit(&self, offset: usize) -> SyntaxError {
        let found = self.character(offset);
        SyntaxError::new(offset, format!("Invalid number, expected digit but got: {found}."))
    }

    /// The byte at an offset; 0 at the end.
    fn byte(&self, offset: usize) -> u8 {
        self.text.as_bytes().get(offset).copied().unwrap_or(0)
    }

    /// The character at an offset, as error messages show it.
    fn character(&self, offset: usize) -> String {
        match self.text[offset..].chars().next() {
            None => Kind::End.description(),
            Some('"') => "'\"'".to_owned(),
            Some(character @ ' '..='~') => format!("\"{character}\""),
            Some(character) => format!("U+{:04X}", u32::from(character)),
        }
    }
}
