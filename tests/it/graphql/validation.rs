//! What is wrong with a document or a variable, as graphql-js words it. The differential suite of
//! `tests/audit` compares many more documents.

use std::sync::Arc;

use entourage::app::Settings;
use serde_json::{Value, json};

use crate::support::app::{TestApp, settings};

/// The errors of a response: messages, each with its places as `line:column`.
fn errors(response: &Value) -> Vec<String> {
    let errors = response["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let line = |error: &Value| {
        let places = error["locations"].as_array().map(Vec::as_slice).unwrap_or_default();
        let places = places.iter().map(|place| format!("{}:{} ", place["line"], place["column"]));
        places.collect::<String>() + error["message"].as_str().unwrap_or_default()
    };
    errors.iter().map(line).collect()
}

/// Sends each document and compares its errors.
async fn assert_errors<const N: usize>(code: &str, cases: [(&str, &[&str]); N]) {
    let app = TestApp::start().await;
    for (document, expected) in cases {
        let response = app.graphql(document, json!({}), None).await;
        assert_eq!(errors(&response), expected, "{document}");
        assert_eq!(response["errors"][0]["extensions"]["code"], code, "{document}");
    }
}

const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";

#[tokio::test]
async fn fields_exist_and_have_the_selections_of_their_types() {
    let cases: [(&str, &[&str]); 5] = [
        (
            "{ user(username: \"ada\") { nam } }",
            &["1:27 Cannot query field \"nam\" on type \"User\". Did you mean \"name\"?"],
        ),
        (
            "{\n  node(id: 1) { username }\n}",
            &["2:17 Cannot query field \"username\" on type \"Node\". \
               Did you mean to use an inline fragment on \"User\"?"],
        ),
        (
            "{ users }",
            &["1:3 Field \"users\" of type \"UserConnection!\" must have a selection of \
               subfields. Did you mean \"users { ... }\"?"],
        ),
        (
            "{ __typename { x } }",
            &["1:14 Field \"__typename\" must not have a selection since type \"String!\" has no \
               subfields."],
        ),
        (
            "{ ... on Usr { id } }",
            &["1:10 Unknown type \"Usr\". Did you mean \"User\" or \"URI\"?"],
        ),
    ];
    assert_errors(INVALID, cases).await;
}

#[tokio::test]
async fn arguments_and_values_fit_their_definitions() {
    assert_errors(
        INVALID,
        [
            (
                "{ users(frist: 1, first: \"1\", last: 3000000000, last: 1) { totalCount } }",
                &[
                    "1:31 1:49 There can be only one argument named \"last\".",
                    "1:9 Unknown argument \"frist\" on field \"Query.users\". Did you mean \
                     \"first\" or \"last\"?",
                    "1:26 Int cannot represent non-integer value: \"1\"",
                    "1:37 Int cannot represent non 32-bit signed integer value: 3000000000",
                ],
            ),
            (
                "{ node { id } }",
                &["1:3 Field \"node\" argument \"id\" of type \"ID!\" is required, but it was not \
                   provided."],
            ),
            (
                "{ users(orderBy: { direction: ACS, field: \"é\", feild: 1 }) { totalCount } }",
                &[
                    "1:31 Value \"ACS\" does not exist in \"OrderDirection\" enum. Did you mean \
                     the enum value \"ASC\"?",
                    "1:43 Enum \"UserOrderField\" cannot represent non-enum value: \"é\".",
                    "1:48 Field \"feild\" is not defined by type \"UserOrder\". Did you mean \
                     \"field\"?",
                ],
            ),
            (
                "{ nodes(ids: [null, {a: [1]}]) { id } node(id: null) { id } }",
                &[
                    "1:15 Expected value of type \"ID!\", found null.",
                    "1:21 ID cannot represent a non-string and non-integer value: {a: [1]}",
                    "1:48 Expected value of type \"ID!\", found null.",
                ],
            ),
            (
                "mutation { follow(input: { user: { id: 1, username: \"a\" } }) { outcome } }",
                &["1:34 OneOf Input Object \"UserRef\" must specify exactly one key."],
            ),
            (
                "mutation { follow(input: { user: { id: null } }) { outcome } }",
                &["1:34 Field \"UserRef.id\" must be non-null."],
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn operations_and_fragments_have_names_and_uses() {
    assert_errors(
        INVALID,
        [
            (
                "query A { __typename } query A { __typename } { __typename }",
                &[
                    "1:7 1:30 There can be only one operation named \"A\".",
                    "1:47 This anonymous operation must be the only defined operation.",
                ],
            ),
            (
                "{ ...F ...G } fragment F on Query { ...H } fragment H on Query { ...F }",
                &[
                    "1:11 Unknown fragment \"G\".",
                    "1:37 1:66 Cannot spread fragment \"F\" within itself via \"H\".",
                ],
            ),
            (
                "{ ...F } fragment F on Query { ... on User { id } } fragment F on ID { id }",
                &[
                    "1:32 Fragment cannot be spread here as objects of type \"Query\" can never \
                     be of type \"User\".",
                    "1:67 Fragment \"F\" cannot condition on non composite type \"ID\".",
                    "1:19 1:62 There can be only one fragment named \"F\".",
                ],
            ),
            (
                "{ __typename } fragment F on User { id } type T { x: Int }",
                &[
                    "1:42 The \"T\" definition is not executable.",
                    "1:16 Fragment \"F\" is never used.",
                ],
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn variables_are_defined_used_and_of_types_that_fit() {
    assert_errors(
        INVALID,
        [
            (
                "query A($a: User, $b: ID, $b: ID!, $c: Int = x) { node(id: $d) { id } }",
                &[
                    "1:20 1:28 There can be only one variable named \"$b\".",
                    "1:13 Variable \"$a\" cannot be non-input type \"User\".",
                    "1:46 Int cannot represent non-integer value: x",
                    "1:60 1:1 Variable \"$d\" is not defined by operation \"A\".",
                    "1:9 Variable \"$a\" is never used in operation \"A\".",
                    "1:19 Variable \"$b\" is never used in operation \"A\".",
                    "1:27 Variable \"$b\" is never used in operation \"A\".",
                    "1:36 Variable \"$c\" is never used in operation \"A\".",
                ],
            ),
            (
                "query ($id: ID) { ...F } fragment F on Query { node(id: $id) { id } }",
                &["1:8 1:57 Variable \"$id\" of type \"ID\" used in position expecting type \
                   \"ID!\"."],
            ),
            (
                "mutation ($id: ID) { follow(input: { user: { id: $id } }) { outcome } }",
                &["1:11 1:50 Variable \"$id\" is of type \"ID\" but must be non-nullable to be \
                   used for OneOf Input Object \"UserRef\"."],
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn directives_exist_and_stand_where_they_may() {
    assert_errors(
        INVALID,
        [(
            "query @skip(if: true) { __typename @skpi @include(if: 1) @include(iff: true) }",
            &[
                "1:7 Directive \"@skip\" may not be used on QUERY.",
                "1:42 1:58 The directive \"@include\" can only be used once at this location.",
                "1:36 Unknown directive \"@skpi\".",
                "1:55 Boolean cannot represent a non boolean value: 1",
                "1:67 Unknown argument \"iff\" on directive \"@include\". Did you mean \
                     \"if\"?",
                "1:58 Directive \"@include\" argument \"if\" of type \"Boolean!\" is \
                     required, but it was not provided.",
            ],
        )],
    )
    .await;
}

#[tokio::test]
async fn fields_that_become_one_do_not_conflict() {
    let hint = "Use different aliases on the fields to fetch both if this was intentional.";
    let conflict = |place: &str, what: &str| format!("{place} Fields {what}. {hint}");
    assert_errors(
        INVALID,
        [
            (
                "{ a: users { totalCount } a: viewer { role { name } } }",
                &[&conflict(
                    "1:3 1:27",
                    "\"a\" conflict because \"users\" and \"viewer\" are different fields",
                )],
            ),
            (
                "{ node(id: 1) { id } ...F } fragment F on Query { node(id: 2) { id } }",
                &[&conflict("1:3 1:51", "\"node\" conflict because they have differing arguments")],
            ),
            (
                "{ users { nodes { x: id } } users { nodes { x: name } } }",
                &[&conflict(
                    "1:3 1:11 1:19 1:29 1:37 1:45",
                    "\"users\" conflict because subfields \"nodes\" conflict because subfields \
                     \"x\" conflict because \"id\" and \"name\" are different fields",
                )],
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn syntax_errors_say_what_was_expected() {
    assert_errors(
        "GRAPHQL_PARSE_FAILED",
        [
            ("{ users(first: ) }", &["1:16 Syntax Error: Unexpected \")\"."]),
            ("{ a { }", &["1:7 Syntax Error: Expected Name, found \"}\"."]),
            ("{ a", &["1:4 Syntax Error: Expected Name, found <EOF>."]),
            (
                "{ a(b: \"\u{1f600}\", c: 'x') }",
                &["1:17 Syntax Error: Unexpected single quote character ('), did you mean to use \
                   a double quote (\")?"],
            ),
            (
                "{ a(b: 01) }",
                &["1:9 Syntax Error: Invalid number, unexpected digit after 0: \"1\"."],
            ),
            (
                "{ a(b: \"\\uD83D\") }",
                &["1:9 Syntax Error: Invalid Unicode escape sequence: \"\\uD83D\"."],
            ),
            (
                "{\r\n a(b: \"\"\"\n\r\"\"\" c) }",
                &["4:6 Syntax Error: Expected \":\", found \")\"."],
            ),
            (
                "query ($a: Int = $b) { a }",
                &["1:18 Syntax Error: Unexpected variable \"$b\" in constant value."],
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_list_of_errors_ends_after_a_hundred() {
    let app = TestApp::start().await;
    let fields = |count: usize| format!("{{ {} }}", "nothing ".repeat(count));
    for (count, listed) in [(1, 1), (100, 100), (101, 101), (600, 101)] {
        let response = app.graphql(&fields(count), json!({}), None).await;
        assert_eq!(errors(&response).len(), listed, "{count} errors");
    }
    let response = app.graphql(&fields(101), json!({}), None).await;
    let last = "Too many validation errors, error limit reached. Validation aborted.";
    assert_eq!(errors(&response)[100], last);
}

#[tokio::test]
async fn suggestions_can_be_switched_off() {
    let on = TestApp::start().await;
    let off = Settings { suggestions: false, ..settings() };
    let off = TestApp::over(Arc::clone(&on.store), off).await;
    let document = "query ($o: UserOrder) { usres(orderBy: $o) { x } ... on Usr { id } }";
    let response = off.graphql(document, json!({}), None).await;
    let expected =
        ["1:25 Cannot query field \"usres\" on type \"Query\".", "1:57 Unknown type \"Usr\"."];
    assert_eq!(errors(&response), expected);
    let document = "query ($o: UserOrder) { users(orderBy: $o) { totalCount } }";
    let wrong = json!({ "o": { "direction": "ACS" } });
    let response = off.graphql(document, wrong, None).await;
    assert!(!response.to_string().contains("ASC"), "{response}");
}

#[tokio::test]
async fn variables_say_what_is_wrong_but_not_their_values() {
    let app = TestApp::start().await;
    let document = "query A(\n  $o: UserOrder $n: Int! $ids: [ID!]! = []) { \
        users(orderBy: $o, first: $n) { totalCount } nodes(ids: $ids) { id } }";
    let order = json!({ "direction": "secret", "field": 7, "feild": "secret" });
    let ids = json!(["a", null, 1.5, ["secret"]]);
    let response = app.graphql(document, json!({ "o": order, "ids": ids }), None).await;
    let expected = [
        "2:3 Variable \"$o\" got invalid value at \"o.direction\"; Value does not exist in \
         \"OrderDirection\" enum.",
        "2:3 Variable \"$o\" got invalid value at \"o.field\"; Enum \"UserOrderField\" cannot \
         represent non-string value.",
        "2:3 Variable \"$o\" got invalid value; Field \"feild\" is not defined by type \
         \"UserOrder\". Did you mean \"field\"?",
        "2:17 Variable \"$n\" of required type \"Int!\" was not provided.",
        "2:26 Variable \"$ids\" got invalid value at \"ids[1]\"; Expected non-nullable type \
         \"ID!\" not to be null.",
        "2:26 Variable \"$ids\" got invalid value at \"ids[2]\"; ID cannot represent value",
        "2:26 Variable \"$ids\" got invalid value at \"ids[3]\"; ID cannot represent value",
    ];
    assert_eq!(errors(&response), expected);
    assert_eq!(response["errors"][0]["extensions"]["argument"], "$o.direction");
    assert!(!response.to_string().contains("secret"), "{response}");

    let response = app.graphql(document, json!({ "n": null }), None).await;
    let expected = ["2:17 Variable \"$n\" of non-null type \"Int!\" must not be null."];
    assert_eq!(errors(&response), expected);
}

#[tokio::test]
async fn a_variable_of_one_of_has_one_field() {
    let app = TestApp::start().await;
    let document = "mutation ($u: UserRef!) { follow(input: { user: $u }) { outcome } }";
    for (user, expected) in [
        (
            json!({}),
            " got invalid value; Exactly one key must be specified for OneOf type \"UserRef\".",
        ),
        (json!({ "id": null }), " got invalid value at \"u.id\"; Field \"id\" must be non-null."),
        (json!("x"), " got invalid value; Expected type \"UserRef\" to be an object."),
    ] {
        let response = app.graphql(document, json!({ "u": user }), None).await;
        assert_eq!(errors(&response), [format!("1:11 Variable \"$u\"{expected}")]);
    }
}

#[tokio::test]
async fn a_whole_number_may_be_written_with_a_fraction() {
    let app = TestApp::start().await;
    let document = "query ($n: Int) { users(first: $n) { totalCount } }";
    for (n, expected) in [
        (json!(2.0), None),
        (json!(2.5), Some("non-integer value")),
        (json!(3e9), Some("non 32-bit signed integer value")),
        (json!("2"), Some("non-integer value")),
    ] {
        let response = app.graphql(document, json!({ "n": n }), None).await;
        let message = |reason| {
            format!("1:8 Variable \"$n\" got invalid value; Int cannot represent {reason}")
        };
        assert_eq!(errors(&response), expected.map(message).into_iter().collect::<Vec<_>>());
    }
}
