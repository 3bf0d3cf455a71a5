//! Conflicts between fields, and how they are worded.

use crate::graphql::operation::syntax::ast::Field;

/// The longest part of a message, in UTF-16 code units.
const DETAIL_LENGTH_MAX: usize = 1_000;
/// The most places on each side of a conflict.
const PLACES_MAX: usize = 20;

/// As many conflicts between subfields as can show in one message: each takes more than 32
/// characters and a place.
const SUBFIELDS_MAX: usize = DETAIL_LENGTH_MAX / 32 + 1;

/// The first conflicts that are found, in their order.
pub(super) struct Conflicts<'a> {
    list: Vec<Conflict<'a>>,
    /// How many are kept.
    most: usize,
}

impl<'a> Conflicts<'a> {
    pub(super) const fn up_to(most: usize) -> Self {
        Self { list: Vec::new(), most }
    }

    pub(super) const fn between_subfields() -> Self {
        Self::up_to(SUBFIELDS_MAX)
    }

    /// Whether the search can end.
    pub(super) const fn is_full(&self) -> bool {
        self.list.len() >= self.most
    }

    pub(super) fn add(&mut self, conflict: Option<Conflict<'a>>) {
        self.list.extend(conflict);
    }

    pub(super) fn into_list(self) -> Vec<Conflict<'a>> {
        self.list
    }
}

/// Two fields that share a response key and cannot be merged.
pub(super) struct Conflict<'a> {
    key: &'a str,
    reason: String,
    left: Vec<usize>,
    right: Vec<usize>,
}

impl<'a> Conflict<'a> {
    pub(super) fn new(key: &'a str, reason: &str, left: &Field<'_>, right: &Field<'_>) -> Self {
        let reason = reason.to_owned();
        Self { key, reason, left: vec![left.offset], right: vec![right.offset] }
    }

    /// The conflict between two fields whose own fields conflict; `None` if none does.
    pub(super) fn of_subfields(
        key: &'a str,
        conflicts: &Conflicts<'a>,
        left: &Field<'_>,
        right: &Field<'_>,
    ) -> Option<Self> {
        let conflicts = &conflicts.list[..];
        if conflicts.is_empty() {
            return None;
        }
        let mut message = String::new();
        for Conflict { key, reason, .. } in conflicts {
            let joint = if message.is_empty() { "" } else { " and " };
            let key = abbreviated(key);
            let parts = [joint, "subfields \"", &key, "\" conflict because ", reason.as_str()];
            message.extend(parts);
            if message.len() > DETAIL_LENGTH_MAX {
                break;
            }
        }
        let places = |field: &Field<'_>, side: fn(&Self) -> &[usize]| {
            let mut places = vec![field.offset];
            for conflict in conflicts {
                let side = side(conflict);
                let kept = (PLACES_MAX - places.len()).min(side.len());
                places.extend(&side[side.len() - kept..]);
                if places.len() == PLACES_MAX {
                    break;
                }
            }
            places
        };
        let (left, right) = (places(left, |c| &c.left), places(right, |c| &c.right));
        Some(Self { key, reason: abbreviated(&message), left, right })
    }

    /// The places and the message of the error.
    pub(super) fn into_error(self) -> (Vec<usize>, String) {
        let (key, reason) = (abbreviated(self.key), self.reason);
        let message = format!(
            "Fields \"{key}\" conflict because {reason}. Use different aliases on the fields to \
             fetch both if this was intentional."
        );
        ([self.left, self.right].concat(), message)
    }
}

pub(super) fn different_fields(left: &str, right: &str) -> String {
    format!("\"{}\" and \"{}\" are different fields", abbreviated(left), abbreviated(right))
}

fn abbreviated(text: &str) -> String {
    match text.char_indices().nth(DETAIL_LENGTH_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
