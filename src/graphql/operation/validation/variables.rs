//! Variables: they have input types, are defined and used, and fit where they are used.

use std::collections::{HashMap, HashSet};

use apollo_compiler::ast::Type;

use super::{Walk, errors::Errors, is_input, values::Place};
use crate::graphql::operation::syntax::ast::{Operation, ValueKind, VariableDefinition};

/// A variable in a value.
#[derive(Clone)]
pub(super) struct Usage<'a> {
    pub name: &'a str,
    pub offset: usize,
    pub place: Place<'a>,
}

/// An operation that the walk has left. Its variables are checked when the usages in all fragments
/// have been found.
pub(super) struct Finished<'a> {
    operation: &'a Operation<'a>,
    usages: Vec<Usage<'a>>,
    /// How many errors there were.
    errors: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn unique_variables(&mut self, operation: &'a Operation<'a>) {
        let names = operation.variables.iter().map(|variable| variable.name);
        self.unique_names(names.map(|name| (name.text, name.offset)), |name| {
            format!("There can be only one variable named \"${name}\".")
        });
    }

    pub(super) fn variable_definition(&mut self, variable: &'a VariableDefinition<'a>) {
        let ty = &variable.ty;
        let named = self.rules.named_type(ty.named.text);
        if named.is_some_and(|named| !is_input(named)) {
            self.errors.report([ty.offset], || {
                let (name, ty) = (variable.name.text, &ty.ty);
                format!("Variable \"${name}\" cannot be non-input type \"{ty}\".")
            });
        }
        self.unique_directives(&variable.directives);

        self.type_name(ty.named);
        if let Some(default) = &variable.default {
            let ty = named.filter(|named| is_input(named)).map(|_| ty.ty.clone());
            self.value(default, &Place::of_type(ty), true);
        }
        self.directives(&variable.directives, "VARIABLE_DEFINITION", None);
    }

    /// Keeps what is needed to check the variables of an operation.
    pub(super) fn finish(&mut self, operation: &'a Operation<'a>) {
        let usages = std::mem::take(&mut self.usages);
        if !self.errors.is_aborted() {
            let errors = self.errors.count();
            self.finished.push(Finished { operation, usages, errors });
        }
    }

    /// Checks the variables of all operations.
    pub(super) fn variable_usages(&mut self) {
        for finished in std::mem::take(&mut self.finished).into_iter().rev() {
            let Finished { operation, usages, errors } = finished;
            let mut usages: Vec<_> = usages.iter().collect();
            for name in self.reachable([&operation.selections].into_iter()) {
                usages.extend(self.usages_by_fragment.get(name).into_iter().flatten());
            }
            let found = self.operation_variables(operation, &usages);
            self.errors.insert(errors, found);
        }
    }

    fn operation_variables(&self, operation: &Operation<'a>, usages: &[&Usage<'a>]) -> Errors {
        let mut errors = Errors::default();
        let in_operation = |preposition: &str| match operation.name {
            Some(name) => format!(" {preposition} operation \"{}\"", name.text),
            None => String::new(),
        };
        // The last definition of a name counts.
        let defined: HashMap<_, _> =
            operation.variables.iter().map(|variable| (variable.name.text, variable)).collect();
        for usage in usages {
            if !defined.contains_key(usage.name) {
                errors.report([usage.offset, operation.offset], || {
                    let place = in_operation("by");
                    format!("Variable \"${}\" is not defined{place}.", usage.name)
                });
            }
        }
        let used: HashSet<_> = usages.iter().map(|usage| usage.name).collect();
        for variable in &operation.variables {
            let name = variable.name.text;
            if !used.contains(name) {
                errors.report([variable.offset], || {
                    format!("Variable \"${name}\" is never used{}.", in_operation("in"))
                });
            }
        }
        for usage in usages {
            if let Some(variable) = defined.get(usage.name) {
                self.variable_fits(variable, usage, &mut errors);
            }
        }
        errors
    }

    fn variable_fits(
        &self,
        variable: &VariableDefinition<'a>,
        usage: &Usage<'a>,
        errors: &mut Errors,
    ) {
        let (name, ty) = (usage.name, &variable.ty.ty);
        let Some(place) = &usage.place.ty else { return };
        if self.rules.named_type(variable.ty.named.text).is_none() {
            return;
        }
        if !is_allowed(variable, place, usage.place.has_default) {
            errors.report([variable.offset, usage.offset], || {
                format!(
                    "Variable \"${name}\" of type \"{ty}\" used in position expecting type \
                     \"{place}\"."
                )
            });
        }
        // graphql-js 16 leaves this out where the input object itself must not be null.
        if let Some(input) = usage.place.one_of.filter(|_| !ty.is_non_null()) {
            errors.report([variable.offset, usage.offset], || {
                format!(
                    "Variable \"${name}\" is of type \"{ty}\" but must be non-nullable to be used \
                     for OneOf Input Object \"{}\".",
                    input.name
                )
            });
        }
    }
}

/// Whether a variable is allowed in a place (section 5.8.5 of the specification): a nullable
/// variable is allowed in a non-null place if the variable or the place has a default.
fn is_allowed(variable: &VariableDefinition<'_>, place: &Type, has_default: bool) -> bool {
    let ty = &variable.ty.ty;
    if !place.is_non_null() || ty.is_non_null() {
        return ty.is_assignable_to(place);
    }
    let default = variable.default.as_ref();
    let has_own_default = default.is_some_and(|value| !matches!(value.kind, ValueKind::Null));
    (has_own_default || has_default) && ty.is_assignable_to(&place.clone().nullable())
}
