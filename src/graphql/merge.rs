//! The root fields of a mutation, collected as the specification says (`CollectFields`, section
//! 6.3.2): those that share a response key are one field, and run once. The executor would run
//! each of them, and merge what came of it.

use std::collections::{HashMap, HashSet};

use async_graphql::{Name, Positioned, parser::types};

pub(super) type Fragments = HashMap<Name, Positioned<types::FragmentDefinition>>;
type Selections = Vec<Positioned<types::Selection>>;

/// The selections of a mutation as plain root fields, one for each response key.
pub(super) fn root_fields(selections: Selections, fragments: &Fragments) -> Selections {
    let mut fields = Fields { fragments, spread: HashSet::new(), collected: Vec::new() };
    fields.collect(selections);
    fields.collected
}

struct Fields<'a> {
    fragments: &'a Fragments,
    /// Fragments that were spread: spreading one again adds nothing.
    spread: HashSet<Name>,
    collected: Selections,
}

impl Fields<'_> {
    fn collect(&mut self, selections: Selections) {
        for selection in selections {
            match selection.node {
                types::Selection::Field(field) => self.add(field),
                types::Selection::InlineFragment(inline) => {
                    self.collect(inline.node.selection_set.node.items);
                }
                types::Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node;
                    let fragment = self.fragments.get(&name);
                    if let Some(fragment) = fragment.filter(|_| self.spread.insert(name)) {
                        self.collect(fragment.node.selection_set.node.items.clone());
                    }
                }
            }
        }
    }

    fn add(&mut self, mut field: Positioned<types::Field>) {
        let key = field.node.response_key().node.clone();
        let same = self.collected.iter_mut().find_map(|earlier| match &mut earlier.node {
            types::Selection::Field(earlier) if earlier.node.response_key().node == key => {
                Some(&mut earlier.node)
            }
            _ => None,
        });
        if let Some(earlier) = same {
            earlier.selection_set.node.items.append(&mut field.node.selection_set.node.items);
        } else {
            let pos = field.pos;
            self.collected.push(Positioned::new(types::Selection::Field(field), pos));
        }
    }
}
