/**
 * A client with `fetch` and the types of graphql-codegen's client preset.
 *
 * It reads the profile of ada with all followers, two at a time, and follows her. It prints the
 * result as one JSON object.
 */

import { graphql } from "./generated";
import type { TypedDocumentString } from "./generated/graphql";

const ProfileQuery = graphql(`
  query Profile($username: String!, $after: String) {
    user(username: $username) {
      id
      name
      followerCount
      followingCount
      followers(first: 2, after: $after) {
        edges {
          followedAt
          node {
            username
          }
        }
        pageInfo {
          endCursor
          hasNextPage
        }
      }
      viewerIsFollowing
      isFollowingViewer
      viewerCanFollow
    }
  }
`);

const FollowMutation = graphql(`
  mutation Follow($user: UserRef!) {
    follow(input: { user: $user }) {
      outcome
      user {
        followerCount
      }
      userErrors {
        message
      }
      viewer {
        user {
          followingCount
        }
      }
    }
  }
`);

const { ENTOURAGE_URL: url, ENTOURAGE_TOKEN: token } = process.env;

async function execute<Data, Variables>(
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const response = await fetch(`${url}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ query: document.toString(), variables }),
  });
  const { data, errors } = (await response.json()) as { data?: Data; errors?: unknown };
  if (!data || errors) throw new Error(`the server refuses: ${JSON.stringify(errors)}`);
  return data;
}

async function readProfile(after: string | null = null) {
  const { user } = await execute(ProfileQuery, { username: "ada", after });
  if (!user) throw new Error("there is no such user");
  return user;
}

async function main() {
  const profile = await readProfile();
  const edges = profile.followers.edges;
  let { pageInfo } = profile.followers;
  while (pageInfo.hasNextPage) {
    const { followers } = await readProfile(pageInfo.endCursor);
    edges.push(...followers.edges);
    pageInfo = followers.pageInfo;
  }

  const { follow } = await execute(FollowMutation, { user: { id: profile.id } });

  const report = {
    name: profile.name,
    followers: profile.followerCount,
    following: profile.followingCount,
    followedBy: edges.map((edge) => [edge.node.username, edge.followedAt]),
    viewerIsFollowing: profile.viewerIsFollowing,
    isFollowingViewer: profile.isFollowingViewer,
    viewerCanFollow: profile.viewerCanFollow,
    outcome: follow?.outcome,
    userErrors: follow?.userErrors.map((error) => error.message),
    followersAfterwards: follow?.user?.followerCount,
    followingAfterwards: follow?.viewer?.user.followingCount,
  };
  console.log(JSON.stringify(report));
}

main();
