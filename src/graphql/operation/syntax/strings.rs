//! The values of strings: escapes, and the indentation of block strings.

use std::borrow::Cow;

use super::SyntaxError;

/// The value of the string at the start of a text, and its length in bytes.
pub(super) fn plain(text: &str) -> Result<(Cow<'_, str>, usize), SyntaxError> {
    let mut value = String::new();
    let (mut chunk, mut offset) = (1, 1);
    while let Some(character) = text[offset..].chars().next() {
        match character {
            '"' if value.is_empty() => {
                return Ok((Cow::Borrowed(&text[chunk..offset]), offset + 1));
            }
            '"' => {
                value.push_str(&text[chunk..offset]);
                return Ok((Cow::Owned(value), offset + 1));
            }
            '\\' => {
                value.push_str(&text[chunk..offset]);
                let (escaped, length) =
                    escape(&text[offset..]).map_err(|error| error.moved(offset))?;
                value.push(escaped);
                offset += length;
                chunk = offset;
            }
            '\n' | '\r' => break,
            _ => offset += character.len_utf8(),
        }
    }
    Err(SyntaxError::new(offset, "Unterminated string."))
}

/// The character that the escape sequence at the start of a text stands for, and its length.
fn escape(text: &str) -> Result<(char, usize), SyntaxError> {
    let character = match text.as_bytes().get(1) {
        Some(b'u') if text.as_bytes().get(2) == Some(&b'{') => return escaped_in_braces(text),
        Some(b'u') => return escaped_in_four_digits(text),
        Some(quoted @ (b'"' | b'\\' | b'/')) => char::from(*quoted),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        _ => {
            let message = format!("Invalid character escape sequence: \"{}\".", start(text, 2));
            return Err(SyntaxError::new(0, message));
        }
    };
    Ok((character, 2))
}

/// `\u{1F600}`
fn escaped_in_braces(text: &str) -> Result<(char, usize), SyntaxError> {
    /// The length of the longest sequence whose end is looked for.
    const LENGTH_MAX: usize = 12;
    let (mut point, mut length) = (0_u32, 3);
    while length < LENGTH_MAX {
        let character = text[3..].chars().nth(length - 3);
        length += 1;
        match character.map(|c| (c, c.to_digit(16))) {
            Some((_, Some(digit))) if point < 1 << 27 => point = point << 4 | digit,
            Some(('}', _)) if length >= 5 => match char::from_u32(point) {
                Some(character) => return Ok((character, length)),
                None => break,
            },
            _ => break,
        }
    }
    Err(invalid_escape(text, length))
}

/// `\u00e9`, or a pair of surrogates as in JSON.
fn escaped_in_four_digits(text: &str) -> Result<(char, usize), SyntaxError> {
    let unit = |from: usize| {
        let digits = text.get(from..from + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        digits.and_then(|digits| u16::from_str_radix(digits, 16).ok())
    };
    let Some(first) = unit(2) else { return Err(invalid_escape(text, 6)) };
    let second = if text[6..].starts_with("\\u") { unit(8) } else { None };
    match (char::from_u32(first.into()), second) {
        (Some(character), _) => Ok((character, 6)),
        (None, Some(second)) => match char::decode_utf16([first, second]).next() {
            Some(Ok(character)) => Ok((character, 12)),
            _ => Err(invalid_escape(text, 6)),
        },
        (None, None) => Err(invalid_escape(text, 6)),
    }
}

fn invalid_escape(text: &str, length: usize) -> SyntaxError {
    let message = format!("Invalid Unicode escape sequence: \"{}\".", start(text, length));
    SyntaxError::new(0, message)
}

/// The first `length` UTF-16 code units of a text.
fn start(text: &str, length: usize) -> &str {
    let mut units = 0;
    let end = text.char_indices().find(|(_, character)| {
        let is_past = units >= length;
        units += character.len_utf16();
        is_past
    });
    end.map_or(text, |(end, _)| &text[..end])
}

/// The value of the block string at the start of a text, and its length in bytes.
pub(super) fn block(text: &str) -> Result<(Cow<'_, str>, usize), SyntaxError> {
    let mut length = 3;
    loop {
        let rest = &text[length..];
        if rest.starts_with("\"\"\"") {
            break;
        }
        length += match rest.chars().next() {
            Some('\\') if rest.starts_with("\\\"\"\"") => 4,
            Some(character) => character.len_utf8(),
            None => return Err(SyntaxError::new(length, "Unterminated string.")),
        };
    }
    let raw = text[3..length].replace("\\\"\"\"", "\"\"\"").replace("\r\n", "\n");
    Ok((Cow::Owned(dedented(&raw)), length + 3))
}

/// A block string without blank lines around it and without the indentation that its lines share.
fn dedented(raw: &str) -> String {
    let lines: Vec<_> = raw.split(['\n', '\r']).collect();
    let indent = |line: &&str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let is_blank = |line: &&str| indent(line) == line.len();
    let shared = lines[1..].iter().filter(|line| !is_blank(line)).map(indent).min().unwrap_or(0);
    let Some(first) = lines.iter().position(|line| !is_blank(line)) else {
        return String::new();
    };
    let last = lines.iter().rposition(|line| !is_blank(line)).unwrap_or(first);
    let kept = (first..=last).map(|number| match number {
        0 => lines[0],
        number => lines[number].get(shared..).unwrap_or_default(),
    });
    kept.collect::<Vec<_>>().join("\n")
}
