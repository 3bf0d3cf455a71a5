//! Directives: they exist, in the right places, and once in each unless they are repeatable.

use std::collections::HashMap;

use apollo_compiler::{
    Node,
    ast::{DirectiveDefinition, FieldDefinition},
};

use super::{Walk, arguments::missing, values::Place};
use crate::graphql::operation::syntax::ast::Directive;

impl<'a> Walk<'a> {
    pub(super) fn unique_directives(&mut self, directives: &[Directive<'a>]) {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for directive in directives {
            let name = directive.name.text;
            let definition = self.directive_definition(name);
            if definition.is_none_or(|definition| definition.repeatable) {
                continue;
            }
            let first = *seen.entry(name).or_insert(directive.offset);
            if first != directive.offset {
                self.errors.report([first, directive.offset], || {
                    format!("The directive \"@{name}\" can only be used once at this location.")
                });
            }
        }
    }

    fn directive_definition(&self, name: &str) -> Option<&'a Node<DirectiveDefinition>> {
        self.rules.schema.directive_definitions.get(name)
    }

    /// `location` is the name of the place in the type system; `field` is the field around it.
    pub(super) fn directives(
        &mut self,
        directives: &'a [Directive<'a>],
        location: &str,
        field: Option<&'a FieldDefinition>,
    ) {
        for directive in directives {
            let name = directive.name.text;
            let definition = self.directive_definition(name);
            match definition {
                None => self
                    .errors
                    .report([directive.offset], || format!("Unknown directive \"@{name}\".")),
                Some(definition)
                    if definition.locations.iter().all(|place| place.name() != location) =>
                {
                    self.errors.report([directive.offset], || {
                        format!("Directive \"@{name}\" may not be used on {location}.")
                    });
                }
                Some(_) => {}
            }
            if let Some(definition) = definition {
                self.known_arguments(directive, definition);
            }
            self.unique_arguments(&directive.arguments);

            // graphql-js takes the arguments of an unknown directive for those of the field.
            let arguments = definition.map(|directive| &directive.arguments);
            let arguments = arguments.or_else(|| field.map(|field| &field.arguments));
            for argument in &directive.arguments {
                let mut own = arguments.into_iter().flatten();
                let own = own.find(|own| own.name == argument.name.text);
                self.value(&argument.value, &Place::defined(own.map(|own| &**own)), true);
            }
            if let Some(definition) = definition {
                self.required_directive_arguments(directive, definition);
            }
        }
    }

    fn known_arguments(&mut self, directive: &Directive<'a>, definition: &'a DirectiveDefinition) {
        let rules = self.rules;
        for argument in &directive.arguments {
            let name = argument.name.text;
            if definition.argument_by_name(name).is_some() {
                continue;
            }
            self.errors.report([argument.name.offset], || {
                let names = definition.arguments.iter().map(|argument| argument.name.as_str());
                let suggestion = rules.did_you_mean("", name, names);
                let directive = directive.name.text;
                format!("Unknown argument \"{name}\" on directive \"@{directive}\".{suggestion}")
            });
        }
    }

    fn required_directive_arguments(
        &mut self,
        directive: &Directive<'a>,
        definition: &'a DirectiveDefinition,
    ) {
        for missing in missing(&definition.arguments, &directive.arguments) {
            self.errors.report([directive.offset], || {
                format!(
                    "Directive \"@{}\" argument \"{}\" of type \"{}\" is required, but it was not \
                     provided.",
                    definition.name, missing.name, missing.ty
                )
            });
        }
    }
}
