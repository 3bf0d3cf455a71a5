//! Operations that are known: looked at by the guard and translated once for all requests of a
//! shape (see `shape`). Such a request only has its texts filled in.
//!
//! **Invariant:** nothing that is remembered holds a text of a variable. Some are secrets.

use std::sync::Arc;

use apollo_compiler::{Schema, executable::Operation, validation::Valid};
use async_graphql::parser::types;
use quick_cache::sync::Cache;

use super::{
    document::Document,
    guard::{self, Findings},
    shape::Shape,
    translation::{self, Template},
    values::Variables,
};
use crate::{domain::Limits, graphql::Reply};

/// How many operations are remembered.
const REMEMBERED_MAX: usize = 500;
/// The largest template that is remembered, in bytes.
const REMEMBERED_BYTES_MAX: usize = 32 * 1024;

/// All operations that came lately.
pub(crate) struct Operations {
    limits: Limits,
    remembered: Cache<Shape, Arc<Prepared>>,
}

/// An operation that may run, but for its texts.
struct Prepared {
    findings: Findings,
    template: Template,
}

impl Operations {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, remembered: Cache::new(REMEMBERED_MAX) }
    }

    /// What the guard finds of an operation, and the operation as the executor takes it. Where
    /// debug assertions are on, as in tests, what is known is compared with what is found anew.
    ///
    /// # Errors
    /// The reply to an operation that is refused.
    pub(crate) fn get(
        &self,
        schema: &Valid<Schema>,
        document: &Document,
        operation: &Operation,
        variables: Variables<'_>,
    ) -> Result<(Findings, types::ExecutableDocument), Reply> {
        let executable = &document.executable;
        let look = || guard::inspect(schema, executable, operation, variables, &self.limits);
        let translate = |texts| translation::of_operation(executable, operation, variables, texts);
        let anew = || -> Result<_, Reply> { Ok((look()?, translate(None).into_document())) };

        let shapes = document.shapes.as_ref();
        let shape = shapes.and_then(|shapes| shapes.of(schema, operation, variables));
        let (Some(shapes), Some(shape)) = (shapes, shape) else { return anew() };
        if let Some(Prepared { findings, template }) = self.remembered.get(&shape).as_deref() {
            let known = (*findings, template.fill_in(variables));
            debug_assert_eq!(format!("{known:?}"), format!("{:?}", anew().expect("it is right")));
            return Ok(known);
        }

        let findings = look()?;
        let template = translate(Some(&shapes.texts(operation)));
        let filled_in = template.fill_in(variables);
        if template.bytes() <= REMEMBERED_BYTES_MAX {
            self.remembered.insert(shape, Arc::new(Prepared { findings, template }));
        }
        Ok((findings, filled_in))
    }
}

#[cfg(test)]
mod tests {
    use apollo_compiler::response::JsonValue;
    use serde_json::json;

    use super::*;
    use crate::graphql::{operation::document::Documents, schema};

    /// What is remembered after requests with one document.
    fn remembered(text: &str, requests: &[serde_json::Value]) -> Vec<Arc<Prepared>> {
        let documents = Documents::new(&schema::sdl(true), Limits::default());
        let operations = Operations::new(Limits::default());
        for variables in requests {
            let document = documents.get(text).expect("a valid document");
            let operation = document.executable.operations.iter().next().expect("an operation");
            let variables = JsonValue::from(variables.clone());
            let variables = Variables(variables.as_object().expect("an object"));
            operations
                .get(documents.schema(), &document, operation, variables)
                .expect("it keeps the limits");
        }
        operations.remembered.iter().map(|(_, prepared)| prepared).collect()
    }

    #[test]
    fn an_operation_is_remembered_once_for_all_texts() {
        for (text, requests) in [
            ("{ users { totalCount } }", [json!({}), json!({})]),
            (
                "query ($name: String!) { user(username: $name) { id } }",
                [json!({ "name": "ann" }), json!({ "name": "bob" })],
            ),
            (
                "mutation ($input: FollowInput!) { follow(input: $input) { outcome } }",
                [
                    json!({ "input": { "user": { "username": "ann" } } }),
                    json!({ "input": { "user": { "id": "b" } } }),
                ],
            ),
        ] {
            assert_eq!(remembered(text, &requests).len(), 1, "{text}");
        }
    }

    #[test]
    fn other_shapes_are_other_operations() {
        let page = "query ($n: Int) { users(first: $n) { totalCount } }";
        let sizes = [1, 2, 1].map(|n| json!({ "n": n }));
        assert_eq!(remembered(page, &sizes).len(), 2);
        let list = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
        assert_eq!(remembered(list, &[json!({ "ids": ["a"] })]).len(), 0);
    }

    #[test]
    fn what_is_remembered_holds_no_text() {
        let text = "mutation ($user: String!, $input: SignInInput!) { \
                    signIn(input: $input) { token } \
                    follow(input: { user: { username: $user } }) { outcome } }";
        let secret = "correct horse battery staple";
        let input = json!({ "username": secret, "password": secret });
        let remembered = remembered(text, &[json!({ "user": secret, "input": input })]);
        let [prepared] = &remembered[..] else { panic!("one is remembered") };
        let template = format!("{:?}", prepared.template.clone().into_document());
        assert!(template.contains("signIn") && !template.contains(secret), "{template}");
    }

    #[test]
    fn what_is_remembered_is_small() {
        let lists = |lists: usize, alias: &str| {
            let list = |n| format!("{alias}{n}: followers {{ nodes {{ id name }} }} ");
            let lists: String = (0..lists).map(list).collect();
            format!(r#"{{ user(username: "ann") {{ {lists} }} }}"#)
        };
        assert_eq!(remembered(&lists(5, "a"), &[json!({})]).len(), 1);
        assert_eq!(remembered(&lists(29, "a"), &[json!({})]).len(), 1);
        assert_eq!(remembered(&lists(5, &"a".repeat(10_000)), &[json!({})]).len(), 0);

        // Few bytes, which fragments make many of.
        let users: String =
            (0..14).map(|n| format!("u{n}: user(username: \"ann\") {{ ...F }} ")).collect();
        let alias = "a".repeat(2_500);
        let spread = format!("{{ {users} }} fragment F on User {{ {alias}: id }}");
        assert_eq!(remembered(&spread, &[json!({})]).len(), 0);

        let long = format!("{{ users {{ totalCount }} }} # {}", "long".repeat(5_000));
        assert_eq!(remembered(&long, &[json!({})]).len(), 0);
    }
}
