//! The variables of a request as values of their types, and errors as graphql-js words them.
//!
//! **Invariant:** a message never repeats the value of a variable: it may be a password.

use std::fmt::{self, Display};

use apollo_compiler::{
    Name, Node,
    ast::{InputValueDefinition, Type, Value, VariableDefinition},
    executable::Operation,
    response::{JsonMap, JsonValue},
    schema::{EnumType, ExtendedType, InputObjectType},
};
use async_graphql::ServerError;

use super::{document::Document, positions::positions, validation::Rules, values::Variables};
use crate::graphql::{
    error::{Code, Failure, located},
    reply::Reply,
};

/// The most errors that are listed, as in graphql-js, before one that says that there are more.
const ERRORS_MAX: usize = 50;

/// The variables of an operation, with defaults for those that are missing.
///
/// # Errors
/// `BAD_USER_INPUT` with every value that does not fit; `argument` is its path, such as
/// `$input.user`.
pub(crate) fn coerce(
    rules: Rules<'_>,
    document: &Document,
    operation: &Operation,
    values: &JsonMap,
) -> Result<JsonMap, Reply> {
    let mut coercion = Coercion { rules, errors: Vec::new() };
    let mut coerced = JsonMap::new();
    let mut errors = Vec::new();
    for variable in &operation.variables {
        let value = coercion.variable(variable, values.get(variable.name.as_str()));
        if let Some(value) = value {
            coerced.insert(variable.name.as_str(), value);
        }
        for error in coercion.errors.drain(..) {
            errors.push(error.located(document, variable));
        }
        if errors.len() > ERRORS_MAX {
            break;
        }
    }
    if errors.is_empty() {
        return Ok(coerced);
    }
    if errors.len() > ERRORS_MAX {
        errors.truncate(ERRORS_MAX);
        let message =
            "Too many errors processing variables, error limit reached. Execution aborted.";
        errors.push(Failure::new(Code::BadUserInput, message).into());
    }
    Err(Reply::refused(Code::BadUserInput, &errors))
}

/// A value that does not fit its type.
struct Misfit {
    message: String,
    /// The path of the value, without the dollar.
    path: String,
}

impl Misfit {
    fn located(self, document: &Document, variable: &Node<VariableDefinition>) -> ServerError {
        let failure = Failure::new(Code::BadUserInput, self.message);
        let failure = failure.with_argument(format!("${}", self.path));
        let location = variable.location().and_then(|span| {
            let text = document.sources.get(&span.file_id())?.source_text();
            positions(text, [span.offset()]).remove(&span.offset())
        });
        located(failure, location.into_iter().collect())
    }
}

/// The place of a value in a variable, such as `input.ids[0]`.
#[derive(Clone, Copy)]
enum Path<'a> {
    Variable(&'a str),
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    fn variable(&self) -> &str {
        match self {
            Self::Variable(name) => name,
            Self::Field(parent, _) | Self::Item(parent, _) => parent.variable(),
        }
    }
}

impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

struct Coercion<'a> {
    rules: Rules<'a>,
    errors: Vec<Misfit>,
}

impl Coercion<'_> {
    /// `None` for a variable without a value.
    fn variable(
        &mut self,
        variable: &VariableDefinition,
        value: Option<&JsonValue>,
    ) -> Option<JsonValue> {
        let (name, ty) = (&variable.name, &*variable.ty);
        let problem = match (value, &variable.default_value) {
            (None, Some(default)) => return self.constant(default, ty),
            (None, None) if ty.is_non_null() => {
                format!("Variable \"${name}\" of required type \"{ty}\" was not provided.")
            }
            (None, None) => return None,
            (Some(JsonValue::Null), _) if ty.is_non_null() => {
                format!("Variable \"${name}\" of non-null type \"{ty}\" must not be null.")
            }
            (Some(value), _) => return self.value(value, ty, &Path::Variable(name)),
        };
        self.errors.push(Misfit { message: problem, path: name.to_string() });
        None
    }

    /// A default. It was validated with the document, or with the schema.
    fn constant(&mut self, value: &Value, ty: &Type) -> Option<JsonValue> {
        let value = Variables(&JsonMap::new()).fill_in(value)?;
        self.value(&value, ty, &Path::Variable(""))
    }

    /// Records that the value at a path does not fit.
    fn misfit(&mut self, path: &Path<'_>, reason: impl Display) {
        if self.errors.len() > ERRORS_MAX {
            return;
        }
        let name = path.variable();
        let place = match path {
            Path::Variable(_) => String::new(),
            _ => format!(" at \"{path}\""),
        };
        let message = format!("Variable \"${name}\" got invalid value{place}; {reason}");
        self.errors.push(Misfit { message, path: path.to_string() });
    }

    fn value(&mut self, value: &JsonValue, ty: &Type, path: &Path<'_>) -> Option<JsonValue> {
        if value.is_null() {
            if ty.is_non_null() {
                let reason = format!("Expected non-nullable type \"{ty}\" not to be null.");
                self.misfit(path, reason);
                return None;
            }
            return Some(JsonValue::Null);
        }
        if ty.is_list() {
            let item_type = ty.item_type();
            let JsonValue::Array(items) = value else {
                // A list of one.
                return Some(JsonValue::Array(vec![self.value(value, item_type, path)?]));
            };
            let items = items
                .iter()
                .enumerate()
                .map(|(index, item)| self.value(item, item_type, &Path::Item(path, index)));
            // All items, to list all errors.
            let items: Vec<_> = items.collect();
            return items.into_iter().collect::<Option<_>>().map(JsonValue::Array);
        }
        match self.rules.schema.types.get(ty.inner_named_type())? {
            ExtendedType::InputObject(input) => self.object(value, input, path),
            ExtendedType::Enum(values) => self.enum_value(value, values, path),
            ty => match scalar(ty.name(), value) {
                Ok(value) => Some(value),
                Err(reason) => {
                    self.misfit(path, reason);
                    None
                }
            },
        }
    }

    fn object(
        &mut self,
        value: &JsonValue,
        input: &InputObjectType,
        path: &Path<'_>,
    ) -> Option<JsonValue> {
        let JsonValue::Object(given) = value else {
            self.misfit(path, format!("Expected type \"{}\" to be an object.", input.name));
            return None;
        };
        let (mut coerced, mut fits) = (JsonMap::new(), true);
        for field in input.fields.values() {
            match self.input_field(field, given.get(field.name.as_str()), path) {
                Ok(Some(value)) => {
                    coerced.insert(field.name.as_str(), value);
                }
                Ok(None) => {}
                Err(()) => fits = false,
            }
        }
        for name in given.keys().filter(|name| !input.fields.contains_key(name.as_str())) {
            let names = input.fields.keys().map(Name::as_str);
            let (name, ty) = (name.as_str(), &input.name);
            let suggestion = self.rules.did_you_mean("", name, names);
            let reason = format!("Field \"{name}\" is not defined by type \"{ty}\".{suggestion}");
            self.misfit(path, reason);
            fits = false;
        }
        if input.directives.has("oneOf") {
            fits &= self.has_one(given, input, path);
        }
        fits.then_some(JsonValue::Object(coerced))
    }

    /// The value of a field of an object; `None` if it has none and needs none.
    fn input_field(
        &mut self,
        field: &InputValueDefinition,
        value: Option<&JsonValue>,
        path: &Path<'_>,
    ) -> Result<Option<JsonValue>, ()> {
        let (name, ty) = (&field.name, &field.ty);
        match (value, &field.default_value) {
            (Some(value), _) => self.value(value, ty, &Path::Field(path, name)).map(Some).ok_or(()),
            (None, Some(default)) => Ok(self.constant(default, ty)),
            (None, None) if ty.is_non_null() => {
                let reason =
                    format!("Field \"{name}\" of required type \"{ty}\" was not provided.");
                self.misfit(path, reason);
                Err(())
            }
            (None, None) => Ok(None),
        }
    }

    /// Whether a `@oneOf` input has exactly one field, which is not null.
    fn has_one(&mut self, given: &JsonMap, input: &InputObjectType, path: &Path<'_>) -> bool {
        let mut fields = input.fields.keys().filter_map(|name| given.get_key_value(name.as_str()));
        let (first, second) = (fields.next(), fields.next());
        let is_one = first.is_some() && second.is_none();
        if !is_one {
            let name = &input.name;
            let reason = format!("Exactly one key must be specified for OneOf type \"{name}\".");
            self.misfit(path, reason);
        }
        let Some((name, JsonValue::Null)) = first else { return is_one };
        let name = name.as_str();
        self.misfit(&Path::Field(path, name), format!("Field \"{name}\" must be non-null."));
        false
    }

    fn enum_value(
        &mut self,
        value: &JsonValue,
        ty: &EnumType,
        path: &Path<'_>,
    ) -> Option<JsonValue> {
        let Some(text) = value.as_str() else {
            let name = &ty.name;
            self.misfit(path, format!("Enum \"{name}\" cannot represent non-string value."));
            return None;
        };
        if ty.values.contains_key(text) {
            return Some(value.clone());
        }
        let names = ty.values.keys().map(Name::as_str);
        let suggestion = self.rules.did_you_mean("the enum value ", text, names);
        let reason = format!("Value does not exist in \"{}\" enum.{suggestion}", ty.name);
        self.misfit(path, reason);
        None
    }
}

/// Coerces a value to a scalar, or returns what is wrong with it. Custom scalars accept any value
/// here.
fn scalar(ty: &str, value: &JsonValue) -> Result<JsonValue, &'static str> {
    match ty {
        "Int" => {
            let number = integer(value).ok_or("Int cannot represent non-integer value")?;
            // Every integer of 32 bits is a 64-bit float exactly.
            let is_small = (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
            let number = is_small.then(|| number.to_string().parse::<i32>().ok()).flatten();
            let too_large = "Int cannot represent non 32-bit signed integer value";
            number.map(JsonValue::from).ok_or(too_large)
        }
        "Float" if !value.is_number() => Err("Float cannot represent non numeric value"),
        "String" if !value.is_string() => Err("String cannot represent a non string value"),
        "Boolean" if !value.is_boolean() => Err("Boolean cannot represent a non boolean value"),
        "ID" if value.is_string() => Ok(value.clone()),
        "ID" => match (value.as_i64(), value.as_u64(), integer(value)) {
            (Some(number), _, _) => Ok(number.to_string().into()),
            (_, Some(number), _) => Ok(number.to_string().into()),
            (_, _, Some(number)) => Ok(number.to_string().into()),
            _ => Err("ID cannot represent value"),
        },
        _ => Ok(value.clone()),
    }
}

/// A number without a fraction: `2.0` is one.
fn integer(value: &JsonValue) -> Option<f64> {
    value.as_f64().filter(|number| number.fract() == 0.0)
}
