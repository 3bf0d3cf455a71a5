//! The schema: built from the Rust types, published as SDL, and read back for validation.
//!
//! **Invariant:** documents are validated against the published schema.

use std::sync::Arc;

use apollo_compiler::{
    Node, Schema as TypedSchema,
    ast::{Definition, Document},
    validation::Valid,
};
use async_graphql::{SDLExportOptions, Schema, ValidationMode};

use super::types::{event::Subscription, mutation::Mutation, query::Query};
use crate::service::Service;

/// The schema that executes.
pub(super) type Executable = Schema<Query, Mutation, Subscription>;

/// How deep selections may nest, including fragments. Deeper ones are refused before validation,
/// and long before the executor's own limit.
pub(super) const NESTING_MAX: usize = 64;

/// The schema over a service.
pub(super) fn executable(service: &Arc<Service>) -> Executable {
    builder().data(service.clone()).finish()
}

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query, Mutation, Subscription)
        .validation_mode(ValidationMode::Fast)
        .limit_recursive_depth(NESTING_MAX * 2)
        .with_sorted_fields()
        .with_sorted_enums()
        .disable_suggestions()
}

/// The SDL of the schema. Without `sign_up` it lacks the mutations that need passwords of our own.
///
/// The executor's export is sorted by type and field, and the definitions that every schema has
/// built in are removed.
pub(crate) fn sdl(sign_up: bool) -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by()
        .use_space_ident();
    let raw = builder().finish().sdl_with_options(options);
    let document = Document::parse(raw, "schema.graphql");
    let mut document = document.expect("the executor exports valid GraphQL");
    let one_of = Document::parse(ONE_OF, "one_of.graphql").expect("it is valid GraphQL");

    document.definitions.retain(|definition| !is_built_in(definition));
    document.definitions.extend(one_of.definitions);
    document.definitions.iter_mut().for_each(describe_arguments);
    document.definitions.iter_mut().for_each(sort_values);
    document
        .definitions
        .sort_by_key(|d| (d.as_directive_definition().is_none(), d.name().cloned()));
    if !sign_up {
        without_sign_up(&mut document);
    }
    document.to_string()
}

/// The schema of an SDL.
pub(super) fn typed(sdl: &str) -> Valid<TypedSchema> {
    TypedSchema::parse_and_validate(format!("{IS_ONE_OF}{sdl}"), "schema.graphql")
        .expect("our own schema is valid")
}

/// Part of GraphQL since September 2025. It is published, because most tools do not know it yet.
const ONE_OF: &str = r#""""Exactly one field of the input must be set, and not to null."""
    directive @oneOf on INPUT_OBJECT"#;
/// The field of introspection that belongs to it, which the validator does not know.
const IS_ONE_OF: &str = "extend type __Type { isOneOf: Boolean } ";

fn is_built_in(definition: &Definition) -> bool {
    match definition {
        Definition::DirectiveDefinition(directive) => directive.name != "hasPermission",
        Definition::SchemaDefinition(_) => true,
        _ => false,
    }
}

/// Sorts the values of an enum as a linter does: `FOLLOW_ENDED` is before `FOLLOWER_LOST`.
fn sort_values(definition: &mut Definition) {
    if let Definition::EnumTypeDefinition(definition) = definition {
        definition.make_mut().values.sort_by_key(|value| value.value.to_lowercase());
    }
}

/// Adds what the executor cannot express: descriptions of a directive's arguments.
fn describe_arguments(definition: &mut Definition) {
    if let Definition::DirectiveDefinition(directive) = definition
        && directive.name == "hasPermission"
    {
        let directive = directive.make_mut();
        directive.description.get_or_insert_with(|| Node::new_str(HAS_PERMISSION));
        for argument in &mut directive.arguments {
            argument.make_mut().description = Some(Node::new_str(PERMISSIONS));
        }
    }
}

const HAS_PERMISSION: &str = "The caller must be signed in and hold every listed permission. It \
    is checked before any resolver of the operation runs.";
const PERMISSIONS: &str = "The permissions that the caller needs, all of them. An empty list means \
    that being signed in is enough.";

fn without_sign_up(document: &mut Document) {
    let hidden = ["signUp", "signIn", "changePassword"];
    for definition in &mut document.definitions {
        if let Definition::ObjectTypeDefinition(object) = definition {
            object.make_mut().fields.retain(|field| !hidden.contains(&field.name.as_str()));
        }
    }
    let is_hidden = |ty: &str| {
        let mutation = ty.strip_suffix("Input").or_else(|| ty.strip_suffix("Payload"));
        mutation.is_some_and(|name| hidden.iter().any(|field| field.eq_ignore_ascii_case(name)))
    };
    document.definitions.retain(|d| d.name().is_none_or(|name| !is_hidden(name)));
}
