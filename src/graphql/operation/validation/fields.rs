//! Fields: they exist, and have selections exactly if their type has fields.

use std::collections::HashMap;

use apollo_compiler::{Name, ast::Type, schema::ExtendedType};

use super::{
    Rules, Walk, is_leaf,
    suggestions::{natural_order, suggest},
};
use crate::graphql::operation::syntax::ast::Field;

impl<'a> Walk<'a> {
    /// `named` is the innermost type of `ty`.
    pub(super) fn leaf_selections(
        &mut self,
        field: &Field<'a>,
        ty: Option<&Type>,
        named: Option<&ExtendedType>,
    ) {
        let (Some(ty), Some(named)) = (ty, named) else { return };
        let name = field.name.text;
        match &field.selections {
            Some(set) if is_leaf(named) => self.errors.report([set.offset], || {
                format!(
                    "Field \"{name}\" must not have a selection since type \"{ty}\" has no \
                     subfields."
                )
            }),
            None if !is_leaf(named) => self.errors.report([field.offset], || {
                format!(
                    "Field \"{name}\" of type \"{ty}\" must have a selection of subfields. Did \
                     you mean \"{name} {{ ... }}\"?"
                )
            }),
            _ => {}
        }
    }

    pub(super) fn unknown_field(&mut self, field: &Field<'a>, parent: &'a ExtendedType) {
        let (rules, name) = (self.rules, field.name.text);
        self.errors.report([field.offset], || {
            let mut suggestion = String::new();
            if rules.has_suggestions {
                suggestion =
                    suggest("to use an inline fragment on ", &types_with(rules, parent, name));
            }
            if suggestion.is_empty() {
                suggestion = rules.did_you_mean("", name, field_names(parent));
            }
            format!("Cannot query field \"{name}\" on type \"{}\".{suggestion}", parent.name())
        });
    }
}

fn field_names(ty: &ExtendedType) -> Vec<&str> {
    let fields = match ty {
        ExtendedType::Object(object) => &object.fields,
        ExtendedType::Interface(interface) => &interface.fields,
        _ => return Vec::new(),
    };
    fields.keys().map(Name::as_str).collect()
}

/// The types that have a field which their abstract type lacks, the most common ones first:
/// objects, and their other interfaces.
fn types_with<'a>(rules: Rules<'a>, parent: &'a ExtendedType, field: &str) -> Vec<&'a str> {
    let mut uses: HashMap<&Name, usize> = HashMap::new();
    for object in rules.possible_types(parent) {
        let Some(object) = rules.schema.get_object(object) else { continue };
        if !object.fields.contains_key(field) {
            continue;
        }
        uses.insert(&object.name, 1);
        for name in &object.implements_interfaces {
            let interface = rules.schema.get_interface(name);
            if interface.is_some_and(|interface| interface.fields.contains_key(field)) {
                *uses.entry(name).or_default() += 1;
            }
        }
    }
    let mut types: Vec<_> = uses.into_iter().collect();
    types.sort_by(|(left, left_uses), (right, right_uses)| {
        let is_above = |left: &Name, right: &Name| rules.schema.is_subtype(left, right);
        right_uses
            .cmp(left_uses)
            .then_with(|| is_above(right, left).cmp(&is_above(left, right)))
            .then_with(|| natural_order(left, right))
    });
    types.into_iter().map(|(name, _)| name.as_str()).collect()
}
