//! What the arguments of a field say, with variables filled in.

use apollo_compiler::{
    Name,
    ast::{Type, Value},
    executable::Field,
    response::{JsonMap, JsonValue},
};

use super::Guard;
use crate::{
    domain::{FollowList, OrderDirection, UserOrderField},
    graphql::{
        error::Failure,
        types::{avatar, page::PageArguments},
    },
};

impl Guard<'_> {
    /// How many objects a field could return, if it returns a list of them, once everything that
    /// its arguments say is right.
    pub(crate) fn objects(
        &self,
        field: &Field,
        arguments: &JsonMap,
    ) -> Result<Option<u64>, Failure> {
        for (name, value) in arguments {
            let refused = |path: String, why| {
                Err(Failure::bad_input(&format!("{}{path}", name.as_str()), why))
            };
            if let Some(path) = nul_in(value) {
                return refused(path, "must not contain a NUL character");
            }
            let definition = field.definition.argument_by_name(name.as_str());
            if let Some(path) = definition.and_then(|d| self.null_in(&d.ty, value)) {
                return refused(path, "must not be null");
            }
        }

        let page = || PageArguments {
            first: arguments.get("first").and_then(JsonValue::as_i64),
            last: arguments.get("last").and_then(JsonValue::as_i64),
            after: text(arguments, "after"),
            before: text(arguments, "before"),
        };
        let size_max = self.limits.page_size_max;
        let window = match (field.ty().inner_named_type().as_str(), field.name.as_str()) {
            ("FollowerConnection", _) => {
                let order = direction(arguments, OrderDirection::Desc);
                page().follows(FollowList::Followers, order, size_max)?.window
            }
            ("FollowingConnection", _) => {
                let order = direction(arguments, OrderDirection::Desc);
                page().follows(FollowList::Following, order, size_max)?.window
            }
            ("UserConnection", _) => {
                let order = direction(arguments, OrderDirection::Asc);
                page().users(user_order(arguments), order, size_max)?.window
            }
            ("Node", "nodes") => return self.ids(arguments).map(Some),
            ("URI", "avatarUrl") => return size_of_picture(arguments).map(|()| None),
            _ => return Ok(None),
        };
        Ok(Some(u64::from(window.size())))
    }

    /// How many ids `nodes` is given.
    fn ids(&self, arguments: &JsonMap) -> Result<u64, Failure> {
        let ids = arguments.get("ids").and_then(JsonValue::as_array).map_or(1, Vec::len);
        let most = self.limits.page_size_max;
        if ids > most as usize {
            return Err(Failure::bad_input("ids", format!("must be at most {most}")));
        }
        Ok(ids as u64)
    }

    /// The path, from a value down, of a null where there must be none. Only a variable that may be
    /// null because there is a default brings one here.
    fn null_in(&self, ty: &Type, value: &JsonValue) -> Option<String> {
        match value {
            JsonValue::Null => ty.is_non_null().then(String::new),
            JsonValue::Array(items) => path_in_list(items, |v| self.null_in(ty.item_type(), v)),
            JsonValue::Object(given) => {
                let input = self.schema.get_input_object(ty.inner_named_type())?;
                path_in_object(given, |name, value| {
                    self.null_in(&input.fields.get(name)?.ty, value)
                })
            }
            JsonValue::Bool(_) | JsonValue::Number(_) | JsonValue::String(_) => None,
        }
    }

    /// The arguments of a field with variables filled in. What is left out, and what a variable
    /// leaves out, has its default.
    pub(crate) fn arguments(&self, field: &Field) -> JsonMap {
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

fn text(arguments: &JsonMap, name: &str) -> Option<String> {
    arguments.get(name).and_then(JsonValue::as_str).map(str::to_owned)
}

fn direction(arguments: &JsonMap, default: OrderDirection) -> OrderDirection {
    let given = arguments.get("orderBy").and_then(|order| order.get("direction"));
    match given.and_then(JsonValue::as_str) {
        Some("ASC") => OrderDirection::Asc,
        Some("DESC") => OrderDirection::Desc,
        _ => default,
    }
}

fn user_order(arguments: &JsonMap) -> UserOrderField {
    let given = arguments.get("orderBy").and_then(|order| order.get("field"));
    match given.and_then(JsonValue::as_str) {
        Some("CREATED_AT") => UserOrderField::CreatedAt,
        _ => UserOrderField::Username,
    }
}

fn size_of_picture(arguments: &JsonMap) -> Result<(), Failure> {
    match arguments.get("size").and_then(JsonValue::as_i64) {
        Some(size) if !avatar::SIZES.contains(&size) => {
            let (low, high) = avatar::SIZES.into_inner();
            Err(Failure::bad_input("size", format!("must be from {low} to {high}")))
        }
        _ => Ok(()),
    }
}

/// The path, from a value down, of a text with a NUL character in it, which one of the databases
/// would refuse.
fn nul_in(value: &JsonValue) -> Option<String> {
    match value {
        JsonValue::String(text) => text.as_str().contains('\0').then(String::new),
        JsonValue::Array(items) => path_in_list(items, nul_in),
        JsonValue::Object(fields) => path_in_object(fields, |_, value| nul_in(value)),
        JsonValue::Null | JsonValue::Bool(_) | JsonValue::Number(_) => None,
    }
}

/// The path to the first item with one.
fn path_in_list(
    items: &[JsonValue],
    path: impl Fn(&JsonValue) -> Option<String>,
) -> Option<String> {
    let mut items = items.iter().enumerate();
    items.find_map(|(i, item)| Some(format!(".{i}{}", path(item)?)))
}

/// The path to the first field with one.
fn path_in_object(
    fields: &JsonMap,
    path: impl Fn(&str, &JsonValue) -> Option<String>,
) -> Option<String> {
    let mut fields = fields.iter().map(|(name, value)| (name.as_str(), value));
    fields.find_map(|(name, value)| Some(format!(".{name}{}", path(name, value)?)))
}
