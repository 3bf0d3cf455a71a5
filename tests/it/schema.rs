//! The published schema.

use entourage::graphql;

/// `make schema` rewrites the file.
#[test]
fn schema_graphql_is_what_the_server_serves() {
    let committed = include_str!("../../schema.graphql");
    assert!(committed == graphql::sdl(), "schema.graphql is stale: run `make schema`");
}
