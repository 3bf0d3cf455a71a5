//! Nothing of the schema may be unknown to the tables that the guard and the projection work with.
//!
//! Each test compares a table with the published schema, in both directions.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use apollo_compiler::{
    Name, Schema,
    ast::{InputValueDefinition, Value as GraphqlValue},
    schema::{ExtendedType, FieldDefinition, InputObjectType},
};
use entourage::{
    domain::OrderDirection,
    graphql::{
        self, TEXTS, TextMeaning,
        lists::{LISTS, List},
        projected_fields,
    },
};
use serde_json::json;

use super::data;
use crate::support::{admin::give_role, app::TestApp, graph::draw};

/// The published schema.
fn schema() -> Schema {
    let schema = Schema::parse_and_validate(graphql::sdl(), "schema.graphql");
    schema.expect("the schema is valid").into_inner()
}

/// Every field of every object type and interface that is not built in.
fn fields(schema: &Schema) -> Vec<(&str, &FieldDefinition)> {
    let types = schema.types.iter().filter(|(_, ty)| !ty.is_built_in());
    let fields = types.flat_map(|(name, ty)| {
        let fields = match ty {
            ExtendedType::Object(object) => Some(&object.fields),
            ExtendedType::Interface(interface) => Some(&interface.fields),
            _ => None,
        };
        let fields = fields.into_iter().flat_map(|fields| fields.values());
        fields.map(|field| (name.as_str(), &***field))
    });
    fields.collect()
}

fn inputs(schema: &Schema) -> impl Iterator<Item = &InputObjectType> {
    schema.types.values().filter_map(ExtendedType::as_input_object)
}

fn field<'a>(schema: &'a Schema, ty: &str, name: &str) -> &'a FieldDefinition {
    schema.type_field(ty, name).unwrap_or_else(|_| panic!("the schema has no {ty}.{name}"))
}

fn returned(field: &FieldDefinition) -> &str {
    field.ty.inner_named_type()
}

#[test]
fn every_connection_is_a_row_of_the_lists() {
    let schema = schema();
    let is_connection = |ty: &str| schema.type_field(ty, "pageInfo").is_ok();
    let connections =
        fields(&schema).into_iter().filter(|(_, field)| is_connection(returned(field)));
    let in_schema: BTreeSet<_> = connections
        .map(|(parent, field)| {
            (parent.to_owned(), field.name.to_string(), returned(field).to_owned())
        })
        .collect();
    let row =
        |list: &List| (list.parent.to_owned(), list.field.to_owned(), list.connection.to_owned());
    assert_eq!(in_schema, LISTS.into_iter().map(row).collect());
    for ty in schema.types.keys().filter(|ty| is_connection(ty)) {
        assert!(LISTS.iter().any(|list| list.connection == ty.as_str()), "{ty} has no field");
    }
}

#[test]
fn every_row_of_the_lists_agrees_with_the_schema() {
    let schema = schema();
    let mut tags = HashSet::new();
    for list in LISTS {
        let List { parent, field: name, .. } = list;
        assert_eq!(returned(field(&schema, list.connection, "edges")), list.edge);
        let field = field(&schema, parent, name);
        for argument in ["after", "before", "first", "last"] {
            assert!(field.argument_by_name(argument).is_some(), "{parent}.{name}({argument}:)");
        }

        assert!(list.orders.iter().all(|order| tags.insert(order.tag)), "{name} reuses a tag");
        let Some(order_by) = field.argument_by_name("orderBy") else {
            assert_eq!(list.orders.len(), 1, "{parent}.{name} has an order to choose");
            continue;
        };
        let input = schema.get_input_object(order_by.ty.inner_named_type()).expect("an input");
        let orders = schema.get_enum(input.fields["field"].ty.inner_named_type()).expect("an enum");
        let in_schema: BTreeSet<_> = orders.values.keys().map(Name::as_str).collect();
        assert_eq!(in_schema, list.orders.iter().map(|order| order.field.name()).collect());
        let direction = match list.direction {
            OrderDirection::Asc => "ASC",
            OrderDirection::Desc => "DESC",
        };
        let defaults = [("direction", direction), ("field", list.orders[0].field.name())];
        let default = order_by.default_value.as_ref().and_then(|value| value.as_object());
        for (key, expected) in defaults {
            let of_input = input.fields[key].default_value.as_deref();
            let of_argument = default.expect("an object").iter().find(|(name, _)| name == key);
            let of_argument = of_argument.map(|(_, value)| &**value);
            assert_eq!(of_argument.and_then(GraphqlValue::as_enum).expect("an enum"), expected);
            assert_eq!(of_input.and_then(GraphqlValue::as_enum).expect("an enum"), expected);
        }
    }
}

/// The fields of the projected types, as the projection knows them.
fn projected() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut projected = BTreeMap::<_, BTreeSet<_>>::new();
    for (ty, field) in projected_fields() {
        projected.entry(ty).or_default().insert(field);
    }
    projected
}

#[test]
fn every_field_of_a_projected_type_has_a_row() {
    let schema = schema();
    for (ty, rows) in projected() {
        let object = schema.get_object(ty).expect("a projected type is an object");
        let in_schema: BTreeSet<_> = object.fields.keys().map(Name::as_str).collect();
        assert_eq!(in_schema, rows, "{ty}");
        for (name, field) in &object.fields {
            let below = schema.types.get(returned(field)).expect("a type of the schema");
            let is_plain = below.is_scalar() || below.is_enum();
            assert!(is_plain || projected().contains_key(returned(field)), "{ty}.{name}");
        }
    }
}

#[test]
fn every_type_of_node_is_known() {
    let schema = schema();
    let implementers = schema.implementers_map();
    let objects: BTreeSet<_> = implementers["Node"].objects.iter().map(Name::as_str).collect();
    // Those of `AnyNode`, `Project for AnyNode` and `GlobalId`.
    assert_eq!(objects, BTreeSet::from(["User", "Viewer"]));
}

#[test]
fn a_description_names_the_permissions_that_are_needed() {
    let schema = schema();
    let mut restricted = 0;
    for (ty, field) in fields(&schema) {
        let Some(directive) = field.directives.get("hasPermission") else { continue };
        restricted += 1;
        let permissions = directive.specified_argument_by_name("permissions");
        let permissions = permissions.and_then(|value| value.as_list()).expect("a list");
        let description = field.description.as_deref().expect("a description");
        let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut names = permissions.iter().map(|name| name.as_enum().expect("a name"));
        let names_them = if permissions.is_empty() {
            description.contains("must be signed in")
        } else {
            names.all(|name| description.contains(&format!("{name} permission")))
        };
        assert!(names_them, "{ty}.{}: {description}", field.name);
    }
    assert!(restricted >= 6, "{restricted}");
}

#[test]
fn no_input_refers_to_itself() {
    fn check<'a>(schema: &'a Schema, input: &'a InputObjectType, path: &mut Vec<&'a str>) {
        assert!(!path.contains(&input.name.as_str()), "{} refers to itself", input.name);
        path.push(&input.name);
        let below = input.fields.values().map(|field| field.ty.inner_named_type());
        for input in below.filter_map(|ty| schema.get_input_object(ty)) {
            check(schema, input, path);
        }
        path.pop();
    }
    let schema = schema();
    inputs(&schema).for_each(|input| check(&schema, input, &mut Vec::new()));
}

#[test]
fn every_text_that_clients_send_has_a_meaning() {
    let schema = schema();
    let is_text = |value: &InputValueDefinition| {
        matches!(value.ty.inner_named_type().as_str(), "String" | "ID")
    };
    let of_fields = fields(&schema).into_iter().flat_map(|(ty, field)| {
        let texts = field.arguments.iter().filter(|argument| is_text(argument));
        texts.map(move |argument| (ty, field.name.as_str(), argument.name.as_str()))
    });
    let of_inputs = inputs(&schema).flat_map(|input| {
        let texts = input.fields.values().filter(|field| is_text(field));
        texts.map(|field| (input.name.as_str(), field.name.as_str(), ""))
    });
    let in_schema: HashSet<_> = of_fields.chain(of_inputs).collect();
    for (ty, field, argument) in &in_schema {
        let meaning = TextMeaning::find(ty, field, argument);
        assert!(meaning.is_some(), "{ty}.{field}({argument}) has no meaning");
        let is_cursor = matches!(*argument, "after" | "before");
        assert_eq!(meaning == Some(TextMeaning::Cursor), is_cursor, "{ty}.{field}({argument})");
    }
    for text in &TEXTS {
        let row = (text.ty, text.field, text.argument);
        assert!(in_schema.contains(&row), "the schema has no {row:?}");
    }
}

/// A document for each field that leads from the rest of the schema into plain data. `ME` stands
/// for the id of the viewer.
const ROOTS: [(&str, &str); 30] = [
    ("Query.node", r#"{ node(id: "ME") { id ... on User { username } } }"#),
    ("Query.nodes", r#"{ nodes(ids: ["ME", "x"]) { id ... on User { username } } }"#),
    ("Query.user", r#"{ user(username: "bob") { followers { edges { cursor } } } }"#),
    ("Query.users", "{ users { totalCount edges { node { viewerIsFollowing } } } }"),
    (
        "Query.usersByRef",
        r#"{ usersByRef(refs: [{ id: "x" }, { username: "bob" }]) { isPrivate } }"#,
    ),
    ("FollowEvent.user", "{ viewer { followEvents { nodes { user { name } } } } }"),
    ("Viewer.blockedUsers", "{ viewer { blockedUsers { edges { blockedAt node { id } } } } }"),
    ("Viewer.followRequests", "{ viewer { followRequests { edges { requestedAt } totalCount } } }"),
    ("Viewer.mutedUsers", "{ viewer { mutedUsers { edges { mutedAt mutedUntil } } } }"),
    ("Viewer.sentFollowRequests", "{ viewer { sentFollowRequests { nodes { username } } } }"),
    ("Viewer.user", "{ viewer { user { following { nodes { bio } } } } }"),
    ("FollowPayload.user", "mutation { follow(input: { BOB }) { user { name } } }"),
    (
        "FollowPayload.followerEdge",
        "mutation { follow(input: { BOB }) { followerEdge { followedAt node { id } } } }",
    ),
    (
        "FollowPayload.followingEdge",
        "mutation { follow(input: { BOB }) { followingEdge { cursor node { id } } } }",
    ),
    ("UnfollowPayload.user", "mutation { unfollow(input: { BOB }) { user { name } } }"),
    (
        "AcceptFollowRequestPayload.followerEdge",
        "mutation { acceptFollowRequest(input: { BOB }) { followerEdge { node { id } } } }",
    ),
    (
        "AcceptFollowRequestPayload.user",
        "mutation { acceptFollowRequest(input: { BOB }) { user { name } } }",
    ),
    ("BlockPayload.user", "mutation { block(input: { BOB }) { user { name } } }"),
    ("MutePayload.user", "mutation { mute(input: { BOB }) { user { name } } }"),
    (
        "RejectFollowRequestPayload.user",
        "mutation { rejectFollowRequest(input: { BOB }) { user { name } } }",
    ),
    ("RemoveFollowerPayload.user", "mutation { removeFollower(input: { BOB }) { user { name } } }"),
    ("UnblockPayload.user", "mutation { unblock(input: { BOB }) { user { name } } }"),
    ("UnmutePayload.user", "mutation { unmute(input: { BOB }) { user { name } } }"),
    (
        "UpdateProfilePayload.user",
        r#"mutation { updateProfile(input: { bio: "x" }) { user { bio } } }"#,
    ),
    (
        "SetRolePayload.user",
        r#"mutation { setRole(input: { BOB, role: "user" }) { user { name } } }"#,
    ),
    ("SuspendUserPayload.user", "mutation { suspendUser(input: { BOB }) { user { name } } }"),
    ("AuditEntry.actor", "{ auditLog(first: 1) { nodes { actor { name } } } }"),
    ("AuditEntry.user", "{ auditLog(first: 1) { edges { node { user { name } } } } }"),
    ("ReinstateUserPayload.user", "mutation { reinstateUser(input: { BOB }) { user { name } } }"),
    (
        "UpsertUserResult.user",
        r#"mutation { upsertUsers(input: { users: [{ externalId: "1", username: "eve" }] }) {
            results { user { name } } } }"#,
    ),
];

#[tokio::test]
async fn every_root_of_plain_data_is_projected() {
    let schema = schema();
    let projected = projected();
    let is_plain = |ty: &str| ty == "Node" || projected.contains_key(ty);
    let roots = fields(&schema).into_iter();
    let roots = roots.filter(|(ty, field)| !is_plain(ty) && is_plain(returned(field)));
    let in_schema = roots.map(|(ty, field)| format!("{ty}.{}", field.name));
    // Those of logs have no users.
    let of_logs = ["AuditConnection.pageInfo", "FollowEventConnection.pageInfo"];
    let is_of_users = |root: &String| !of_logs.contains(&root.as_str());
    let in_schema: BTreeSet<_> = in_schema.filter(is_of_users).collect();
    let in_table: BTreeSet<_> = ROOTS.iter().map(|(root, _)| (*root).to_owned()).collect();
    assert_eq!(in_schema, in_table);

    let app = TestApp::start().await;
    let users = draw(&*app.store, "ann -> cid\nbob -> ann cid").await;
    give_role(&*app.store, users["ann"], "admin").await;
    let token = app.token("ann", None).await;
    let me = app.graphql("{ viewer { user { id } } }", json!({}), Some(&token)).await;
    let me = data(&me)["viewer"]["user"]["id"].as_str().expect("an id");
    for (root, document) in ROOTS {
        let document = document.replace("ME", me).replace("BOB", r#"user: { username: "bob" }"#);
        let before = app.projections();
        let answer = app.graphql(&document, json!({}), Some(&token)).await;
        assert_eq!(app.projections(), before + 1, "{root}: {answer}");
        data(&answer);
    }
}
