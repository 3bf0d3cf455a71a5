//! Fields with the same response key become one, so they must be the same field with the same
//! arguments, and return compatible types (section 5.3.2 of the specification).
//!
//! The comparison is that of graphql-js, pair by pair and in its order: a selection set with
//! itself, with the fragments that it spreads, and those with each other. Pairs of fragments are
//! compared once. Everything that can grow with the square of the document spends a budget.
//!
//! Two shortcuts are ours, so the budget lasts longer. Fields that are all the same and have no
//! selections are not compared; graphql-js gives up on some hundreds of them. And a search ends
//! when further conflicts would not be listed.

mod conflicts;

use std::{ptr, rc::Rc};

use apollo_compiler::{
    ast::{FieldDefinition, Type},
    schema::ExtendedType,
};
use foldhash::{HashMap, HashMapExt, fast::RandomState};
use indexmap::{IndexMap, IndexSet};

use self::conflicts::{Conflict, Conflicts};
use super::{Fragments, Rules, errors::Errors, is_leaf};
use crate::graphql::operation::syntax::ast::{
    Argument, Field, Selection, SelectionSet, Value, ValueKind,
};

/// A fifth of what graphql-js spends before it gives up. Documents that need more repeat response
/// keys hundreds of times.
const BUDGET: usize = 100_000;

/// The budget is used up.
struct Exhausted;

type Compared<T> = Result<T, Exhausted>;

/// The rule, with what it has compared so far.
pub(super) struct Overlap<'a> {
    rules: Rules<'a>,
    fragments: Fragments<'a>,
    budget: usize,
    /// The fields of selection sets, by the addresses of the parent and of the set.
    collected: HashMap<(usize, usize), Rc<Collected<'a>>>,
    /// How many selection sets were collected.
    sets_collected: usize,
    /// Whether two fragments were compared as mutually exclusive.
    fragment_pairs: HashMap<(&'a str, &'a str), bool>,
    /// The same for a selection set, by its number, and a fragment.
    set_pairs: HashMap<(usize, &'a str), bool>,
    /// The classes of fields: fields of one class are the same field with the same arguments.
    classes: HashMap<Class<'a>, usize>,
    /// Why fields of two classes conflict.
    reasons: HashMap<(usize, usize), Option<Rc<str>>>,
    /// A number for each different value, by its text and by its address.
    value_numbers: HashMap<String, usize>,
    values: HashMap<usize, usize>,
}

/// The address of the definition, the name, and the names and numbers of the arguments.
type Class<'a> = (usize, &'a str, Vec<(&'a str, usize)>);

/// The fields of a selection set, with those of its inline fragments.
struct Collected<'a> {
    number: usize,
    fields: IndexMap<&'a str, Vec<Selected<'a>>, RandomState>,
    spreads: IndexSet<&'a str>,
}

/// A field, with the type that it is selected on.
struct Selected<'a> {
    class: usize,
    parent: Option<&'a ExtendedType>,
    field: &'a Field<'a>,
    /// `None` for meta fields and those that do not exist.
    definition: Option<&'a FieldDefinition>,
    /// Its own selections.
    below: Option<Rc<Collected<'a>>>,
}

impl<'a> Selected<'a> {
    fn ty(&self) -> Option<&'a Type> {
        self.definition.map(|definition| &definition.ty)
    }

    /// Whether both are the same field with the same arguments, without selections.
    fn is_same_leaf(&self, other: &Self) -> bool {
        let is_leaf = self.below.is_none() && other.below.is_none();
        is_leaf && self.class == other.class
    }
}

impl<'a> Overlap<'a> {
    pub(super) fn new(rules: Rules<'a>, fragments: Fragments<'a>) -> Self {
        Self {
            rules,
            fragments,
            budget: BUDGET,
            collected: HashMap::new(),
            sets_collected: 0,
            fragment_pairs: HashMap::new(),
            set_pairs: HashMap::new(),
            classes: HashMap::new(),
            reasons: HashMap::new(),
            value_numbers: HashMap::new(),
            values: HashMap::new(),
        }
    }

    /// Reports the conflicts within a selection set.
    pub(super) fn check(
        &mut self,
        set: &'a SelectionSet<'a>,
        parent: Option<&'a ExtendedType>,
        errors: &mut Errors,
    ) {
        let is_single = set.items.len() <= 1 && !matches!(set.items[0], Selection::Inline(_));
        if is_single || errors.is_closed() {
            return;
        }
        let mut conflicts = Conflicts::up_to(errors.room());
        match self.within(set, parent, &mut conflicts) {
            Ok(()) => {
                for conflict in conflicts.into_list() {
                    let (offsets, message) = conflict.into_error();
                    errors.report(offsets, || message);
                }
            }
            Err(Exhausted) => errors.abort(),
        }
    }

    /// Compares the fields of a selection set with each other and with the fragments in it.
    fn within(
        &mut self,
        set: &'a SelectionSet<'a>,
        parent: Option<&'a ExtendedType>,
        conflicts: &mut Conflicts<'a>,
    ) -> Compared<()> {
        let collected = self.collect(set, parent);
        for (key, fields) in &collected.fields {
            if fields.iter().all(|field| field.is_same_leaf(&fields[0])) {
                continue;
            }
            for (index, field) in fields.iter().enumerate() {
                for other in &fields[index + 1..] {
                    conflicts.add(self.conflict(key, field, other, false)?);
                    if conflicts.is_full() {
                        return Ok(());
                    }
                }
            }
        }
        if collected.fields.is_empty() && collected.spreads.len() <= 1 {
            return Ok(());
        }
        for (index, name) in collected.spreads.iter().enumerate() {
            self.fields_and_fragment(&collected, name, false, conflicts)?;
            for other in collected.spreads.iter().skip(index + 1) {
                self.fragments(name, other, false, conflicts)?;
            }
        }
        Ok(())
    }

    fn spend(&mut self, cost: usize) -> Compared<()> {
        self.budget = self.budget.checked_sub(cost).ok_or(Exhausted)?;
        Ok(())
    }

    fn fields_and_fragment(
        &mut self,
        collected: &Rc<Collected<'a>>,
        name: &'a str,
        are_exclusive: bool,
        conflicts: &mut Conflicts<'a>,
    ) -> Compared<()> {
        self.spend(1)?;
        if collected.fields.is_empty() {
            return Ok(());
        }
        // Only a comparison of fields that can meet is good for both cases.
        let pair = (collected.number, name);
        match self.set_pairs.get(&pair) {
            Some(false) => return Ok(()),
            Some(true) if are_exclusive => return Ok(()),
            _ => self.set_pairs.insert(pair, are_exclusive),
        };
        let Some(fragment) = self.collect_fragment(name) else { return Ok(()) };
        if fragment.number == collected.number {
            return Ok(());
        }
        self.sets(collected, &fragment, are_exclusive, conflicts)?;
        for spread in &fragment.spreads {
            self.fields_and_fragment(collected, spread, are_exclusive, conflicts)?;
        }
        Ok(())
    }

    fn fragments(
        &mut self,
        left: &'a str,
        right: &'a str,
        are_exclusive: bool,
        conflicts: &mut Conflicts<'a>,
    ) -> Compared<()> {
        self.spend(2)?;
        let was_compared = |pair| match self.fragment_pairs.get(&pair) {
            Some(were_exclusive) => are_exclusive || !were_exclusive,
            None => false,
        };
        if left == right || was_compared((left, right)) || was_compared((right, left)) {
            return Ok(());
        }
        self.fragment_pairs.insert((left, right), are_exclusive);
        let (first, second) = (self.collect_fragment(left), self.collect_fragment(right));
        let (Some(first), Some(second)) = (first, second) else { return Ok(()) };
        self.sets(&first, &second, are_exclusive, conflicts)?;
        for spread in &second.spreads {
            self.fragments(left, spread, are_exclusive, conflicts)?;
        }
        for spread in &first.spreads {
            self.fragments(spread, right, are_exclusive, conflicts)?;
        }
        Ok(())
    }

    /// Compares each field of a set with those of another one.
    fn sets(
        &mut self,
        left: &Collected<'a>,
        right: &Collected<'a>,
        are_exclusive: bool,
        conflicts: &mut Conflicts<'a>,
    ) -> Compared<()> {
        if left.fields.is_empty() || right.fields.is_empty() || conflicts.is_full() {
            return Ok(());
        }
        for (key, fields) in &left.fields {
            self.spend(1)?;
            let Some(others) = right.fields.get(key) else { continue };
            if fields.iter().chain(others).all(|field| field.is_same_leaf(&fields[0])) {
                continue;
            }
            for field in fields {
                for other in others {
                    conflicts.add(self.conflict(key, field, other, are_exclusive)?);
                    if conflicts.is_full() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// The conflict between two fields with the same response key.
    fn conflict(
        &mut self,
        key: &'a str,
        left: &Selected<'a>,
        right: &Selected<'a>,
        are_exclusive: bool,
    ) -> Compared<Option<Conflict<'a>>> {
        let are_exclusive = are_exclusive || are_different_objects(left.parent, right.parent);
        self.spend(2)?;
        if left.is_same_leaf(right) {
            return Ok(None);
        }
        if !are_exclusive && let Some(reason) = self.reason(left, right)? {
            return Ok(Some(Conflict::new(key, &reason, left.field, right.field)));
        }
        if let (Some(ty), Some(other)) = (left.ty(), right.ty())
            && self.types_conflict(ty, other)?
        {
            let reason = format!("they return conflicting types \"{ty}\" and \"{other}\"");
            return Ok(Some(Conflict::new(key, &reason, left.field, right.field)));
        }
        let (Some(set), Some(other)) = (&left.below, &right.below) else { return Ok(None) };
        let mut below = Conflicts::between_subfields();
        self.between(set, other, are_exclusive, &mut below)?;
        Ok(Conflict::of_subfields(key, &below, left.field, right.field))
    }

    /// Compares the selections of two fields that become one.
    fn between(
        &mut self,
        left: &Rc<Collected<'a>>,
        right: &Rc<Collected<'a>>,
        are_exclusive: bool,
        conflicts: &mut Conflicts<'a>,
    ) -> Compared<()> {
        self.sets(left, right, are_exclusive, conflicts)?;
        for name in &right.spreads {
            self.fields_and_fragment(left, name, are_exclusive, conflicts)?;
        }
        for name in &left.spreads {
            self.fields_and_fragment(right, name, are_exclusive, conflicts)?;
        }
        for name in &left.spreads {
            for other in &right.spreads {
                self.fragments(name, other, are_exclusive, conflicts)?;
            }
        }
        Ok(())
    }

    /// Why two fields on one object are not the same.
    fn reason(&mut self, left: &Selected<'a>, right: &Selected<'a>) -> Compared<Option<Rc<str>>> {
        let pair = (left.class, right.class);
        if left.class == right.class {
            return Ok(None);
        }
        if let Some(reason) = self.reasons.get(&pair) {
            return Ok(reason.clone());
        }
        let (name, other) = (left.field.name.text, right.field.name.text);
        let reason = if name != other {
            Some(conflicts::different_fields(name, other).into())
        } else if self.have_same_arguments(left.field, right.field)? {
            None
        } else {
            Some("they have differing arguments".into())
        };
        self.reasons.insert(pair, reason.clone());
        Ok(reason)
    }

    fn have_same_arguments(&mut self, left: &'a Field<'a>, right: &'a Field<'a>) -> Compared<bool> {
        if left.arguments.len() != right.arguments.len() {
            return Ok(false);
        }
        for argument in &left.arguments {
            self.spend(1)?;
            // The last argument of a name counts.
            let mut others = right.arguments.iter().rev();
            let other = others.find(|other| other.name.text == argument.name.text);
            let Some(other) = other else { return Ok(false) };
            if self.value_number(&argument.value) != self.value_number(&other.value) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Equal values have the same number.
    fn value_number(&mut self, value: &'a Value<'a>) -> usize {
        let address = ptr::from_ref(value).addr();
        if let Some(number) = self.values.get(&address) {
            return *number;
        }
        let mut text = String::new();
        canonical(&mut text, value);
        let next = self.value_numbers.len();
        let number = *self.value_numbers.entry(text).or_insert(next);
        self.values.insert(address, number);
        number
    }

    /// Whether one value cannot be of both types. Composite types are compared by their fields.
    fn types_conflict(&mut self, left: &Type, right: &Type) -> Compared<bool> {
        if left == right {
            return Ok(false);
        }
        self.spend(1)?;
        let is_other =
            left.is_list() != right.is_list() || left.is_non_null() != right.is_non_null();
        if is_other {
            return Ok(true);
        }
        if left.is_list() {
            return self.types_conflict(left.item_type(), right.item_type());
        }
        let is_leaf = |ty: &Type| self.rules.innermost(ty).is_some_and(is_leaf);
        let names = (left.inner_named_type(), right.inner_named_type());
        Ok(names.0 != names.1 && (is_leaf(left) || is_leaf(right)))
    }

    fn class(&mut self, field: &'a Field<'a>, definition: Option<&'a FieldDefinition>) -> usize {
        let definition = definition.map_or(0, |definition| ptr::from_ref(definition).addr());
        let arguments = field.arguments.iter();
        let arguments = arguments.map(|a| (a.name.text, self.value_number(&a.value))).collect();
        let next = self.classes.len();
        *self.classes.entry((definition, field.name.text, arguments)).or_insert(next)
    }

    fn collect_fragment(&mut self, name: &str) -> Option<Rc<Collected<'a>>> {
        let fragment = *self.fragments.get(name)?;
        let parent = self.rules.named_type(fragment.condition.text);
        Some(self.collect(&fragment.selections, parent))
    }

    fn collect(
        &mut self,
        set: &'a SelectionSet<'a>,
        parent: Option<&'a ExtendedType>,
    ) -> Rc<Collected<'a>> {
        let parent_address = parent.map_or(0, |parent| ptr::from_ref(parent).addr());
        let key = (parent_address, ptr::from_ref(set).addr());
        if let Some(collected) = self.collected.get(&key) {
            return Rc::clone(collected);
        }
        self.sets_collected += 1;
        let (number, fields) = (self.sets_collected, IndexMap::default());
        let mut collected = Collected { number, fields, spreads: IndexSet::new() };
        self.collect_into(&mut collected, set, parent);
        let collected = Rc::new(collected);
        self.collected.insert(key, Rc::clone(&collected));
        collected
    }

    fn collect_into(
        &mut self,
        collected: &mut Collected<'a>,
        set: &'a SelectionSet<'a>,
        parent: Option<&'a ExtendedType>,
    ) {
        for selection in &set.items {
            match selection {
                Selection::Field(field) => {
                    let definition = parent.and_then(|parent| own_field(parent, field.name.text));
                    let class = self.class(field, definition);
                    let named = definition.and_then(|field| self.rules.innermost(&field.ty));
                    let below = field.selections.as_ref().map(|set| self.collect(set, named));
                    let selected = Selected { class, parent, field, definition, below };
                    collected.fields.entry(field.response_key()).or_default().push(selected);
                }
                Selection::Spread(spread) => {
                    collected.spreads.insert(spread.name.text);
                }
                Selection::Inline(inline) => {
                    let parent = match inline.condition {
                        Some(condition) => self.rules.named_type(condition.text),
                        None => parent,
                    };
                    self.collect_into(collected, &inline.selections, parent);
                }
            }
        }
    }
}

/// A field of a type, without meta fields.
fn own_field<'a>(ty: &'a ExtendedType, name: &str) -> Option<&'a FieldDefinition> {
    let fields = match ty {
        ExtendedType::Object(object) => &object.fields,
        ExtendedType::Interface(interface) => &interface.fields,
        _ => return None,
    };
    fields.get(name).map(|field| &***field)
}

/// Interfaces might overlap, if not in this schema then in a later one.
fn are_different_objects(left: Option<&ExtendedType>, right: Option<&ExtendedType>) -> bool {
    match (left, right) {
        (Some(ExtendedType::Object(left)), Some(ExtendedType::Object(right))) => {
            left.name != right.name
        }
        _ => false,
    }
}

/// Appends a text that is the same for equal values: fields of objects are in order.
fn canonical(text: &mut String, value: &Value<'_>) {
    use std::fmt::Write;

    let written = match &value.kind {
        ValueKind::List(items) => {
            text.push('[');
            for item in items {
                canonical(text, item);
            }
            text.push(']');
            return;
        }
        ValueKind::Object(fields) => {
            let mut fields: Vec<&Argument<'_>> = fields.iter().collect();
            fields.sort_by_key(|field| field.name.text);
            text.push('{');
            for field in fields {
                text.push_str(field.name.text);
                text.push(':');
                canonical(text, &field.value);
            }
            text.push('}');
            return;
        }
        ValueKind::Variable(name) => write!(text, "${name}"),
        ValueKind::Int(number) | ValueKind::Float(number) => write!(text, "{number}"),
        ValueKind::String { text: string, is_block } => write!(text, "{is_block}{string:?}"),
        ValueKind::Boolean(flag) => write!(text, "{flag}"),
        ValueKind::Null => write!(text, "null"),
        ValueKind::Enum(name) => write!(text, "{name}"),
    };
    written.expect("memory does not fail");
    text.push(' ');
}
