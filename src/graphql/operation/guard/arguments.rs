//! The arguments of a field, with variables filled in: whether they are allowed, and how many
//! objects they ask for.

use std::slice::from_ref;

use apollo_compiler::{
    Name,
    ast::{Type, Value},
    executable::Field,
    response::{JsonMap, JsonValue},
    schema::ExtendedType,
};

use super::{Guard, texts::TextMeaning};
use crate::graphql::{
    error::Failure,
    lists::{LISTS, List},
    operation::translation::executable_value,
    types::{federation, page::PageArguments},
};

/// What is wrong with a value.
enum Flaw {
    /// The path down to the part at fault, and the reason.
    Refused(String, &'static str),
    /// A text that has no row in `texts`.
    Undeclared,
}

/// A place where a value can stand: an argument of a field, or a field of an input object.
#[derive(Clone, Copy)]
struct Place<'a> {
    owner: &'a str,
    field: &'a str,
    argument: &'a str,
    ty: &'a Type,
}

impl Guard<'_> {
    /// The number of objects that a field could return, if it returns a list of them. Checks all
    /// its arguments first.
    pub(super) fn objects(
        &self,
        parent: &Name,
        field: &Field,
        arguments: &JsonMap,
    ) -> Result<Option<u64>, Failure> {
        if self.is_mutation && matches!(field.name.as_str(), "__schema" | "__type") {
            // The executor answers them at the root only.
            let reason = "is for queries, not for the payload of a mutation";
            return Err(Failure::bad_input(&field.name, reason));
        }
        if parent.starts_with("__") || field.name.starts_with("__") {
            return Ok(None);
        }
        for (name, value) in arguments {
            let name = name.as_str();
            let Some(definition) = field.definition.argument_by_name(name) else { continue };
            let place =
                Place { owner: parent, field: &field.name, argument: name, ty: &definition.ty };
            self.check(place, value).map_err(|flaw| match flaw {
                Flaw::Refused(path, reason) => Failure::bad_input(&format!("{name}{path}"), reason),
                Flaw::Undeclared => unknown(parent, field),
            })?;
        }

        if let Some(list) = List::find(parent, &field.name) {
            let argument = |name: &str| Some(executable_value(arguments.get(name)?.clone()));
            let page = PageArguments::of_field(argument).read(list, self.limits.page_size_max)?;
            return Ok(Some(page.window.size().into()));
        }
        match (parent.as_str(), field.name.as_str()) {
            ("Query", "nodes") => self.length(arguments, "ids").map(Some),
            ("Query", "usersByRef") => self.length(arguments, "refs").map(Some),
            // One result each, and the rest of the payload no more often than that.
            ("Mutation", "upsertUsers") => {
                let input = arguments.get("input").and_then(JsonValue::as_object);
                self.length(input.unwrap_or(arguments), "users").map(Some)
            }
            ("Query", "_entities") => self.representations(arguments).map(Some),
            ("Query", "user") => one_of_two(arguments).map(|()| None),
            _ if self.is_bounded(parent, field) => Ok(None),
            _ => Err(unknown(parent, field)),
        }
    }

    /// Whether a field returns one object at most, or its objects are counted elsewhere: those of
    /// a page with their connection, results with their mutation, and user errors not at all, since
    /// there are few.
    fn is_bounded(&self, parent: &Name, field: &Field) -> bool {
        if field.selection_set.selections.is_empty() {
            return true;
        }
        let is_connection = match self.schema.types.get(field.ty().inner_named_type()) {
            Some(ExtendedType::Object(object)) => object.fields.contains_key("pageInfo"),
            Some(ExtendedType::Interface(interface)) => interface.fields.contains_key("pageInfo"),
            _ => false,
        };
        let is_of_page = || LISTS.iter().any(|list| list.connection == parent.as_str());
        let is_counted = || {
            matches!(
                (parent.as_str(), field.name.as_str()),
                (_, "userErrors") | ("UpsertUsersPayload", "results")
            )
        };
        !is_connection && (!field.ty().is_list() || is_of_page() || is_counted())
    }

    /// The length of a list that a field is given, for an object each.
    fn length(&self, arguments: &JsonMap, name: &str) -> Result<u64, Failure> {
        let length = arguments.get(name).and_then(JsonValue::as_array).map_or(1, Vec::len);
        let most = self.limits.page_size_max;
        if length > most as usize {
            return Err(Failure::bad_input(name, format!("must be at most {most}")));
        }
        Ok(length as u64)
    }

    /// The number of representations. To everything else they are values of any form, so they are
    /// read here.
    fn representations(&self, arguments: &JsonMap) -> Result<u64, Failure> {
        const NAME: &str = "representations";
        let length = self.length(arguments, NAME)?;
        let values = match arguments.get(NAME) {
            Some(JsonValue::Array(items)) => items.as_slice(),
            Some(value) => from_ref(value),
            None => &[],
        };
        for (n, value) in values.iter().enumerate() {
            let value = executable_value(value.clone()).into_const().unwrap_or_default();
            federation::referred(&value).map_err(|(path, reason)| {
                Failure::bad_input(&format!("{NAME}.{n}{path}"), reason)
            })?;
        }
        Ok(length)
    }

    /// Checks a value and everything in it. One of the databases does not accept NUL characters.
    /// Validation leaves only one way to a wrong null: a variable that may be null because it has
    /// a default.
    fn check(&self, place: Place<'_>, value: &JsonValue) -> Result<(), Flaw> {
        let Place { owner, field, argument, ty } = place;
        match value {
            JsonValue::Null if ty.is_non_null() => {
                Err(Flaw::Refused(String::new(), "must not be null"))
            }
            JsonValue::String(text) => {
                let is_text = matches!(ty.inner_named_type().as_str(), "String" | "ID");
                let meaning = TextMeaning::find(owner, field, argument);
                if is_text && meaning.is_none() {
                    return Err(Flaw::Undeclared);
                }
                if text.as_str().contains('\0') && meaning != Some(TextMeaning::Form) {
                    return Err(Flaw::Refused(String::new(), "must not contain a NUL character"));
                }
                Ok(())
            }
            JsonValue::Array(items) => items.iter().enumerate().try_for_each(|(n, item)| {
                let place = Place { ty: ty.item_type(), ..place };
                self.check(place, item).map_err(|flaw| flaw.within(&n.to_string()))
            }),
            JsonValue::Object(fields) => fields.iter().try_for_each(|(name, value)| {
                let input = self.schema.get_input_object(ty.inner_named_type());
                let definition = input.and_then(|input| input.fields.get(name.as_str()));
                let Some(definition) = definition else { return Ok(()) };
                let owner = ty.inner_named_type();
                let place = Place { owner, field: name.as_str(), argument: "", ty: &definition.ty };
                self.check(place, value).map_err(|flaw| flaw.within(name.as_str()))
            }),
            JsonValue::Null | JsonValue::Bool(_) | JsonValue::Number(_) => Ok(()),
        }
    }

    /// The arguments of a field with variables filled in, and with the defaults of the schema for
    /// what is left out.
    pub(super) fn arguments(&self, field: &Field) -> JsonMap {
        let given = |name: &Name| field.specified_argument_by_name(name);
        let value = |value: &Value| self.variables.fill_in(value);
        let arguments = field.definition.arguments.iter().filter_map(|definition| {
            let given = given(&definition.name).and_then(|given| value(given));
            let default = || definition.default_value.as_ref().and_then(|default| value(default));
            Some((definition.name.as_str().into(), given.or_else(default)?))
        });
        arguments.collect()
    }
}

impl Flaw {
    /// The same flaw, seen from one step up.
    fn within(self, step: &str) -> Self {
        match self {
            Self::Refused(path, reason) => Self::Refused(format!(".{step}{path}"), reason),
            Self::Undeclared => Self::Undeclared,
        }
    }
}

/// The failure for a field or an argument that the guard has no rule for: a bug, which a test
/// should have found.
fn unknown(parent: &Name, field: &Field) -> Failure {
    tracing::error!(%parent, field = %field.name, "the guard has no rule for this field");
    Failure::internal()
}

/// Whether a user is named in exactly one way.
fn one_of_two(arguments: &JsonMap) -> Result<(), Failure> {
    let is_given = |name: &str| arguments.get(name).is_some_and(|value| !value.is_null());
    match (is_given("by"), is_given("username")) {
        (true, true) => Err(Failure::bad_input("username", "cannot be given together with by")),
        (false, false) => Err(Failure::bad_input("by", "or username must be given")),
        (true, false) | (false, true) => Ok(()),
    }
}
