//! Documents that are too large, too deep, too wide or too expensive, and values out of bounds.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Attack, NONE, app, attack, document, signed, withstand};
use crate::support::app::TestApp;

const LARGE: &str = "QUERY_TOO_LARGE";
const DEEP: &str = "QUERY_TOO_DEEP";
const WIDE: &str = "QUERY_TOO_WIDE";
const DEAR: &str = "COST_LIMIT_EXCEEDED";
const UNREADABLE: &str = "GRAPHQL_PARSE_FAILED";
const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";
const BAD: &str = "BAD_USER_INPUT";
const CURSOR: &str = "INVALID_CURSOR";

/// A row with a document without variables. A row with a code is refused with 400.
fn row(name: impl Into<String>, query: &str, code: &'static str) -> Attack {
    with(name, query, &json!({}), code)
}

fn with(name: impl Into<String>, query: &str, variables: &Value, code: &'static str) -> Attack {
    let status = if code == NONE { 200 } else { 400 };
    attack(name, document(query, variables), status, code)
}

/// Joins one text for each number from 0.
fn join_texts(count: usize, text: impl Fn(usize) -> String) -> String {
    (0..count).map(text).collect::<Vec<_>>().join(" ")
}

fn nested(levels: usize, open: &str, core: &str, close: &str) -> String {
    format!("{}{core}{}", open.repeat(levels), close.repeat(levels))
}

/// All rows that need no token.
pub(super) fn all() -> Vec<Attack> {
    [sizes(), nesting(), bombs(), counts(), merges(), costs(), numbers(), cursors(), variables()]
        .into_iter()
        .flatten()
        .collect()
}

fn sizes() -> Vec<Attack> {
    let typenames = |count: usize| format!("{{ users {{ {} }} }}", "__typename ".repeat(count));
    let long = "x".repeat(200_000);
    vec![
        row("as many tokens as may be", &typenames(1_995), NONE),
        row("a token more", &typenames(1_996), LARGE),
        row("20,000 tokens", &typenames(20_000), LARGE),
        row("200 kB of brackets that close", &"}".repeat(200_000), LARGE),
        row("200 kB of one name", &format!("{{ {long} }}"), INVALID),
        row("200 kB of a string", &format!("{{ user(username: \"{long}\") {{ id }} }}"), NONE),
        row(
            "200 kB of a string without an end",
            &format!("{{ user(username: \"{long}"),
            UNREADABLE,
        ),
        row(
            "200 kB of a number",
            &format!("{{ users(first: {}) {{ totalCount }} }}", "9".repeat(200_000)),
            INVALID,
        ),
        row("200 kB of commas", &format!("{{ {} __typename }}", ",".repeat(200_000)), NONE),
        row("60,000 comments", &format!("{{ {} __typename }}", "#\n".repeat(60_000)), NONE),
        row("nothing but comments", &"#\n".repeat(1_000), UNREADABLE),
        row("nothing", "", UNREADABLE),
        row("a NUL", "{ __typename \0 }", UNREADABLE),
        row("a NUL in a string", "{ user(username: \"\0\") { id } }", BAD),
        row("an escaped NUL in a string", r#"{ user(username: "\u0000") { id } }"#, BAD),
        row("half of a pair in a string", r#"{ user(username: "\uD83D") { id } }"#, UNREADABLE),
        row("1,000 quotes", &"\"".repeat(1_000), UNREADABLE),
        row("a type in a document", "{ __typename } type T { x: Int }", INVALID),
        row("a subscription", "subscription { __typename }", INVALID),
    ]
}

fn nesting() -> Vec<Attack> {
    let mut rows = Vec::new();
    // The number of brackets of each kind that is allowed, including those around them, and the code
    // of the refusal below that number.
    let mut kind = |name: &str, text: &dyn Fn(usize) -> String, around: usize, code| {
        let most = 64 - around;
        rows.push(row(format!("{name}, as deep as may be"), &text(most), code));
        for levels in [most + 1, 500, 20_000] {
            rows.push(row(format!("{levels} levels of {name}"), &text(levels), DEEP));
        }
    };
    kind("selections", &|n| nested(n, "{ ... ", "{ __typename }", "}"), 2, NONE);
    kind("selections without an end", &|n| "{a".repeat(n), 0, UNREADABLE);
    kind("parentheses", &|n| format!("{{ a{}", nested(n, "(", "", ")")), 1, UNREADABLE);
    let ids = |value: String| format!("{{ nodes(ids: {value}) {{ id }} }}");
    kind("lists in an argument", &|n| ids(nested(n, "[", "", "]")), 2, INVALID);
    kind("objects in an argument", &|n| ids(nested(n, "{ a: ", "1", "}")), 2, INVALID);
    kind("both in an argument", &|n| ids(nested(n.div_ceil(2), "[{ a: ", "1", "}]")), 2, INVALID);
    let default = |value: String| format!("query ($a: ID = {value}) {{ node(id: $a) {{ id }} }}");
    kind("lists in a default", &|n| default(nested(n, "[", "", "]")), 1, INVALID);
    kind("objects in a default", &|n| default(nested(n, "{ a: ", "1", "}")), 1, INVALID);
    let typed =
        |n| format!("query ($a: {}) {{ node(id: $a) {{ id }} }}", nested(n, "[", "ID", "]"));
    kind("lists in a type", &typed, 1, INVALID);
    let skipped = |n| format!("{{ __typename @skip(if: {}) }}", nested(n, "[", "", "]"));
    kind("lists in a directive", &skipped, 2, INVALID);
    rows
}

/// Fragments that spread the next one several times.
fn bomb(head: &str, on: &str, levels: usize, body: impl Fn(&str) -> String, leaf: &str) -> String {
    let mut text = format!("{head} fragment f{levels} on {on} {{ {leaf} }}");
    for level in 0..levels {
        let next = body(&format!("...f{}", level + 1));
        write!(text, " fragment f{level} on {on} {{ {next} }}").expect("memory");
    }
    text
}

fn bombs() -> Vec<Attack> {
    let users = "{ users { nodes { ...f0 } } }";
    let twice = |next: &str| format!("{next} {next}");
    let cycle = |length: usize| {
        let next = |i: usize| format!("fragment f{i} on Query {{ ...f{} }}", (i + 1) % length);
        format!("{{ ...f0 }} {}", join_texts(length, next))
    };
    let chain = |length: usize| bomb("{ ...f0 }", "Query", length, str::to_owned, "__typename");
    vec![
        row("a bomb of 600 bytes", &bomb(users, "User", 14, twice, "id id id"), LARGE),
        row("a bomb of two times 50", &bomb(users, "User", 50, twice, "id"), LARGE),
        row("a bomb of 20 times 12", &bomb(users, "User", 12, |next| next.repeat(20), "id"), LARGE),
        row(
            "a bomb within fields",
            &bomb(
                users,
                "User",
                20,
                |n| {
                    format!("a: followers {{ nodes {{ {n} }} }} b: followers {{ nodes {{ {n} }} }}")
                },
                "id",
            ),
            DEEP,
        ),
        row(
            "a bomb within fragments",
            &bomb(users, "User", 25, |n| format!("... {{ {n} }} ... {{ {n} }}"), "id"),
            LARGE,
        ),
        row(
            "a bomb of mutations",
            &bomb("mutation { ...f0 }", "Mutation", 40, twice, "__typename"),
            LARGE,
        ),
        row(
            "a bomb that is skipped",
            &bomb("{ users @skip(if: true) { nodes { ...f0 } } }", "User", 40, twice, "id"),
            LARGE,
        ),
        row(
            "a bomb in introspection",
            &bomb("{ __schema { types { ...f0 } } }", "__Type", 40, twice, "name"),
            LARGE,
        ),
        row("a bomb without a spread", &bomb("{ __typename }", "User", 40, twice, "id"), LARGE),
        row("a fragment that spreads itself", &cycle(1), INVALID),
        row("two that spread each other", &cycle(2), INVALID),
        row("100 in a circle", &cycle(100), DEEP),
        row("a chain of 60", &chain(60), NONE),
        row("a chain of 64", &chain(64), DEEP),
        row("a fragment that is not there", "{ ...f }", INVALID),
        row(
            "a repeated fragment",
            "{ ...f } fragment f on Query { __typename } fragment f on Query { __typename }",
            INVALID,
        ),
    ]
}

fn counts() -> Vec<Attack> {
    let aliases = |n: usize| join_texts(n, |i| format!("a{i}: __typename"));
    let within = |n: usize| format!("{{ users {{ {} }} }}", aliases(n));
    let root = |n: usize| format!("{{ {} }}", "__typename ".repeat(n));
    let directive = "@skip(if: false) ";
    let directives =
        |n: usize| format!("{{ users {{ {} }} }}", format!("__typename {directive}").repeat(n));
    let on_one = |n: usize| format!("{{ __typename {} }}", directive.repeat(n));
    let unknown = |n: usize| format!("{{ __typename {} }}", "@a".repeat(n));
    let fragments = |n: usize| {
        let fragment = |i| format!("fragment f{i} on UserConnection {{ __typename }}");
        format!(
            "{{ users {{ {} }} }} {}",
            join_texts(n, |i| format!("...f{i}")),
            join_texts(n, fragment)
        )
    };
    let variables = |n: usize| {
        let (defined, used) =
            (join_texts(n, |i| format!("$v{i}: ID! = \"\"")), join_texts(n, |i| format!("$v{i}")));
        format!("query ({defined}) {{ nodes(ids: [{used}]) {{ id }} }}")
    };
    let levels = |n: usize| {
        let lists = nested(n, "followers(first: 1) { nodes { ", "id", "} }");
        format!("{{ user(username: \"a\") {{ {lists} }} }}")
    };
    let types = |n: usize| nested(n, "type { fields { ", "name", "} }");
    vec![
        row("as many aliases as may be", &within(30), NONE),
        row("an alias more", &within(31), WIDE),
        row("600 aliases", &within(600), WIDE),
        row("as many root fields as may be", &root(20), NONE),
        row("a root field more", &root(21), WIDE),
        row("1,900 root fields", &root(1_900), WIDE),
        row("600 root fields with aliases", &format!("{{ {} }}", aliases(600)), WIDE),
        row("as many directives as may be", &directives(50), NONE),
        row("a directive more", &directives(51), WIDE),
        row("200 directives", &directives(200), WIDE),
        row("50 directives on one field", &on_one(50), INVALID),
        row("51 directives on one field", &on_one(51), WIDE),
        row("900 unknown directives", &unknown(900), WIDE),
        row("as many fragments as may be", &fragments(100), NONE),
        row("a fragment more", &fragments(101), WIDE),
        row("190 fragments", &fragments(190), WIDE),
        row("as many variables as may be", &variables(50), NONE),
        row("a variable more", &variables(51), WIDE),
        row("200 variables", &variables(200), WIDE),
        row("as many levels as may be", &levels(5), NONE),
        row("a level more", &levels(6), DEEP),
        row("25 levels", &levels(25), DEEP),
        row(
            "introspection in circles",
            &format!("{{ __schema {{ types {{ fields {{ {} }} }} }} }}", types(4)),
            DEEP,
        ),
        row(
            "introspection in many circles",
            &format!("{{ __schema {{ types {{ fields {{ {} }} }} }} }}", types(25)),
            DEEP,
        ),
        row("300 operations", &join_texts(300, |i| format!("query q{i} {{ __typename }}")), BAD),
        row(
            "400 operations without a name",
            &join_texts(400, |_| "{ __typename }".to_owned()),
            INVALID,
        ),
    ]
}

fn merges() -> Vec<Attack> {
    let conflicts = join_texts(600, |i| format!("a: f{i}"));
    let merged = join_texts(300, |i| format!("nodes {{ a{i}: id }}"));
    vec![
        row("600 fields for one response key", &format!("{{ {conflicts} }}"), INVALID),
        row(
            "490 equal fields",
            &format!("{{ users {{ {} }} }}", "nodes { id } ".repeat(490)),
            INVALID,
        ),
        row("300 fields that become one", &format!("{{ users {{ {merged} }} }}"), INVALID),
    ]
}

fn costs() -> Vec<Attack> {
    let lists = |sizes: &[u32]| {
        let list =
            |(i, n): (usize, &u32)| format!("a{i}: followers(first: {n}) {{ nodes {{ id }} }}");
        let lists: Vec<_> = sizes.iter().enumerate().map(list).collect();
        format!("{{ users(first: 100) {{ nodes {{ {} }} }} }}", lists.join(" "))
    };
    let pages = |n: usize| nested(n, "followers(first: 100) { nodes { ", "id", "} }");
    vec![
        row("as many nodes as may be", &lists(&[100, 100, 100, 100, 99]), NONE),
        row("100 nodes more", &lists(&[100, 100, 100, 100, 100]), DEAR),
        row(
            "100 million nodes",
            &format!("{{ users(first: 100) {{ nodes {{ {} }} }} }}", pages(3)),
            DEAR,
        ),
        row("ten billion nodes", &format!("{{ user(username: \"a\") {{ {} }} }}", pages(5)), DEAR),
        row(
            "pages of a size that is not given",
            &format!(
                "{{ users {{ nodes {{ {} }} }} }}",
                nested(3, "followers { nodes { ", "id", "} }")
            ),
            DEAR,
        ),
    ]
}

fn numbers() -> Vec<Attack> {
    let literal = |size: &str| format!("{{ users(first: {size}) {{ totalCount }} }}");
    let last = |size: &str| format!("{{ users(last: {size}) {{ totalCount }} }}");
    let ids = |n: usize| format!("{{ nodes(ids: [{}]) {{ id }} }}", "\"\" ".repeat(n));
    vec![
        row("as large a page as may be", &literal("100"), NONE),
        row("a page of nothing", &literal("0"), NONE),
        row("a page of one more", &literal("101"), BAD),
        row("the largest page of 32 bits", &literal("2147483647"), BAD),
        row("a page of more than 32 bits", &literal("2147483648"), INVALID),
        row("a page of more than 62 bits", &literal("4611686018427387904"), INVALID),
        row("a page of more than 64 bits", &literal("18446744073709551616"), INVALID),
        row("a negative page", &literal("-1"), BAD),
        row("the most negative page", &last("-2147483648"), BAD),
        row("a page of a fraction", &literal("1.5"), INVALID),
        row("a page beyond all numbers", &literal("1e999"), INVALID),
        row("the first and the last", "{ users(first: 1, last: 1) { totalCount } }", BAD),
        row("as many ids as may be", &ids(100), NONE),
        row("an id more", &ids(101), BAD),
        row("1,900 ids", &ids(1_900), BAD),
        row(
            "an id of many digits",
            &format!("{{ node(id: {}) {{ id }} }}", "9".repeat(1_000)),
            NONE,
        ),
    ]
}

fn cursors() -> Vec<Attack> {
    let after = |cursor: &str| format!("{{ users(after: \"{cursor}\") {{ totalCount }} }}");
    vec![
        row("an empty cursor", &after(""), CURSOR),
        row("a cursor of garbage", &after("garbage"), CURSOR),
        row("a cursor that is not even base64", &after("' OR 1=1 --"), CURSOR),
        row("a cursor of another list", &after("AWZkAAYAAAAAAAAAAAAAAAAAAQ"), CURSOR),
        row("a cursor of 200 kB", &after(&"A".repeat(200_000)), CURSOR),
        row("a cursor beyond all times", &after("AWNh__________________8"), CURSOR),
        row(
            "a cursor that is skipped",
            "{ users(after: \"x\") @skip(if: true) { totalCount } __typename }",
            NONE,
        ),
    ]
}

fn variables() -> Vec<Attack> {
    let nodes = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let users = "query ($n: Int) { users(first: $n) { totalCount } }";
    let follow = "mutation ($user: UserRef!) { follow(input: { user: $user }) { outcome } }";
    let skip = "query ($if: Boolean = true) { __typename @skip(if: $if) }";
    let deep = (0..100).fold(json!("x"), |inner, _| json!([inner]));
    let many: serde_json::Map<_, _> = (0..10_000).map(|i| (format!("v{i}"), json!(i))).collect();
    vec![
        with("a variable that nests", nodes, &json!({ "ids": deep }), BAD),
        with("a variable that is missing", nodes, &json!({}), BAD),
        with("a variable of another type", nodes, &json!({ "ids": { "a": 1 } }), BAD),
        with("101 ids in a variable", nodes, &json!({ "ids": vec![""; 101] }), BAD),
        with("50,000 ids in a variable", nodes, &json!({ "ids": vec![""; 50_000] }), BAD),
        with("10,000 undeclared variables", "{ __typename }", &Value::Object(many), NONE),
        with("a page of 101 in a variable", users, &json!({ "n": 101 }), BAD),
        with("a negative page in a variable", users, &json!({ "n": -1 }), BAD),
        with(
            "a page of 62 bits in a variable",
            users,
            &json!({ "n": 4_611_686_018_427_387_904_i64 }),
            BAD,
        ),
        with("a fraction in a variable", users, &json!({ "n": 0.5 }), BAD),
        with("a NUL in a variable", nodes, &json!({ "ids": ["\0"] }), BAD),
        with(
            "two of one in a variable",
            follow,
            &json!({ "user": { "id": "a", "username": "b" } }),
            BAD,
        ),
        with("none of one in a variable", follow, &json!({ "user": {} }), BAD),
        with("a null that a default hides", skip, &json!({ "if": null }), BAD),
    ]
}

#[tokio::test]
async fn hostile_documents_are_refused() {
    let app = app().await;
    app.sign_up("alice").await;
    withstand(&app, &all()).await;
}

/// The users that alice follows.
async fn followed(app: &TestApp) -> Value {
    let query = r#"{ user(username: "alice") { following { nodes { username } } } }"#;
    app.graphql(query, json!({}), None).await["data"]["user"]["following"]["nodes"].clone()
}

#[tokio::test]
async fn hostile_mutations_are_refused_and_change_nothing() {
    let app = app().await;
    let token = app.sign_up("alice").await;
    app.sign_up("bob").await;
    let follow = |payload: &str| {
        let input = r#"input: { user: { username: "bob" } }"#;
        format!("mutation {{ follow({input}) {{ {payload} }} }}")
    };
    let followers =
        |arguments: &str| follow(&format!("user {{ followers({arguments}) {{ totalCount }} }}"));
    let lists = nested(3, "followers(first: 100) { nodes { ", "id", "} }");
    let many = |n: usize| {
        let one =
            |i| format!(r#"a{i}: follow(input: {{ user: {{ username: "bob" }} }}) {{ outcome }}"#);
        format!("mutation {{ {} }}", join_texts(n, one))
    };
    let rows = [
        ("a page of 101 in a payload", followers("first: 101"), BAD),
        ("a negative page in a payload", followers("last: -1"), BAD),
        ("a cursor of garbage in a payload", followers("after: \"x\""), CURSOR),
        ("a page of 63 bits in a payload", followers("first: 4611686018427387904"), INVALID),
        ("an expensive payload", follow(&format!("user {{ {lists} }}")), DEAR),
        ("a deep payload", follow(&format!("user {{ {} }}", nested(8, "followers(first: 1) { nodes { ", "id", "} }"))), DEEP),
        ("a wrong page below an edge", follow("followingEdge { node { following(first: 101) { totalCount } } }"), BAD),
        ("a wrong page in a fragment", format!("{} fragment f on User {{ followers(first: 101) {{ totalCount }} }}", follow("user { ...f }")), BAD),
        ("21 mutations", many(21), WIDE),
        ("an input that is two", r#"mutation { follow(input: { user: { id: "a", username: "bob" } }) { outcome } }"#.to_owned(), INVALID),
        ("a repeated input field", r#"mutation { follow(input: { user: { username: "bob" } user: { username: "bob" } }) { outcome } }"#.to_owned(), INVALID),
        ("an argument without a value", r#"mutation { follow(input: { user: { username: "bob" } } input) { outcome } }"#.to_owned(), UNREADABLE),
    ];
    let attacks = rows.map(|(name, query, code)| attack(name, signed(&token, &query), 400, code));
    withstand(&app, &attacks).await;
    let anonymous = document(&follow("outcome"), &json!({}));
    withstand(&app, &[attack("an anonymous mutation", anonymous, 401, "UNAUTHENTICATED")]).await;

    assert_eq!(followed(&app).await, json!([]));
}
