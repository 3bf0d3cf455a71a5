//! Values as text, for messages.

use std::fmt::Write;

use super::super::syntax::ast::{Value, ValueKind};

/// A block string longer than this gets lines of its own for its quotes.
const LINE_LENGTH_MAX: usize = 70;

/// The value as graphql-js prints it.
pub(super) fn print(value: &Value<'_>) -> String {
    let mut text = String::new();
    push(&mut text, value);
    text
}

fn push(text: &mut String, value: &Value<'_>) {
    match &value.kind {
        ValueKind::Variable(name) => {
            text.push('$');
            text.push_str(name);
        }
        ValueKind::Int(written) | ValueKind::Float(written) | ValueKind::Enum(written) => {
            text.push_str(written);
        }
        ValueKind::String { text: value, is_block: false } => push_string(text, value),
        ValueKind::String { text: value, is_block: true } => text.push_str(&block(value)),
        ValueKind::Boolean(flag) => text.push_str(if *flag { "true" } else { "false" }),
        ValueKind::Null => text.push_str("null"),
        ValueKind::List(items) => {
            text.push('[');
            for (number, item) in items.iter().enumerate() {
                text.push_str(if number > 0 { ", " } else { "" });
                push(text, item);
            }
            text.push(']');
        }
        ValueKind::Object(fields) => {
            text.push('{');
            for (number, field) in fields.iter().enumerate() {
                text.push_str(if number > 0 { ", " } else { "" });
                text.push_str(field.name.text);
                text.push_str(": ");
                push(text, &field.value);
            }
            text.push('}');
        }
    }
}

fn push_string(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => {
                write!(text, "\\u{:04X}", u32::from(character)).expect("memory does not fail");
            }
            _ => text.push(character),
        }
    }
    text.push('"');
}

fn block(value: &str) -> String {
    let is_indented = |line: &str| line.starts_with([' ', '\t']);
    let escaped = value.replace("\"\"\"", "\\\"\"\"");
    let mut further = escaped.split('\n').skip(1).peekable();
    let has_lines = further.peek().is_some();
    let must_start_below = has_lines && further.all(|line| line.is_empty() || is_indented(line));
    let ends_with_quotes = escaped.ends_with("\\\"\"\"");
    let must_end_below = value.ends_with('"') && !ends_with_quotes || value.ends_with('\\');
    let is_long = value.encode_utf16().count() > LINE_LENGTH_MAX;
    let has_own_lines =
        has_lines || is_long || must_end_below || must_start_below || ends_with_quotes;
    let starts_below = has_own_lines && (has_lines || !is_indented(&escaped)) || must_start_below;
    let start = if starts_below { "\n" } else { "" };
    let end = if has_own_lines || must_end_below { "\n" } else { "" };
    format!("\"\"\"{start}{escaped}{end}\"\"\"")
}
