//! Fragments: their types can hold where they are spread, all of them are, and none within itself.

use std::collections::{HashMap, HashSet};

use apollo_compiler::{Name as TypeName, schema::ExtendedType};

use super::{Rules, Walk, is_composite};
use crate::graphql::operation::syntax::ast::{
    Definition, Fragment, Inline, Name, Selection, SelectionSet, Spread,
};

/// The search for fragments that spread themselves.
#[derive(Default)]
pub(super) struct Cycles<'a> {
    visited: HashSet<&'a str>,
    /// The spreads that lead to the current fragment.
    path: Vec<&'a Spread<'a>>,
    /// Where the path enters the fragments on it.
    entered: HashMap<&'a str, usize>,
}

impl<'a> Rules<'a> {
    /// The objects of an abstract type; empty for any other type.
    pub(in crate::graphql::operation) fn possible_types(
        self,
        ty: &'a ExtendedType,
    ) -> Vec<&'a TypeName> {
        match ty {
            ExtendedType::Interface(interface) => {
                let implementers = self.interfaces.get(&interface.name);
                implementers.into_iter().flat_map(|types| &types.objects).collect()
            }
            ExtendedType::Union(union) => union.members.iter().map(|member| &member.name).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether an object can be of both types.
    fn overlap(self, left: &'a ExtendedType, right: &'a ExtendedType) -> bool {
        let can_be = |object: &TypeName, ty: &ExtendedType| {
            object == ty.name() || self.schema.is_subtype(ty.name(), object)
        };
        let is_object = |ty| matches!(ty, &ExtendedType::Object(_));
        match (is_object(left), is_object(right)) {
            _ if left.name() == right.name() => true,
            (true, _) => can_be(left.name(), right),
            (_, true) => can_be(right.name(), left),
            (false, false) => self.possible_types(left).iter().any(|ty| can_be(ty, right)),
        }
    }
}

impl<'a> Walk<'a> {
    /// `place` is what has the type condition.
    pub(super) fn composite_condition(
        &mut self,
        condition: Name<'a>,
        place: impl FnOnce() -> String,
    ) {
        let ty = self.rules.named_type(condition.text);
        if ty.is_some_and(|ty| !is_composite(ty)) {
            self.errors.report([condition.offset], || {
                let (place, ty) = (place(), condition.text);
                format!("{place} cannot condition on non composite type \"{ty}\".")
            });
        }
    }

    pub(super) fn possible_inline(
        &mut self,
        inline: &Inline<'a>,
        own: Option<&'a ExtendedType>,
        around: Option<&'a ExtendedType>,
    ) {
        let (Some(own), Some(around)) = (own, around) else { return };
        let can_overlap = is_composite(own) && is_composite(around);
        if can_overlap && !self.rules.overlap(own, around) {
            self.errors.report([inline.offset], || {
                let (own, around) = (own.name(), around.name());
                format!(
                    "Fragment cannot be spread here as objects of type \"{around}\" can never be \
                     of type \"{own}\"."
                )
            });
        }
    }

    pub(super) fn possible_spread(
        &mut self,
        spread: &Spread<'a>,
        parent: Option<&'a ExtendedType>,
    ) {
        let name = spread.name.text;
        let Some(fragment) = self.fragments.get(name) else {
            let message = || format!("Unknown fragment \"{name}\".");
            return self.errors.report([spread.name.offset], message);
        };
        let own = self.rules.named_type(fragment.condition.text).filter(|ty| is_composite(ty));
        let (Some(own), Some(parent)) = (own, parent) else { return };
        if !self.rules.overlap(own, parent) {
            self.errors.report([spread.offset], || {
                let (own, parent) = (own.name(), parent.name());
                format!(
                    "Fragment \"{name}\" cannot be spread here as objects of type \"{parent}\" \
                     can never be of type \"{own}\"."
                )
            });
        }
    }

    pub(super) fn unused_fragments(&mut self) {
        let operations =
            self.document.definitions.iter().filter_map(|definition| match definition {
                Definition::Operation(operation) => Some(&operation.selections),
                _ => None,
            });
        let used: HashSet<_> = self.reachable(operations).into_iter().collect();
        for definition in &self.document.definitions {
            let Definition::Fragment(fragment) = definition else { continue };
            let name = fragment.name.text;
            if !used.contains(name) {
                let message = || format!("Fragment \"{name}\" is never used.");
                self.errors.report([fragment.offset], message);
            }
        }
    }

    /// The names of the fragments that are spread in selections, and in those fragments, in the
    /// order in which they are found.
    pub(super) fn reachable(
        &self,
        sets: impl Iterator<Item = &'a SelectionSet<'a>>,
    ) -> indexmap::IndexSet<&'a str> {
        let mut names = indexmap::IndexSet::new();
        for set in sets {
            names.extend(spreads(set).into_iter().map(|spread| spread.name.text));
        }
        let mut next = 0;
        while let Some(name) = names.get_index(next).copied() {
            next += 1;
            if let Some(fragment) = self.fragments.get(name) {
                let spreads = spreads(&fragment.selections);
                names.extend(spreads.into_iter().map(|spread| spread.name.text));
            }
        }
        names
    }

    pub(super) fn find_cycles(&mut self, fragment: &'a Fragment<'a>) {
        let name = fragment.name.text;
        if !self.cycles.visited.insert(name) {
            return;
        }
        let spreads = spreads(&fragment.selections);
        self.cycles.entered.insert(name, self.cycles.path.len());
        for spread in spreads {
            let next = spread.name.text;
            self.cycles.path.push(spread);
            match (self.cycles.entered.get(next), self.fragments.get(next)) {
                (Some(&start), _) => self.report_cycle(next, start),
                (None, Some(fragment)) => self.find_cycles(fragment),
                (None, None) => {}
            }
            self.cycles.path.pop();
        }
        self.cycles.entered.remove(name);
    }

    fn report_cycle(&mut self, name: &str, start: usize) {
        let path = &self.cycles.path[start..];
        let offsets: Vec<_> = path.iter().map(|spread| spread.offset).collect();
        self.errors.report(offsets, || {
            let (_, via) = path.split_last().unwrap_or((&path[0], &[]));
            let via: Vec<_> =
                via.iter().map(|spread| format!("\"{}\"", spread.name.text)).collect();
            let via =
                if via.is_empty() { String::new() } else { format!(" via {}", via.join(", ")) };
            format!("Cannot spread fragment \"{name}\" within itself{via}.")
        });
    }
}

/// The spreads in selections at any depth, in the order in which graphql-js finds them: those of
/// nested selections come later, the last ones first.
fn spreads<'a>(set: &'a SelectionSet<'a>) -> Vec<&'a Spread<'a>> {
    let (mut found, mut sets) = (Vec::new(), vec![set]);
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            match selection {
                Selection::Spread(spread) => found.push(spread),
                Selection::Inline(inline) => sets.push(&inline.selections),
                Selection::Field(field) => sets.extend(&field.selections),
            }
        }
    }
    found
}
