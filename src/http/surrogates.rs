//! Lone surrogates: escapes such as `\ud800` that JSON allows and UTF-8 cannot express.
//!
//! JavaScript makes them when it cuts a text in the middle of an emoji. The parser says no more
//! than that the body is not JSON, so the place is found here, after it has failed.

use serde_json::Value;

/// Stands for the surrogate while the JSON is parsed: no character, and in no text of a client.
const STAND_IN: char = '\u{fdd0}';
/// The bytes of an escape such as `\ud800`.
const ESCAPE_BYTES: usize = 6;

/// A message with the path of the first lone surrogate, if that is all that is wrong with the JSON.
/// `path` is the path of the JSON itself.
pub(super) fn find_lone(path: &str, json: &str) -> Option<String> {
    let lone = lone_escapes(json);
    let &first = lone.first()?;
    let (mut replaced, mut copied) = (String::with_capacity(json.len()), 0);
    for start in lone {
        replaced += &json[copied..start];
        replaced += if start == first { r"\ufdd0" } else { r"\ufffd" };
        copied = start + ESCAPE_BYTES;
    }
    replaced += &json[copied..];

    let value = serde_json::from_str(&replaced).ok()?;
    let path = path_of(path, &value)?;
    Some(format!("{path} has a lone surrogate ({}).", &json[first..first + ESCAPE_BYTES]))
}

/// Where the escapes of surrogates without a partner begin. Escapes occur in strings only.
fn lone_escapes(json: &str) -> Vec<usize> {
    let mut lone = Vec::new();
    let mut start = 0;
    while let Some(found) = json[start..].find('\\') {
        start += found;
        let (surrogate, next) = (surrogate(json, start), surrogate(json, start + ESCAPE_BYTES));
        start += match (surrogate, next) {
            (Some(Surrogate::High), Some(Surrogate::Low)) => 2 * ESCAPE_BYTES,
            (Some(_), _) => {
                lone.push(start);
                ESCAPE_BYTES
            }
            // The backslash and what it escapes, which may be of several bytes in broken JSON.
            (None, _) => 1 + json[start + 1..].chars().next().map_or(0, char::len_utf8),
        };
    }
    lone
}

enum Surrogate {
    High,
    Low,
}

/// The surrogate whose escape begins here.
fn surrogate(json: &str, start: usize) -> Option<Surrogate> {
    let digits = json.get(start..start + ESCAPE_BYTES)?.strip_prefix("\\u")?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Surrogate::High),
        0xdc00..=0xdfff => Some(Surrogate::Low),
        _ => None,
    }
}

/// The path of the first text or key with the stand-in.
fn path_of(path: &str, value: &Value) -> Option<String> {
    let below = |step: &str| {
        if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") }
    };
    match value {
        Value::String(text) => text.contains(STAND_IN).then(|| path.to_owned()),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| path_of(&below(&index.to_string()), item))
        }
        Value::Object(fields) => fields.iter().find_map(|(key, value)| {
            if key.contains(STAND_IN) {
                let object = if path.is_empty() { "the body" } else { path };
                return Some(format!("a key of {object}"));
            }
            path_of(&below(key), value)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lone_surrogate_is_named() {
        for (json, message) in [
            (r#"{"a":{"b":"x\ud83d"}}"#, r"v.a.b has a lone surrogate (\ud83d)."),
            (r#"{"a":["\\","\\\\\uDC00"]}"#, r"v.a.1 has a lone surrogate (\uDC00)."),
            (r#"{"a":"\ud83d\u0041","b":"\ud800"}"#, r"v.a has a lone surrogate (\ud83d)."),
            (r#"{"a":"\ud83d\ud83d\ude00"}"#, r"v.a has a lone surrogate (\ud83d)."),
            (r#"{"a":{"\ud83d":1}}"#, r"a key of v.a has a lone surrogate (\ud83d)."),
        ] {
            assert_eq!(find_lone("v", json).as_deref(), Some(message), "{json}");
        }
    }

    #[test]
    fn pairs_and_other_faults_are_not_named() {
        for json in [
            r#"{"a":"\ud83d\ude00"}"#,
            r#"{"a":"\\ud83d"}"#,
            r#"{"a":"\ud83d""#,
            r#"{"a":"\é\ud83d"}"#,
            r#"{"a":"\"#,
            "{",
        ] {
            assert_eq!(find_lone("v", json), None, "{json}");
        }
    }
}
