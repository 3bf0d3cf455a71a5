//! The canonical text of a document: equal for documents that differ only in layout.
//!
//! Clients do not send what their build saw. Apollo's client adds `__typename` to every selection,
//! graphql-codegen sorts the documents of its manifest, printers differ in white space. None of
//! that changes what an operation may read or do.

use apollo_compiler::{
    Node,
    ast::{Argument, Definition, DirectiveList, Document, Field, OperationType, Selection},
};

/// The document with everything sorted whose order does not matter, without plain `__typename`
/// fields. The root fields of a mutation run in turn, so they stay in order.
pub(super) fn canonical(document: &Document) -> String {
    let mut texts: Vec<_> = document.definitions.iter().cloned().map(definition).collect();
    texts.sort_unstable();
    texts.join("\n")
}

/// Whether a document only asks about the schema: every root field is an introspection field, and
/// nothing at the root is a fragment, which could be any field.
pub(super) fn only_introspects(document: &Document) -> bool {
    let asks = |selection: &Selection| {
        matches!(selection, Selection::Field(field)
            if matches!(field.name.as_str(), "__schema" | "__type" | "__typename"))
    };
    document.definitions.iter().all(|definition| match definition {
        Definition::OperationDefinition(operation) => {
            operation.operation_type == OperationType::Query
                && operation.selection_set.iter().all(asks)
        }
        definition => matches!(definition, Definition::FragmentDefinition(_)),
    })
}

fn definition(mut definition: Definition) -> String {
    match &mut definition {
        Definition::OperationDefinition(operation) => {
            let operation = operation.make_mut();
            for variable in &mut operation.variables {
                sort_directives(&mut variable.make_mut().directives);
            }
            operation.variables.sort_by(|a, b| a.name.cmp(&b.name));
            sort_directives(&mut operation.directives);
            reduce(&mut operation.selection_set);
            if operation.operation_type != OperationType::Mutation {
                sort(&mut operation.selection_set);
            }
        }
        Definition::FragmentDefinition(fragment) => {
            let fragment = fragment.make_mut();
            sort_directives(&mut fragment.directives);
            reduce(&mut fragment.selection_set);
            sort(&mut fragment.selection_set);
        }
        // Not executable: such a document never runs.
        _ => {}
    }
    definition.serialize().no_indent().to_string()
}

/// Removes plain `__typename` fields and puts everything below the selections in order.
fn reduce(selections: &mut Vec<Selection>) {
    selections.retain(|selection| !is_plain_typename(selection));
    for selection in selections {
        match selection {
            Selection::Field(field) => {
                let Field { arguments, directives, selection_set, .. } = field.make_mut();
                sort_arguments(arguments);
                sort_directives(directives);
                reduce(selection_set);
                sort(selection_set);
            }
            Selection::FragmentSpread(spread) => sort_directives(&mut spread.make_mut().directives),
            Selection::InlineFragment(fragment) => {
                let fragment = fragment.make_mut();
                sort_directives(&mut fragment.directives);
                reduce(&mut fragment.selection_set);
                sort(&mut fragment.selection_set);
            }
        }
    }
}

fn is_plain_typename(selection: &Selection) -> bool {
    matches!(selection, Selection::Field(field)
        if field.name == "__typename" && field.alias.is_none() && field.directives.is_empty())
}

fn sort(selections: &mut [Selection]) {
    selections.sort_by_cached_key(|selection| selection.serialize().no_indent().to_string());
}

fn sort_directives(directives: &mut DirectiveList) {
    for directive in &mut directives.0 {
        sort_arguments(&mut directive.make_mut().arguments);
    }
    directives.0.sort_by_cached_key(|directive| directive.serialize().no_indent().to_string());
}

fn sort_arguments(arguments: &mut [Node<Argument>]) {
    arguments.sort_by(|a, b| a.name.cmp(&b.name));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Document {
        Document::parse(text, "document.graphql").expect("it parses")
    }

    #[test]
    fn documents_that_differ_in_layout_are_one() {
        let same = |one: &str, other: &str| {
            assert_eq!(canonical(&parsed(one)), canonical(&parsed(other)), "{one} | {other}");
        };
        same("{ a }", "query{a}");
        same("{ a { b } }", "{ __typename a { b __typename } }");
        same(
            "query A($x: Int, $y: Int) { a(x: $x, y: $y) }",
            "query A($y: Int, $x: Int)
            { a(y: $y, x: $x) } # comment",
        );
        same(
            "{ a ... on B { c } ...D } fragment D on E { f }",
            "fragment D on E { f } { ...D ... on B { c __typename } a }",
        );
        same("{ a @skip(if: $b) @include(if: $a) }", "{ a @include(if: $a) @skip(if: $b) }");
    }

    #[test]
    fn documents_that_differ_in_content_are_two() {
        let differ = |one: &str, other: &str| {
            assert_ne!(canonical(&parsed(one)), canonical(&parsed(other)), "{one} | {other}");
        };
        differ("{ a }", "{ a b }");
        differ("{ a }", "{ b: a }");
        differ("{ a }", "{ a x: __typename }");
        differ("{ a }", "query A { a }");
        differ("{ a(b: 1) }", "{ a(b: 2) }");
        differ("{ a(b: \"x  y\") }", "{ a(b: \"x y\") }");
        differ("{ a { b c } }", "{ a { b } c }");
        differ("mutation { a b }", "mutation { b a }");
        differ("{ ...A } fragment A on B { c }", "{ ...A } fragment A on B { c d }");
    }

    #[test]
    fn an_introspection_has_no_other_root_field() {
        for text in ["{ __schema { types { name } } }", "query A { __type(name: \"B\") { name } }"]
        {
            assert!(only_introspects(&parsed(text)), "{text}");
        }
        for text in [
            "{ __schema { types { name } } users { totalCount } }",
            "{ __schema: users { totalCount } }",
            "{ ...A } fragment A on Query { users { totalCount } }",
            "{ ... { users { totalCount } } }",
            "mutation { __typename }",
            "query A { __typename } query B { viewer { id } }",
        ] {
            assert!(!only_introspects(&parsed(text)), "{text}");
        }
    }
}
