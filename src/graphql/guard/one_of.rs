//! `@oneOf`, which the validator does not know: exactly one field, and that not null.
//!
//! What is written in the document is a matter of validation, what comes as a variable is one of
//! input, as in graphql-js.

use apollo_compiler::{
    ast::{Type, Value},
    executable::Field,
    response::JsonValue,
};

use super::{
    super::error::{Code, Failure},
    Guard,
};

impl Guard<'_> {
    /// Checks every `@oneOf` input among the arguments of a field.
    pub(super) fn one_of(&self, field: &Field) -> Result<(), Failure> {
        for argument in &field.arguments {
            let definition = field.definition.argument_by_name(&argument.name);
            let Some(definition) = definition else { continue };
            self.one_of_literal(&definition.ty, &argument.value).map_err(|code| {
                let reason = "must have exactly one field where the schema says @oneOf";
                Failure::new(code, format!("{} {reason}", argument.name))
                    .with_argument(argument.name.as_str())
            })?;
        }
        Ok(())
    }

    /// Checks a value that is written in the document; the error is the code of what is wrong.
    fn one_of_literal(&self, ty: &Type, value: &Value) -> Result<(), Code> {
        match value {
            Value::Variable(name) => match self.variables.0.get(name.as_str()) {
                Some(value) if !self.one_of_given(ty, value) => Err(Code::BadUserInput),
                _ => Ok(()),
            },
            Value::List(items) => {
                items.iter().try_for_each(|item| self.one_of_literal(ty.item_type(), item))
            }
            Value::Object(fields) => {
                let input = self.schema.get_input_object(ty.inner_named_type());
                let Some(input) = input else { return Ok(()) };
                if input.directives.has("oneOf") {
                    let [(_, only)] = &fields[..] else { return Err(Code::ValidationFailed) };
                    let is_null = self.variables.fill_in(only).is_none_or(|value| value.is_null());
                    if is_null && only.as_variable().is_some() {
                        return Err(Code::BadUserInput);
                    }
                    if is_null {
                        return Err(Code::ValidationFailed);
                    }
                }
                fields.iter().try_for_each(|(name, value)| match input.fields.get(name) {
                    Some(field) => self.one_of_literal(&field.ty, value),
                    None => Ok(()),
                })
            }
            _ => Ok(()),
        }
    }

    /// Whether the same holds for a value that came as a variable.
    fn one_of_given(&self, ty: &Type, value: &JsonValue) -> bool {
        match value {
            JsonValue::Array(items) => items.iter().all(|i| self.one_of_given(ty.item_type(), i)),
            JsonValue::Object(fields) => {
                let input = self.schema.get_input_object(ty.inner_named_type());
                let Some(input) = input else { return true };
                let is_one = fields.len() == 1 && !fields.values().any(JsonValue::is_null);
                let field = |name: &str| input.fields.get(name);
                (is_one || !input.directives.has("oneOf"))
                    && fields.iter().all(|(name, value)| {
                        field(name.as_str()).is_none_or(|f| self.one_of_given(&f.ty, value))
                    })
            }
            _ => true,
        }
    }
}
