//! Root fields of mutations that share a response key.
//!
//! They are one field by the specification (`CollectFields`, section 6.3.2), and so are to run
//! once. The executor would run each of them, and merge what came of it.

use std::collections::HashMap;

use async_graphql::{Name, Positioned, parser::types};

/// Makes one of the root fields of each mutation that share a response key.
pub(super) fn root_fields(document: &mut types::ExecutableDocument) {
    let fragments = document.fragments.clone();
    let operations = match &mut document.operations {
        types::DocumentOperations::Single(operation) => vec![&mut operation.node],
        types::DocumentOperations::Multiple(named) => {
            named.values_mut().map(|operation| &mut operation.node).collect()
        }
    };
    for operation in operations {
        if operation.ty == types::OperationType::Mutation {
            let root = &mut operation.selection_set.node;
            let mut merged = Vec::with_capacity(root.items.len());
            merge(std::mem::take(&mut root.items), &fragments, &mut merged);
            root.items = merged;
        }
    }
}

type Selections = Vec<Positioned<types::Selection>>;
type Fragments = HashMap<Name, Positioned<types::FragmentDefinition>>;

/// Selections with a directive stay as they are: whether they count is not known yet.
fn merge(items: Selections, fragments: &Fragments, merged: &mut Selections) {
    for item in items {
        let is_plain = item.node.directives().is_empty();
        match item.node {
            types::Selection::FragmentSpread(ref spread) if is_plain => {
                if let Some(fragment) = fragments.get(&spread.node.fragment_name.node) {
                    merge(fragment.node.selection_set.node.items.clone(), fragments, merged);
                }
            }
            types::Selection::InlineFragment(inline) if is_plain => {
                merge(inline.node.selection_set.node.items, fragments, merged);
            }
            types::Selection::Field(field) if is_plain => merge_field(field, merged),
            selection => merged.push(Positioned::new(selection, item.pos)),
        }
    }
}

fn merge_field(field: Positioned<types::Field>, merged: &mut Selections) {
    let key = |field: &types::Field| field.response_key().node.clone();
    let same = merged.iter_mut().find_map(|earlier| match &mut earlier.node {
        types::Selection::Field(earlier) => {
            let is_plain = earlier.node.directives.is_empty();
            (is_plain && key(&earlier.node) == key(&field.node)).then_some(&mut earlier.node)
        }
        _ => None,
    });
    if let Some(earlier) = same {
        earlier.selection_set.node.items.extend(field.node.selection_set.node.items);
    } else {
        let pos = field.pos;
        merged.push(Positioned::new(types::Selection::Field(field), pos));
    }
}
