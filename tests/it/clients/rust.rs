//! A client in Rust: reqwest, and types that `graphql_client` generates from `schema.graphql`.

#![expect(clippy::upper_case_acronyms, reason = "scalars keep the names of the schema")]

use chrono::SecondsFormat;
use graphql_client::{GraphQLQuery, Response};
use serde_json::{Value, json};

// The types of the scalars of these names; the generated types expect them here.
type DateTime = chrono::DateTime<chrono::Utc>;
type URI = String;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "schema.graphql",
    query_path = "tests/clients/operations.graphql",
    response_derives = "Debug"
)]
struct Profile;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "schema.graphql",
    query_path = "tests/clients/operations.graphql",
    response_derives = "Serialize"
)]
struct Follow;

/// The server's address and the token.
struct Client<'a> {
    url: &'a str,
    token: &'a str,
}

impl Client<'_> {
    async fn execute<Q: GraphQLQuery>(&self, variables: Q::Variables) -> Q::ResponseData {
        let request = reqwest::Client::new().post(self.url).bearer_auth(self.token);
        let response = request.json(&Q::build_query(variables)).send().await;
        let response: Response<Q::ResponseData> =
            response.expect("the server answers").json().await.expect("the answer fits the schema");
        assert_eq!(response.errors, None);
        response.data.expect("there is data when there are no errors")
    }

    async fn profile(&self, after: Option<String>) -> profile::ProfileUser {
        let variables = profile::Variables { username: "ada".to_owned(), after };
        self.execute::<Profile>(variables).await.user.expect("there is such a user")
    }
}

/// Reads the profile of ada with all followers, two at a time, and follows her. Gives what it saw
/// in the form in which the other clients print it.
pub(super) async fn run(url: &str, token: &str) -> Value {
    let client = Client { url, token };
    let profile = client.profile(None).await;
    let mut edges = profile.followers.edges;
    let mut page = profile.followers.page_info;
    while page.has_next_page {
        let next = client.profile(page.end_cursor).await.followers;
        edges.extend(next.edges);
        page = next.page_info;
    }

    let variables = follow::Variables { user: follow::UserRef::Id(profile.id) };
    let follow = client.execute::<Follow>(variables).await.follow.expect("it is not refused");

    let followed_by = edges.into_iter().map(|edge| {
        let followed_at = edge.followed_at.to_rfc3339_opts(SecondsFormat::Micros, true);
        json!([edge.node.username, followed_at])
    });
    let user_errors = follow.user_errors.into_iter().map(|error| error.message);
    json!({
        "name": profile.name,
        "followers": profile.follower_count,
        "following": profile.following_count,
        "followedBy": followed_by.collect::<Vec<_>>(),
        "viewerIsFollowing": profile.viewer_is_following,
        "isFollowingViewer": profile.is_following_viewer,
        "viewerCanFollow": profile.viewer_can_follow,
        "outcome": follow.outcome,
        "userErrors": user_errors.collect::<Vec<_>>(),
        "followersAfterwards": follow.user.map(|user| user.follower_count),
        "followingAfterwards": follow.viewer.map(|viewer| viewer.user.following_count),
    })
}
