//! Arguments of fields: they exist, occur once, and are there if they must be.

use apollo_compiler::{
    Node,
    ast::{FieldDefinition, InputValueDefinition},
    schema::ExtendedType,
};

use super::{Walk, values::Place};
use crate::graphql::operation::syntax::ast::{Argument, Field};

impl<'a> Walk<'a> {
    pub(super) fn unique_arguments(&mut self, arguments: &[Argument<'a>]) {
        let names = arguments.iter().map(|argument| (argument.name.text, argument.name.offset));
        self.unique_names(names, |name| {
            format!("There can be only one argument named \"{name}\".")
        });
    }

    /// Reports each name that occurs more than once, with all its places.
    pub(super) fn unique_names(
        &mut self,
        names: impl Iterator<Item = (&'a str, usize)>,
        message: impl Fn(&str) -> String,
    ) {
        let mut places: indexmap::IndexMap<&str, Vec<usize>> = indexmap::IndexMap::new();
        for (name, offset) in names {
            places.entry(name).or_default().push(offset);
        }
        for (name, offsets) in places {
            if offsets.len() > 1 {
                self.errors.report(offsets, || message(name));
            }
        }
    }

    pub(super) fn field_arguments(
        &mut self,
        field: &'a Field<'a>,
        parent: Option<&'a ExtendedType>,
        definition: Option<&'a FieldDefinition>,
    ) {
        let rules = self.rules;
        for argument in &field.arguments {
            let name = argument.name.text;
            let own = definition.and_then(|field| field.argument_by_name(name));
            if let (None, Some(definition), Some(parent)) = (own, definition, parent) {
                self.errors.report([argument.name.offset], || {
                    let names = definition.arguments.iter().map(|argument| argument.name.as_str());
                    let suggestion = rules.did_you_mean("", name, names);
                    let place = format!("{}.{}", parent.name(), definition.name);
                    format!("Unknown argument \"{name}\" on field \"{place}\".{suggestion}")
                });
            }
            self.value(&argument.value, &Place::defined(own.map(|own| &**own)), true);
        }
    }

    pub(super) fn required_arguments(
        &mut self,
        field: &Field<'a>,
        definition: &'a FieldDefinition,
    ) {
        for missing in missing(&definition.arguments, &field.arguments) {
            self.errors.report([field.offset], || {
                format!(
                    "Field \"{}\" argument \"{}\" of type \"{}\" is required, but it was not \
                     provided.",
                    definition.name, missing.name, missing.ty
                )
            });
        }
    }
}

/// The required arguments that are not given.
pub(super) fn missing<'d>(
    definitions: &'d [Node<InputValueDefinition>],
    arguments: &[Argument<'_>],
) -> impl Iterator<Item = &'d Node<InputValueDefinition>> {
    definitions.iter().filter(|definition| {
        let is_given = || arguments.iter().any(|a| definition.name == a.name.text);
        definition.is_required() && !is_given()
    })
}
