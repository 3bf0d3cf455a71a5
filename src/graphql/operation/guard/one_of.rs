//! `@oneOf` inputs in variables: they must have exactly one field, and it must not be null.
//! Validation checks those that are written in the document.

use apollo_compiler::{Schema, ast::Type, executable::Operation, response::JsonValue};

use crate::graphql::{error::Failure, operation::values::Variables};

/// Checks every `@oneOf` input among the variables.
pub(crate) fn check(
    schema: &Schema,
    operation: &Operation,
    variables: Variables<'_>,
) -> Result<(), Failure> {
    for definition in &operation.variables {
        let value = variables.0.get(definition.name.as_str());
        if value.is_some_and(|value| !keeps_rule(schema, &definition.ty, value)) {
            let reason = "must have exactly one field where the schema says @oneOf";
            return Err(Failure::bad_input(&format!("${}", definition.name), reason));
        }
    }
    Ok(())
}

/// Whether a value keeps the rule, with everything in it.
fn keeps_rule(schema: &Schema, ty: &Type, value: &JsonValue) -> bool {
    match value {
        JsonValue::Array(items) => items.iter().all(|i| keeps_rule(schema, ty.item_type(), i)),
        JsonValue::Object(fields) => {
            let Some(input) = schema.get_input_object(ty.inner_named_type()) else { return true };
            let is_one = fields.len() == 1 && !fields.values().any(JsonValue::is_null);
            (is_one || !input.directives.has("oneOf"))
                && fields.iter().all(|(name, value)| {
                    let field = input.fields.get(name.as_str());
                    field.is_none_or(|field| keeps_rule(schema, &field.ty, value))
                })
        }
        _ => true,
    }
}
