//! Validation: what is wrong with a document, as graphql-js 16 says it.
//!
//! Messages, their order and their locations are those of the rules of graphql-js for the same
//! schema; `tests/audit/differential` compares them. The walk visits every node once, and at each
//! node the rules in the order of graphql-js.
//!
//! **Invariant:** the work is bounded: [`overlap`] has a budget, and everything else is linear in
//! the size of the document, or in the product of its operations and its variables.

mod arguments;
mod directives;
mod errors;
mod fields;
mod fragments;
mod overlap;
mod print;
mod subscriptions;
mod suggestions;
mod values;
mod variables;

use std::collections::HashMap;

use apollo_compiler::{
    Name as TypeName, Schema,
    ast::{FieldDefinition, Type},
    executable::OperationType,
    schema::ExtendedType,
};

pub(crate) use self::errors::Violation;
use self::{
    errors::Errors,
    overlap::Overlap,
    variables::{Finished, Usage},
};
use super::{
    syntax::ast::{
        Definition, Document, Field, Fragment, Inline, Name, Operation, OperationKind, Selection,
        SelectionSet, Spread,
    },
    translation::InterfaceMap,
};

/// What documents are validated against.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub schema: &'a Schema,
    /// Which types implement which interface.
    pub interfaces: &'a InterfaceMap,
    /// Whether messages suggest similar names.
    pub has_suggestions: bool,
}

impl<'a> Rules<'a> {
    /// What is wrong with a document; empty if it is valid.
    pub(crate) fn violations(self, document: &Document<'_>) -> Vec<Violation> {
        Walk::new(self, document).document()
    }

    /// The sentence that suggests similar names, if messages have one.
    pub(crate) fn did_you_mean<'n>(
        self,
        kind: &str,
        input: &str,
        options: impl IntoIterator<Item = &'n str>,
    ) -> String {
        if !self.has_suggestions {
            return String::new();
        }
        suggestions::did_you_mean(kind, input, options)
    }

    fn named_type(self, name: &str) -> Option<&'a ExtendedType> {
        self.schema.types.get(name)
    }

    fn innermost(self, ty: &Type) -> Option<&'a ExtendedType> {
        self.named_type(ty.inner_named_type())
    }

    fn field(self, parent: &ExtendedType, name: &str) -> Option<&'a FieldDefinition> {
        self.schema.type_field(parent.name(), name).ok().map(|field| &***field)
    }
}

/// Whether selections are possible on a type.
fn is_composite(ty: &ExtendedType) -> bool {
    matches!(ty, ExtendedType::Object(_) | ExtendedType::Interface(_) | ExtendedType::Union(_))
}

fn is_leaf(ty: &ExtendedType) -> bool {
    matches!(ty, ExtendedType::Scalar(_) | ExtendedType::Enum(_))
}

fn is_input(ty: &ExtendedType) -> bool {
    is_leaf(ty) || matches!(ty, ExtendedType::InputObject(_))
}

/// The last definition of each name.
type Fragments<'a> = HashMap<&'a str, &'a Fragment<'a>>;

/// A walk over a document.
struct Walk<'a> {
    rules: Rules<'a>,
    document: &'a Document<'a>,
    fragments: Fragments<'a>,
    errors: Errors,
    overlap: Overlap<'a>,
    /// The variables that the current definition uses.
    usages: Vec<Usage<'a>>,
    usages_by_fragment: HashMap<&'a str, Vec<Usage<'a>>>,
    finished: Vec<Finished<'a>>,
    /// The first use of each name.
    operation_names: HashMap<&'a str, Name<'a>>,
    fragment_names: HashMap<&'a str, Name<'a>>,
    cycles: fragments::Cycles<'a>,
}

impl<'a> Walk<'a> {
    fn new(rules: Rules<'a>, document: &'a Document<'a>) -> Self {
        let fragments = document.definitions.iter().filter_map(|definition| match definition {
            Definition::Fragment(fragment) => Some((fragment.name.text, fragment)),
            _ => None,
        });
        let fragments: Fragments<'_> = fragments.collect();
        Self {
            rules,
            document,
            overlap: Overlap::new(rules, fragments.clone()),
            fragments,
            errors: Errors::default(),
            usages: Vec::new(),
            usages_by_fragment: HashMap::new(),
            finished: Vec::new(),
            operation_names: HashMap::new(),
            fragment_names: HashMap::new(),
            cycles: fragments::Cycles::default(),
        }
    }

    fn document(mut self) -> Vec<Violation> {
        for definition in &self.document.definitions {
            if let Definition::TypeSystem(definition) = definition {
                let name = definition.name.map(|name| format!("\"{name}\""));
                let name = name.as_deref().unwrap_or("schema");
                let message = || format!("The {name} definition is not executable.");
                self.errors.report([definition.offset], message);
            }
        }
        for definition in &self.document.definitions {
            match definition {
                Definition::Operation(operation) => self.operation(operation),
                Definition::Fragment(fragment) => self.fragment(fragment),
                Definition::TypeSystem(_) => {}
            }
        }
        self.variable_usages();
        self.unused_fragments();
        self.errors.into_list()
    }

    fn operation(&mut self, operation: &'a Operation<'a>) {
        self.operation_name(operation);
        self.single_root_field(operation);
        self.unique_variables(operation);
        self.unique_directives(&operation.directives);

        for variable in &operation.variables {
            self.variable_definition(variable);
        }
        let (location, root) = match operation.kind {
            OperationKind::Query => ("QUERY", OperationType::Query),
            OperationKind::Mutation => ("MUTATION", OperationType::Mutation),
            OperationKind::Subscription => ("SUBSCRIPTION", OperationType::Subscription),
        };
        self.directives(&operation.directives, location, None);
        let root = self.rules.schema.root_operation(root);
        let root = root.and_then(|name| self.rules.named_type(name));
        self.selection_set(&operation.selections, root, None);
        self.finish(operation);
    }

    fn operation_name(&mut self, operation: &'a Operation<'a>) {
        let is_operation =
            |definition: &&Definition<'_>| matches!(definition, Definition::Operation(_));
        let Some(name) = operation.name else {
            if self.document.definitions.iter().filter(is_operation).count() > 1 {
                let message = "This anonymous operation must be the only defined operation.";
                self.errors.report([operation.offset], || message.to_owned());
            }
            return;
        };
        let first = *self.operation_names.entry(name.text).or_insert(name);
        if first.offset != name.offset {
            let message = || format!("There can be only one operation named \"{}\".", name.text);
            self.errors.report([first.offset, name.offset], message);
        }
    }

    fn fragment(&mut self, fragment: &'a Fragment<'a>) {
        let name = fragment.name.text;
        let condition = fragment.condition;
        self.composite_condition(condition, || format!("Fragment \"{name}\""));
        let first = *self.fragment_names.entry(name).or_insert(fragment.name);
        if first.offset != fragment.name.offset {
            let message = || format!("There can be only one fragment named \"{name}\".");
            self.errors.report([first.offset, fragment.name.offset], message);
        }
        self.find_cycles(fragment);
        self.unique_directives(&fragment.directives);

        self.type_name(condition);
        self.directives(&fragment.directives, "FRAGMENT_DEFINITION", None);
        let ty = self.rules.named_type(condition.text);
        self.selection_set(&fragment.selections, ty, None);
        self.usages_by_fragment.insert(name, std::mem::take(&mut self.usages));
    }

    /// `ty` is the type of what the selections are on, `field` the field that has them, if any.
    fn selection_set(
        &mut self,
        set: &'a SelectionSet<'a>,
        ty: Option<&'a ExtendedType>,
        field: Option<&'a FieldDefinition>,
    ) {
        let parent = ty.filter(|ty| is_composite(ty));
        self.overlap.check(set, parent, &mut self.errors);
        self.selections(set, ty, field);
    }

    fn selections(
        &mut self,
        set: &'a SelectionSet<'a>,
        ty: Option<&'a ExtendedType>,
        field: Option<&'a FieldDefinition>,
    ) {
        let parent = ty.filter(|ty| is_composite(ty));
        for selection in &set.items {
            match selection {
                Selection::Field(field) => self.field(field, parent),
                Selection::Spread(spread) => self.spread(spread, parent, field),
                Selection::Inline(inline) => self.inline(inline, ty, field),
            }
        }
    }

    fn field(&mut self, field: &'a Field<'a>, parent: Option<&'a ExtendedType>) {
        let definition = parent.and_then(|parent| self.rules.field(parent, field.name.text));
        let ty = definition.map(|definition| &definition.ty);
        let named = ty.and_then(|ty| self.rules.innermost(ty));
        self.leaf_selections(field, ty, named);
        if let (Some(parent), None) = (parent, definition) {
            self.unknown_field(field, parent);
        }
        self.unique_directives(&field.directives);
        self.unique_arguments(&field.arguments);

        self.field_arguments(field, parent, definition);
        self.directives(&field.directives, "FIELD", definition);
        if let Some(set) = &field.selections {
            self.selection_set(set, named, definition);
        }
        if let Some(definition) = definition {
            self.required_arguments(field, definition);
        }
    }

    fn spread(
        &mut self,
        spread: &'a Spread<'a>,
        parent: Option<&'a ExtendedType>,
        field: Option<&'a FieldDefinition>,
    ) {
        self.possible_spread(spread, parent);
        self.unique_directives(&spread.directives);
        self.directives(&spread.directives, "FRAGMENT_SPREAD", field);
    }

    fn inline(
        &mut self,
        inline: &'a Inline<'a>,
        ty: Option<&'a ExtendedType>,
        field: Option<&'a FieldDefinition>,
    ) {
        let own = match inline.condition {
            Some(condition) => {
                self.composite_condition(condition, || "Fragment".to_owned());
                let own = self.rules.named_type(condition.text);
                self.possible_inline(inline, own, ty);
                own
            }
            None => ty,
        };
        self.unique_directives(&inline.directives);

        if let Some(condition) = inline.condition {
            self.type_name(condition);
        }
        self.directives(&inline.directives, "INLINE_FRAGMENT", field);
        // Its fields were compared with those around it.
        self.selections(&inline.selections, own, field);
    }

    /// Reports a type that does not exist.
    fn type_name(&mut self, name: Name<'a>) {
        let defined = self.document.definitions.iter().filter_map(|definition| match definition {
            Definition::TypeSystem(definition) if definition.is_type => definition.name,
            _ => None,
        });
        let rules = self.rules;
        if rules.named_type(name.text).is_some() || defined.clone().any(|ty| ty == name.text) {
            return;
        }
        self.errors.report([name.offset], || {
            let types = rules.schema.types.keys().map(TypeName::as_str).chain(defined);
            let suggestion = rules.did_you_mean("", name.text, types);
            format!("Unknown type \"{}\".{suggestion}", name.text)
        });
    }
}
