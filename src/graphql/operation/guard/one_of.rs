//! `@oneOf` in what comes as a variable: exactly one field, and that not null. What is written in
//! the document is a matter of validation.

use apollo_compiler::{Schema, ast::Type, executable::Operation, response::JsonValue};

use crate::graphql::{error::Failure, operation::values::Variables};

/// Checks every `@oneOf` input among the variables.
pub(crate) fn check(
    schema: &Schema,
    operation: &Operation,
    variables: Variables<'_>,
) -> Result<(), Failure> {
    for definition in &operation.variables {
        let given = variables.0.get(definition.name.as_str());
        if given.is_some_and(|value| !is_right(schema, &definition.ty, value)) {
            let reason = "must have exactly one field where the schema says @oneOf";
            return Err(Failure::bad_input(&format!("${}", definition.name), reason));
        }
    }
    Ok(())
}

/// Whether a value is right, and everything in it.
fn is_right(schema: &Schema, ty: &Type, value: &JsonValue) -> bool {
    match value {
        JsonValue::Array(items) => items.iter().all(|i| is_right(schema, ty.item_type(), i)),
        JsonValue::Object(fields) => {
            let Some(input) = schema.get_input_object(ty.inner_named_type()) else { return true };
            let is_one = fields.len() == 1 && !fields.values().any(JsonValue::is_null);
            (is_one || !input.directives.has("oneOf"))
                && fields.iter().all(|(name, value)| {
                    let field = input.fields.get(name.as_str());
                    field.is_none_or(|field| is_right(schema, &field.ty, value))
                })
        }
        _ => true,
    }
}
