//! Rules of the specification that the validator does not check.
//!
//! The validator ignores variables inside lists and objects, treats a default of null as a default,
//! accepts a field of an input object twice, and does not support `@oneOf`.

use std::collections::HashSet;

use apollo_compiler::{
    ExecutableDocument, Name, Node, Schema,
    ast::{Argument, Directive, InputValueDefinition, Type, Value, VariableDefinition},
    executable::{Operation, Selection, SelectionSet},
};

use crate::graphql::error::{Code, Failure};

/// Refuses an invalid document that the validator accepted.
///
/// # Errors
/// `GRAPHQL_VALIDATION_FAILED`, with the first violation.
pub(crate) fn check(schema: &Schema, document: &ExecutableDocument) -> Result<(), Failure> {
    for operation in document.operations.iter() {
        let mut rules = Rules { schema, document, operation, seen: HashSet::new() };
        for variable in &operation.variables {
            if let Some(default) = &variable.default_value {
                rules.value(Place::of_type(&variable.ty), default)?;
            }
        }
        rules.selections(&operation.selection_set)?;
    }
    Ok(())
}

/// The place of a value.
#[derive(Clone, Copy)]
struct Place<'a> {
    ty: &'a Type,
    /// Whether a missing value has a default.
    has_default: bool,
    /// Whether it is the only field of a `@oneOf` input.
    is_one_of: bool,
}

impl<'a> Place<'a> {
    const fn of_type(ty: &'a Type) -> Self {
        Self { ty, has_default: false, is_one_of: false }
    }

    fn of_definition(definition: &'a InputValueDefinition) -> Self {
        let has_default = definition.default_value.is_some();
        Self { has_default, ..Self::of_type(&definition.ty) }
    }

    /// Whether a variable is allowed here (section 5.8.5): a nullable variable is allowed in a
    /// non-null place if the variable or the place has a default.
    fn allows(self, variable: &VariableDefinition) -> bool {
        let own_default = variable.default_value.as_ref().is_some_and(|value| !value.is_null());
        if self.is_one_of && !variable.ty.is_non_null() {
            return false;
        }
        if self.ty.is_non_null() && (own_default || self.has_default) {
            let nullable = self.ty.clone().nullable();
            return variable.ty.is_assignable_to(&nullable);
        }
        variable.ty.is_assignable_to(self.ty)
    }
}

struct Rules<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    operation: &'a Operation,
    /// Fragments that were inspected for this operation.
    seen: HashSet<&'a Name>,
}

impl<'a> Rules<'a> {
    fn selections(&mut self, set: &'a SelectionSet) -> Result<(), Failure> {
        set.selections.iter().try_for_each(|selection| {
            self.directives(selection.directives())?;
            match selection {
                Selection::Field(field) => {
                    self.arguments(&field.definition.arguments, &field.arguments)?;
                    self.selections(&field.selection_set)
                }
                Selection::InlineFragment(inline) => self.selections(&inline.selection_set),
                Selection::FragmentSpread(spread) => {
                    let fragment = self.document.fragments.get(&spread.fragment_name);
                    match fragment.filter(|_| self.seen.insert(&spread.fragment_name)) {
                        Some(fragment) => self.selections(&fragment.selection_set),
                        None => Ok(()),
                    }
                }
            }
        })
    }

    fn directives(&self, directives: &[Node<Directive>]) -> Result<(), Failure> {
        directives.iter().try_for_each(|directive| {
            match self.schema.directive_definitions.get(&directive.name) {
                Some(definition) => self.arguments(&definition.arguments, &directive.arguments),
                None => Ok(()),
            }
        })
    }

    fn arguments(
        &self,
        definitions: &[Node<InputValueDefinition>],
        given: &[Node<Argument>],
    ) -> Result<(), Failure> {
        given.iter().try_for_each(|argument| {
            match definitions.iter().find(|definition| definition.name == argument.name) {
                Some(definition) => self.value(Place::of_definition(definition), &argument.value),
                None => Ok(()),
            }
        })
    }

    fn value(&self, place: Place<'_>, value: &Value) -> Result<(), Failure> {
        match value {
            Value::Variable(name) => {
                let variable =
                    self.operation.variables.iter().find(|variable| variable.name == *name);
                match variable.filter(|variable| !place.allows(variable)) {
                    Some(_) if place.is_one_of => {
                        Err(broken(format!("variable `${name}` must not be null within @oneOf")))
                    }
                    Some(variable) => Err(broken(format!(
                        "variable `${name}` of type `{}` cannot be used for type `{}`",
                        variable.ty, place.ty
                    ))),
                    None => Ok(()),
                }
            }
            Value::List(items) => {
                let place = Place::of_type(place.ty.item_type());
                items.iter().try_for_each(|item| self.value(place, item))
            }
            Value::Object(fields) => self.object(place.ty, fields),
            _ => Ok(()),
        }
    }

    fn object(&self, ty: &Type, fields: &[(Name, Node<Value>)]) -> Result<(), Failure> {
        let input = self.schema.get_input_object(ty.inner_named_type());
        let Some(input) = input else { return Ok(()) };
        let is_one_of = input.directives.has("oneOf");
        if is_one_of && !matches!(fields, [(_, only)] if !only.is_null()) {
            return Err(broken(format!("`{}` must have exactly one field", input.name)));
        }

        let mut seen = HashSet::new();
        fields.iter().try_for_each(|(name, value)| {
            if !seen.insert(name) {
                return Err(broken(format!("the input field `{name}` is there twice")));
            }
            match input.fields.get(name) {
                Some(field) => {
                    self.value(Place { is_one_of, ..Place::of_definition(field) }, value)
                }
                None => Ok(()),
            }
        })
    }
}

fn broken(message: String) -> Failure {
    Failure::new(Code::ValidationFailed, message)
}
