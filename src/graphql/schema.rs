//! The schema: built from the Rust types, published as SDL, and read back for validation.
//!
//! **Invariant:** documents are validated against the published schema. A subgraph also has the
//! fields that every subgraph of a federation has and leaves out of its SDL.

use std::sync::Arc;

use apollo_compiler::{
    Node, Schema as TypedSchema,
    ast::{Definition, DirectiveList, Document},
    validation::Valid,
};
use async_graphql::{SDLExportOptions, Schema, ValidationMode};

use super::types::{
    event::Subscription,
    federation::{self, Subgraph},
    mutation::Mutation,
    query::Query,
};
use crate::service::Service;

/// The schema that executes.
pub(super) type Executable = Schema<Query, Mutation, Subscription>;

/// How deep selections may nest, including fragments. Deeper ones are refused before validation,
/// and long before the executor's own limit.
pub(super) const NESTING_MAX: usize = 64;

/// The schema over a service. `sdl` is the published one.
pub(super) fn executable(service: &Arc<Service>, sdl: &str) -> Executable {
    let subgraph = Subgraph { sdl: sdl.to_owned() };
    builder().data(service.clone()).data(subgraph).finish()
}

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query, Mutation, Subscription)
        .validation_mode(ValidationMode::Fast)
        .limit_recursive_depth(NESTING_MAX * 2)
        .with_sorted_fields()
        .with_sorted_enums()
        .disable_suggestions()
}

/// What a server offers besides what every server does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Features {
    /// The mutations that need passwords of our own.
    pub sign_up: bool,
    /// The fields with which a gateway reads entities: the server is a subgraph of a federation.
    pub federation: bool,
}

/// The SDL that documents are validated against. Without federation it is the published one.
pub(crate) fn sdl(features: Features) -> String {
    document(features).to_string()
}

/// The SDL of the subgraph: with the directives of federation, and without the fields that a
/// gateway adds by itself.
pub(crate) fn subgraph_sdl(features: Features) -> String {
    let mut document = document(Features { federation: false, ..features });
    let federation = Document::parse(SUBGRAPH, "subgraph.graphql").expect("it is valid GraphQL");
    for definition in federation.definitions.into_iter().rev() {
        match &definition {
            Definition::ObjectTypeExtension(extension) => {
                let added = extension.directives.iter().cloned();
                directives(&mut document, &extension.name).extend(added);
            }
            _ => document.definitions.insert(0, definition),
        }
    }
    document.to_string()
}

/// The directives of federation: `@key` for what a gateway can look up, and `@shareable` for the
/// types that other subgraphs define as well. Later versions have nothing that we use.
const SUBGRAPH: &str = r#"
    extend schema @link(
        url: "https://specs.apollo.dev/federation/v2.0", import: ["@key", "@shareable"]
    )
    extend type PageInfo @shareable
    extend type User @key(fields: "id") @key(fields: "externalId")
"#;

/// The directives of an object type.
fn directives<'a>(document: &'a mut Document, ty: &str) -> &'a mut DirectiveList {
    let object = document.definitions.iter_mut().find_map(|definition| match definition {
        Definition::ObjectTypeDefinition(object) if object.name == ty => Some(object.make_mut()),
        _ => None,
    });
    &mut object.expect("the schema has the type").directives
}

/// The executor's export is sorted by type and field, and the definitions that every schema has
/// built in are removed, as are those of features that the server does not offer.
fn document(features: Features) -> Document {
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
    if !features.sign_up {
        without_sign_up(&mut document);
    }
    if !features.federation {
        without_fields(&mut document, &federation::FIELDS);
        let is_hidden = |ty: &str| federation::TYPES.contains(&ty);
        document.definitions.retain(|d| d.name().is_none_or(|name| !is_hidden(name)));
    }
    document
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
    without_fields(document, &hidden);
    let is_hidden = |ty: &str| {
        let mutation = ty.strip_suffix("Input").or_else(|| ty.strip_suffix("Payload"));
        mutation.is_some_and(|name| hidden.iter().any(|field| field.eq_ignore_ascii_case(name)))
    };
    document.definitions.retain(|d| d.name().is_none_or(|name| !is_hidden(name)));
}

fn without_fields(document: &mut Document, hidden: &[&str]) {
    for definition in &mut document.definitions {
        if let Definition::ObjectTypeDefinition(object) = definition {
            object.make_mut().fields.retain(|field| !hidden.contains(&field.name.as_str()));
        }
    }
}
