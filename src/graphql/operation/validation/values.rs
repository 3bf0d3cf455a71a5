//! Values in the document: they fit their types.

use std::collections::HashMap;

use apollo_compiler::{
    Name,
    ast::{InputValueDefinition, Type},
    schema::{EnumType, ExtendedType, InputObjectType},
};

use super::{Walk, print::print, variables::Usage};
use crate::graphql::operation::syntax::ast::{Argument, Value, ValueKind};

/// The place of a value.
#[derive(Clone, Default)]
pub(super) struct Place<'a> {
    /// `None` if it does not exist.
    pub ty: Option<Type>,
    /// Whether a missing value has a default.
    pub has_default: bool,
    /// The `@oneOf` input whose field it is.
    pub one_of: Option<&'a InputObjectType>,
}

impl<'a> Place<'a> {
    pub(super) fn of_type(ty: Option<Type>) -> Self {
        Self { ty, ..Self::default() }
    }

    pub(super) fn defined(definition: Option<&InputValueDefinition>) -> Self {
        let has_default = definition.is_some_and(|own| own.default_value.is_some());
        Self { has_default, ..Self::of_type(definition.map(|own| (*own.ty).clone())) }
    }

    fn in_object(input: Option<&'a InputObjectType>, field: &str) -> Self {
        let definition = input.and_then(|input| input.fields.get(field));
        let one_of = input.filter(|input| input.directives.has("oneOf"));
        Self { one_of, ..Self::defined(definition.map(|field| &***field)) }
    }
}

impl<'a> Walk<'a> {
    /// Inspects a value. Types are checked unless the value around it does not fit already.
    pub(super) fn value(&mut self, value: &'a Value<'a>, place: &Place<'a>, is_checked: bool) {
        match &value.kind {
            ValueKind::Variable(name) => {
                self.usages.push(Usage { name, offset: value.offset, place: place.clone() });
            }
            ValueKind::Null => {
                let ty = place.ty.as_ref().filter(|ty| is_checked && ty.is_non_null());
                if let Some(ty) = ty {
                    self.unexpected(value, ty);
                }
            }
            ValueKind::List(items) => {
                let list = place.ty.clone().map(Type::nullable);
                let is_list = list.as_ref().is_some_and(Type::is_list);
                let item = list.map(|list| list.item_type().clone());
                if is_checked && !is_list {
                    self.leaf(value, item.as_ref());
                }
                for item_value in items {
                    let place = Place::of_type(item.clone());
                    self.value(item_value, &place, is_checked && is_list);
                }
            }
            ValueKind::Object(fields) => self.object(value, fields, place, is_checked),
            _ if is_checked => self.leaf(value, place.ty.as_ref()),
            _ => {}
        }
    }

    fn object(
        &mut self,
        value: &'a Value<'a>,
        fields: &'a [Argument<'a>],
        place: &Place<'a>,
        is_checked: bool,
    ) {
        let named = place.ty.as_ref().and_then(|ty| self.rules.innermost(ty));
        let input = match named {
            Some(ExtendedType::InputObject(input)) => Some(&**input),
            _ => None,
        };
        match input {
            Some(input) if is_checked => self.input_object(value, fields, input),
            None if is_checked => self.leaf(value, place.ty.as_ref()),
            _ => {}
        }
        let is_checked = is_checked && input.is_some();
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for field in fields {
            let name = field.name.text;
            if let Some(input) = input.filter(|_| is_checked) {
                self.known_input_field(field, input);
            }
            let first = *seen.entry(name).or_insert(field.name.offset);
            if first != field.name.offset {
                let message = || format!("There can be only one input field named \"{name}\".");
                self.errors.report([first, field.name.offset], message);
            }
            self.value(&field.value, &Place::in_object(input, name), is_checked);
        }
    }

    fn input_object(
        &mut self,
        value: &Value<'a>,
        fields: &[Argument<'a>],
        input: &'a InputObjectType,
    ) {
        // The last field of a name counts.
        let by_name: HashMap<_, _> =
            fields.iter().map(|field| (field.name.text, &field.value.kind)).collect();
        for field in input.fields.values() {
            if field.is_required() && !by_name.contains_key(field.name.as_str()) {
                self.errors.report([value.offset], || {
                    format!(
                        "Field \"{}.{}\" of required type \"{}\" was not provided.",
                        input.name, field.name, field.ty
                    )
                });
            }
        }
        if !input.directives.has("oneOf") {
            return;
        }
        let mut names = by_name.iter();
        match (names.next(), names.next()) {
            (Some((name, ValueKind::Null)), None) => self.errors.report([value.offset], || {
                format!("Field \"{}.{name}\" must be non-null.", input.name)
            }),
            (Some(_), None) => {}
            _ => self.errors.report([value.offset], || {
                let name = &input.name;
                format!("OneOf Input Object \"{name}\" must specify exactly one key.")
            }),
        }
    }

    fn known_input_field(&mut self, field: &Argument<'a>, input: &'a InputObjectType) {
        let (rules, name) = (self.rules, field.name.text);
        if input.fields.contains_key(name) {
            return;
        }
        self.errors.report([field.name.offset], || {
            let names = input.fields.keys().map(Name::as_str);
            let suggestion = rules.did_you_mean("", name, names);
            format!("Field \"{name}\" is not defined by type \"{}\".{suggestion}", input.name)
        });
    }

    /// Checks a value that must be a scalar or one of an enum.
    fn leaf(&mut self, value: &Value<'a>, ty: Option<&Type>) {
        let Some(ty) = ty else { return };
        match self.rules.innermost(ty) {
            Some(ExtendedType::Scalar(scalar)) => {
                if let Some(problem) = scalar_problem(&scalar.name, &value.kind) {
                    self.errors.report([value.offset], || format!("{problem}: {}", print(value)));
                }
            }
            Some(ExtendedType::Enum(values)) => self.enum_value(value, values),
            _ => self.unexpected(value, ty),
        }
    }

    fn enum_value(&mut self, value: &Value<'a>, ty: &'a EnumType) {
        let problem = match value.kind {
            ValueKind::Enum(name) if ty.values.contains_key(name) => return,
            ValueKind::Enum(name) => {
                format!("Value \"{name}\" does not exist in \"{}\" enum.", ty.name)
            }
            _ => {
                let printed = print(value);
                format!("Enum \"{}\" cannot represent non-enum value: {printed}.", ty.name)
            }
        };
        let rules = self.rules;
        self.errors.report([value.offset], || {
            let names = ty.values.keys().map(Name::as_str);
            problem + &rules.did_you_mean("the enum value ", &print(value), names)
        });
    }

    fn unexpected(&mut self, value: &Value<'a>, ty: &Type) {
        self.errors.report([value.offset], || {
            format!("Expected value of type \"{ty}\", found {}.", print(value))
        });
    }
}

/// Why a value is not one of a scalar. Scalars of our own take any value here.
fn scalar_problem(scalar: &str, value: &ValueKind<'_>) -> Option<&'static str> {
    let is_int = matches!(value, ValueKind::Int(_));
    match (scalar, value) {
        ("Int", ValueKind::Int(number)) => number
            .parse::<i32>()
            .is_err()
            .then_some("Int cannot represent non 32-bit signed integer value"),
        ("Int", _) => Some("Int cannot represent non-integer value"),
        ("Float", _) if !is_int && !matches!(value, ValueKind::Float(_)) => {
            Some("Float cannot represent non numeric value")
        }
        ("String", _) if !matches!(value, ValueKind::String { .. }) => {
            Some("String cannot represent a non string value")
        }
        ("Boolean", _) if !matches!(value, ValueKind::Boolean(_)) => {
            Some("Boolean cannot represent a non boolean value")
        }
        ("ID", _) if !is_int && !matches!(value, ValueKind::String { .. }) => {
            Some("ID cannot represent a non-string and non-integer value")
        }
        _ => None,
    }
}
