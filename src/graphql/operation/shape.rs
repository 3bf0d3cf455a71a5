//! The shape of an operation: what its requests have in common that differ in nothing but texts.
//!
//! What an operation needs, costs and selects follows from its document and from some of its
//! variables: numbers, truths and enums. Ids, names and other texts change nothing of it.
//!
//! **Invariant:** a shape holds no text of a variable. Some are secrets.

use std::collections::{HashMap, HashSet};

use apollo_compiler::{
    Name, Node, Schema,
    ast::{Type, Value, VariableDefinition},
    executable::{ExecutableDocument, Operation},
    response::JsonValue,
    schema::ExtendedType,
};

use super::{guard, values::Variables};

/// What a variable is to the shape of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A text, or an object of texts: part of the shape is only whether it is given.
    Text,
    /// A number, a truth, an enum, or an object of them, and part of the shape.
    Choice,
    /// Anything else, such as a list, or a text that the guard reads: where it is given, the
    /// request has no shape.
    Other,
}

/// Tells the shapes of the operations of one document.
pub(crate) struct Shapes {
    /// Tells the document from all others.
    document: u64,
    /// The variables of each operation, by its name.
    roles: HashMap<Option<Name>, Vec<(Node<VariableDefinition>, Role)>>,
}

/// What requests have in common that differ in nothing but texts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    document: u64,
    operation: Option<Name>,
    /// What there is of each variable, as JSON; `-` is nothing, `$` a text.
    variables: String,
}

impl Shapes {
    pub(crate) fn new(schema: &Schema, document: &ExecutableDocument, number: u64) -> Self {
        let roles = document.operations.iter().map(|operation| {
            let variables = operation.variables.iter().map(|variable| {
                let role = match role(schema, &variable.ty) {
                    Role::Text if is_cursor(document, operation, &variable.name) => Role::Other,
                    role => role,
                };
                (variable.clone(), role)
            });
            (operation.name.clone(), variables.collect())
        });
        Self { document: number, roles: roles.collect() }
    }

    /// The shape of a request. It has none when one of its variables is looked at by itself, or
    /// when one of its texts is wrong.
    pub(crate) fn of(
        &self,
        schema: &Schema,
        operation: &Operation,
        variables: Variables<'_>,
    ) -> Option<Shape> {
        let mut shape = String::new();
        for (variable, role) in self.roles.get(&operation.name)? {
            match (variables.0.get(variable.name.as_str()), role) {
                (None, _) => shape.push('-'),
                (Some(value @ JsonValue::Null), _) | (Some(value), Role::Choice) => {
                    shape.push_str(&value.to_string());
                }
                (Some(text), Role::Text) if guard::takes(schema, &variable.ty, text) => {
                    shape.push('$');
                }
                (Some(_), Role::Text | Role::Other) => return None,
            }
            shape.push(' ');
        }
        let operation = operation.name.clone();
        Some(Shape { document: self.document, operation, variables: shape })
    }

    /// The variables of an operation that are texts.
    pub(crate) fn texts(&self, operation: &Operation) -> HashSet<&Name> {
        let roles = self.roles.get(&operation.name).into_iter().flatten();
        roles.filter(|(_, role)| *role == Role::Text).map(|(text, _)| &text.name).collect()
    }
}

/// What values of a type are to a shape. No input of the schema holds itself.
fn role(schema: &Schema, ty: &Type) -> Role {
    if ty.is_list() {
        return Role::Other;
    }
    match (ty.inner_named_type().as_str(), schema.types.get(ty.inner_named_type())) {
        ("ID" | "String", _) => Role::Text,
        ("Int" | "Boolean", _) | (_, Some(ExtendedType::Enum(_))) => Role::Choice,
        (_, Some(ExtendedType::InputObject(input))) => {
            let mut roles = input.fields.values().map(|field| role(schema, &field.ty));
            let first = roles.next().unwrap_or(Role::Other);
            if roles.all(|role| role == first) { first } else { Role::Other }
        }
        _ => Role::Other,
    }
}

/// Whether a variable is a cursor, which the guard reads.
fn is_cursor(document: &ExecutableDocument, operation: &Operation, variable: &Name) -> bool {
    operation.all_fields(document).flat_map(|field| &field.arguments).any(|argument| {
        guard::CURSORS.contains(&argument.name.as_str())
            && matches!(&*argument.value, Value::Variable(name) if name == variable)
    })
}

#[cfg(test)]
mod tests {
    use apollo_compiler::validation::Valid;
    use serde_json::json;

    use super::*;
    use crate::graphql::schema;

    fn schema() -> Valid<Schema> {
        schema::typed(&schema::sdl(true))
    }

    fn roles(text: &str) -> Vec<Role> {
        let schema = schema();
        let document = ExecutableDocument::parse_and_validate(&schema, text, "document.graphql");
        let shapes = Shapes::new(&schema, &document.expect("a valid document"), 0);
        shapes.roles.into_values().flatten().map(|(_, role)| role).collect()
    }

    /// The shape of a request with one document, of which there may be several.
    fn shape(number: u64, text: &str, variables: serde_json::Value) -> Option<Shape> {
        let schema = schema();
        let document = ExecutableDocument::parse_and_validate(&schema, text, "document.graphql");
        let document = document.expect("a valid document");
        let operation = document.operations.iter().next().expect("an operation");
        let variables = JsonValue::from(variables);
        let variables = Variables(variables.as_object().expect("an object"));
        Shapes::new(&schema, &document, number).of(&schema, operation, variables)
    }

    #[test]
    fn every_input_of_the_schema_has_a_role() {
        let schema = schema();
        for (name, ty) in &schema.types {
            if ty.is_input_type() {
                role(&schema, &Type::Named(name.clone()));
            }
        }
    }

    #[test]
    fn variables_are_texts_choices_or_neither() {
        for (ty, of, expected) in [
            ("ID!", "node(id: $v) { id }", Role::Text),
            ("String", "users(usernamePrefix: $v) { totalCount }", Role::Text),
            ("String", "users(after: $v) { totalCount }", Role::Other),
            (
                "String",
                "...F } fragment F on Query { users(before: $v) { totalCount }",
                Role::Other,
            ),
            ("Int", "users(first: $v) { totalCount }", Role::Choice),
            ("Boolean!", "users @skip(if: $v) { totalCount }", Role::Choice),
            ("OrderDirection!", "users(orderBy: { direction: $v }) { totalCount }", Role::Choice),
            ("UserOrder", "users(orderBy: $v) { totalCount }", Role::Choice),
            ("[ID!]!", "nodes(ids: $v) { id }", Role::Other),
            ("ID!", "nodes(ids: [$v]) { id }", Role::Text),
        ] {
            assert_eq!(roles(&format!("query ($v: {ty}) {{ {of} }}")), [expected], "{ty}: {of}");
        }
        for input in ["Follow", "SignIn", "SignUp", "UpdateProfile"] {
            let field = format!("{}{}", input[..1].to_lowercase(), &input[1..]);
            let text =
                format!("mutation ($v: {input}Input!) {{ {field}(input: $v) {{ __typename }} }}");
            assert_eq!(roles(&text), [Role::Text], "{input}");
        }
    }

    #[test]
    fn only_texts_are_left_out_of_a_shape() {
        let text = "query ($n: Int, $prefix: String) { \
                    users(first: $n, usernamePrefix: $prefix) { totalCount } }";
        let of = |variables| shape(1, text, variables).expect("a shape");
        assert_eq!(of(json!({ "n": 1, "prefix": "a" })), of(json!({ "prefix": "b", "n": 1 })));

        let prefixes = [json!({}), json!({ "prefix": null }), json!({ "prefix": "a" })];
        let sizes = [json!(null), json!(0), json!(1), json!(11)].map(|n| json!({ "n": n }));
        let mut shapes: Vec<_> = prefixes.into_iter().chain(sizes).map(of).collect();
        shapes.push(shape(2, text, json!({})).expect("a shape"));
        let distinct: HashSet<_> = shapes.iter().collect();
        assert_eq!(distinct.len(), shapes.len(), "{shapes:?}");
    }

    #[test]
    fn a_shape_holds_no_text() {
        let text = "mutation ($input: SignInInput!) { signIn(input: $input) { token } }";
        let input = json!({ "username": "ann", "password": "correct horse" });
        let shape = shape(1, text, json!({ "input": input })).expect("a shape");
        assert_eq!(shape.variables, "$ ");
    }

    #[test]
    fn what_is_looked_at_by_itself_has_no_shape() {
        let list = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
        assert_eq!(shape(1, list, json!({ "ids": [] })), None);
        let name = "query ($name: String!) { user(username: $name) { id } }";
        assert_eq!(shape(1, name, json!({ "name": "a\0" })), None);
        let user = "mutation ($user: UserRef!) { follow(input: { user: $user }) { outcome } }";
        assert_eq!(shape(1, user, json!({ "user": {} })), None);
        let page = "query ($after: String) { users(after: $after) { totalCount } }";
        assert_eq!(shape(1, page, json!({ "after": "a" })), None);
        assert!(shape(1, page, json!({ "after": null })).is_some());
    }
}
