//! Values of a document, with the variables of a request filled in.

use apollo_compiler::{
    ast::Value,
    executable::DirectiveList,
    response::{JsonMap, JsonValue, serde_json_bytes::ByteString},
};

/// The variables of a request, coerced to their types, with the defaults of missing ones.
#[derive(Clone, Copy)]
pub(crate) struct Variables<'a>(pub &'a JsonMap);

impl Variables<'_> {
    /// A value as JSON; `None` for a missing variable.
    pub(crate) fn fill_in(self, value: &Value) -> Option<JsonValue> {
        Some(match value {
            Value::Null => JsonValue::Null,
            Value::Variable(name) => self.0.get(name.as_str())?.clone(),
            Value::Enum(name) => JsonValue::String(name.as_str().into()),
            Value::String(text) => JsonValue::String(text.as_str().into()),
            Value::Boolean(flag) => JsonValue::Bool(*flag),
            // Only an ID can be a number of more than 64 bits, and IDs are texts.
            Value::Int(number) => match number.as_str().parse::<i64>() {
                Ok(number) => number.into(),
                Err(_) => JsonValue::String(number.as_str().into()),
            },
            Value::Float(number) => number.try_to_f64().map_or(JsonValue::Null, Into::into),
            Value::List(items) => {
                items.iter().map(|item| self.fill_in(item).unwrap_or(JsonValue::Null)).collect()
            }
            Value::Object(fields) => {
                let fields = fields.iter().filter_map(|(name, value)| {
                    Some((ByteString::from(name.as_str()), self.fill_in(value)?))
                });
                JsonValue::Object(fields.collect())
            }
        })
    }

    /// Whether `@skip` and `@include` keep a selection.
    pub(crate) fn include(self, directives: &DirectiveList) -> bool {
        let condition = |name| {
            let directive = directives.get(name)?;
            self.fill_in(directive.specified_argument_by_name("if")?)?.as_bool()
        };
        condition("skip") != Some(true) && condition("include") != Some(false)
    }
}
