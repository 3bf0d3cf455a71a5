//! Subscriptions select one field.

use std::collections::HashSet;

use super::Walk;
use crate::graphql::operation::syntax::ast::{Field, Operation, OperationKind, Selection};

impl<'a> Walk<'a> {
    /// Reports a subscription whose events could not be told apart: it selects several fields, or one
    /// that has no events.
    pub(super) fn single_root_field(&mut self, operation: &'a Operation<'a>) {
        if operation.kind != OperationKind::Subscription {
            return;
        }
        let (mut fields, mut spread) = (Vec::new(), HashSet::new());
        self.collect_fields(&operation.selections.items, &mut fields, &mut spread);
        let what = || match operation.name {
            Some(name) => format!("Subscription \"{}\"", name.text),
            None => "Anonymous Subscription".to_owned(),
        };

        let first = fields.first().map(|field| field.response_key());
        let offsets = |fields: &mut dyn Iterator<Item = &&Field<'_>>| {
            fields.map(|field| field.offset).collect::<Vec<_>>()
        };
        let further = offsets(&mut fields.iter().filter(|f| Some(f.response_key()) != first));
        if !further.is_empty() {
            self.errors
                .report(further, || format!("{} must select only one top level field.", what()));
        }
        let mut reported = HashSet::new();
        for field in fields.iter().filter(|field| field.name.text.starts_with("__")) {
            let key = field.response_key();
            if reported.insert(key) {
                let same = offsets(&mut fields.iter().filter(|f| f.response_key() == key));
                self.errors.report(same, || {
                    format!("{} must not select an introspection top level field.", what())
                });
            }
        }
    }

    /// Adds the fields of selections, with those of fragments.
    fn collect_fields(
        &self,
        selections: &'a [Selection<'a>],
        fields: &mut Vec<&'a Field<'a>>,
        spread: &mut HashSet<&'a str>,
    ) {
        for selection in selections {
            match selection {
                Selection::Field(field) => fields.push(field),
                Selection::Inline(inline) => {
                    self.collect_fields(&inline.selections.items, fields, spread);
                }
                Selection::Spread(name) => {
                    if let Some(&fragment) = self.fragments.get(name.name.text)
                        && spread.insert(name.name.text)
                    {
                        self.collect_fields(&fragment.selections.items, fields, spread);
                    }
                }
            }
        }
    }
}
