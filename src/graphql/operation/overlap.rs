//! Fields with the same response key become one, so they must have the same arguments (section
//! 5.3.2 of the specification). The validator checks that, but compares two lists only up to the
//! length of the shorter one; the rest of the comparison is here.
//!
//! Each selection is inspected once for each place that it is spread to. `expansion` has bounded
//! their number.

use std::collections::{HashMap, HashSet};

use apollo_compiler::{
    ExecutableDocument, Name, Schema,
    ast::Value,
    executable::{Field, Selection, SelectionSet},
};

use crate::graphql::error::{Code, Failure};

/// Refuses a document in which two fields become one although their lists differ in length.
///
/// # Errors
/// `GRAPHQL_VALIDATION_FAILED`, with the response key.
pub(crate) fn check(schema: &Schema, document: &ExecutableDocument) -> Result<(), Failure> {
    let overlap = Overlap { schema, document };
    document.operations.iter().try_for_each(|operation| overlap.check(&[&operation.selection_set]))
}

/// Fields with one response key, each with the type that it is selected on.
type Sharing<'a> = Vec<(&'a Name, &'a Field)>;

#[derive(Clone, Copy)]
struct Overlap<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
}

impl<'a> Overlap<'a> {
    /// Inspects all selections on one object.
    fn check(self, sets: &[&'a SelectionSet]) -> Result<(), Failure> {
        let (mut fields, mut spread) = (HashMap::new(), HashSet::new());
        for set in sets {
            self.collect(set, &mut fields, &mut spread);
        }
        fields.into_iter().try_for_each(|(key, sharing)| {
            if !self.have_same_arguments(&sharing) {
                let message = format!("the fields of `{key}` have lists of different lengths");
                return Err(Failure::new(Code::ValidationFailed, message));
            }
            let below: Vec<_> = sharing.iter().map(|(_, field)| &field.selection_set).collect();
            self.check(&below)
        })
    }

    fn collect(
        self,
        set: &'a SelectionSet,
        fields: &mut HashMap<&'a Name, Sharing<'a>>,
        spread: &mut HashSet<&'a Name>,
    ) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    fields.entry(field.response_key()).or_default().push((&set.ty, field));
                }
                Selection::InlineFragment(inline) => {
                    self.collect(&inline.selection_set, fields, spread);
                }
                Selection::FragmentSpread(name) => {
                    let fragment = self.document.fragments.get(&name.fragment_name);
                    let fragment = fragment.filter(|_| spread.insert(&name.fragment_name));
                    if let Some(fragment) = fragment {
                        self.collect(&fragment.selection_set, fields, spread);
                    }
                }
            }
        }
    }

    /// Whether any two fields that one object can have both have the same arguments.
    fn have_same_arguments(self, sharing: &Sharing<'a>) -> bool {
        // One field for each type is enough: the others on that type have the same arguments.
        let mut seen = Sharing::new();
        sharing.iter().all(|(ty, field)| {
            let mut meet = seen.iter().filter(|(other, _)| self.can_meet(ty, other));
            let is_same = meet.all(|(_, other)| same_arguments(field, other));
            if seen.iter().all(|(other, _)| other != ty) {
                seen.push((ty, field));
            }
            is_same
        })
    }

    /// Whether an object can be of both types. The rule of the specification only excludes two
    /// different object types.
    fn can_meet(self, ty: &Name, other: &Name) -> bool {
        let is_object = |ty| self.schema.get_object(ty).is_some();
        ty == other || !is_object(ty) || !is_object(other)
    }
}

fn same_arguments(field: &Field, other: &Field) -> bool {
    field.arguments.iter().all(|argument| {
        let others = other.arguments.iter().find(|other| other.name == argument.name);
        others.is_none_or(|other| same_lengths(&argument.value, &other.value))
    })
}

/// Whether the lists in two values have the same lengths.
fn same_lengths(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::List(left), Value::List(right)) => {
            let mut pairs = left.iter().zip(right);
            left.len() == right.len() && pairs.all(|(left, right)| same_lengths(left, right))
        }
        (Value::Object(left), Value::Object(right)) => left.iter().all(|(key, left)| {
            let right = right.iter().find(|(other, _)| other == key);
            right.is_none_or(|(_, right)| same_lengths(left, right))
        }),
        _ => true,
    }
}
