/**
 * A client with Relay: its compiler, its store and its runtime, without a user interface.
 *
 * It reads the profile of ada with all followers, two at a time, and whom the viewer follows, and
 * follows her. Relay's store merges the pages and the new edges of the follow. It prints the result as one JSON object. Its
 * compiler persists the documents: requests have their ids only, which the server trusts.
 */

import {
  commitMutation,
  Environment,
  fetchQuery,
  type GraphQLResponse,
  graphql,
  Network,
  RecordSource,
  Store,
} from "relay-runtime";
import { waitForFragmentData } from "relay-runtime/experimental";
import type { Profile_followers$key } from "./__generated__/Profile_followers.graphql";
import paginationQuery, {
  type ProfileFollowersPaginationQuery,
} from "./__generated__/ProfileFollowersPaginationQuery.graphql";
import type { ProfileFollowMutation } from "./__generated__/ProfileFollowMutation.graphql";
import type { ProfileQuery } from "./__generated__/ProfileQuery.graphql";
import type { ProfileViewerQuery } from "./__generated__/ProfileViewerQuery.graphql";

const profileQuery = graphql`
  query ProfileQuery($username: String!) {
    user(username: $username) {
      id
      name
      followerCount
      followingCount
      viewerIsFollowing
      isFollowingViewer
      viewerCanFollow
      ...Profile_followers
    }
  }
`;

const followersFragment = graphql`
  fragment Profile_followers on User
  @argumentDefinitions(count: { type: "Int", defaultValue: 2 }, cursor: { type: "String" })
  @refetchable(queryName: "ProfileFollowersPaginationQuery") {
    followers(first: $count, after: $cursor) @connection(key: "Profile_followers") {
      __id
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
  }
`;

const viewerQuery = graphql`
  query ProfileViewerQuery {
    viewer {
      user {
        followingCount
        following(first: 2) @connection(key: "Profile_following") {
          __id
          edges {
            node {
              username
            }
          }
        }
      }
    }
  }
`;

const followMutation = graphql`
  mutation ProfileFollowMutation($user: UserRef!, $followers: [ID!]!, $following: [ID!]!) {
    follow(input: { user: $user }) {
      outcome
      followerEdge @prependEdge(connections: $followers) {
        followedAt
        node {
          username
        }
      }
      followingEdge @prependEdge(connections: $following) {
        node {
          username
        }
      }
      user {
        followerCount
        viewerIsFollowing
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
`;

const url = `${process.env.ENTOURAGE_URL}`;

/** The session of the app: the token of `signIn`, or nothing for a viewer who is signed out. */
const session: { token?: string | undefined } = { token: "expired" };

/** The headers of a request. A viewer who is signed out sends no token, rather than an empty one. */
const headers = () => ({
  "content-type": "application/json",
  ...(session.token && { authorization: `Bearer ${session.token}` }),
});

const requests: string[] = [];
const warnings: string[] = [];
console.warn = console.error = (...message) => warnings.push(message.join(" "));

const environment = new Environment({
  network: Network.create(async ({ id, name }, variables) => {
    requests.push(name);
    const response = await fetch(url, {
      method: "POST",
      headers: headers(),
      body: JSON.stringify({ documentId: id, variables }),
    });
    if (response.status === 401) session.token = undefined;
    return (await response.json()) as GraphQLResponse;
  }),
  store: new Store(new RecordSource()),
});

/** The list of followers as a component would see it: all pages in the store. */
async function followersInStore(user: Profile_followers$key) {
  const { followers } = await waitForFragmentData(environment, followersFragment, user);
  const rows = followers.edges.map(({ node, followedAt }) => [node.username, followedAt]);
  return { ...followers, rows };
}

function follow(id: string, followers: string, following: string) {
  return new Promise<ProfileFollowMutation["response"]["follow"]>((resolve, reject) => {
    commitMutation<ProfileFollowMutation>(environment, {
      mutation: followMutation,
      variables: { user: { id }, followers: [followers], following: [following] },
      onCompleted: ({ follow }) => resolve(follow),
      onError: reject,
    });
  });
}

/** The profile, from the store if it is there. */
async function profile() {
  const options = { fetchPolicy: "store-or-network" } as const;
  const variables = { username: "ada" };
  const query = fetchQuery<ProfileQuery>(environment, profileQuery, variables, options);
  const { user } = (await query.toPromise()) ?? {};
  if (!user) throw new Error("there is no such user");
  return user;
}

/** The viewer and the users whom they follow, from the store if they are there. */
async function viewer() {
  const options = { fetchPolicy: "store-or-network" } as const;
  const query = fetchQuery<ProfileViewerQuery>(environment, viewerQuery, {}, options);
  const user = (await query.toPromise())?.viewer?.user;
  if (!user) throw new Error("nobody is signed in");
  return user;
}

async function main() {
  // The first request ends a session whose token has expired.
  await viewer().catch(() => {});
  if (session.token) throw new Error("the session outlives its token");
  session.token = `${process.env.ENTOURAGE_TOKEN}`;

  const user = await profile();
  const me = await viewer();

  let followers = await followersInStore(user);
  while (followers.pageInfo.hasNextPage) {
    await fetchQuery<ProfileFollowersPaginationQuery>(environment, paginationQuery, {
      id: user.id,
      cursor: followers.pageInfo.endCursor,
    }).toPromise();
    followers = await followersInStore(user);
  }

  const followed = await follow(user.id, followers.__id, me.following.__id);
  const afterwards = await profile();
  const viewers = [me, await viewer()];

  const report = {
    name: user.name,
    followers: user.followerCount,
    following: user.followingCount,
    followedBy: followers.rows,
    viewerIsFollowing: user.viewerIsFollowing,
    isFollowingViewer: user.isFollowingViewer,
    viewerCanFollow: user.viewerCanFollow,
    outcome: followed?.outcome,
    userErrors: followed?.userErrors.map((error) => error.message),
    followersAfterwards: afterwards.followerCount,
    followingAfterwards: viewers.at(-1)?.followingCount,
    store: {
      followedBy: (await followersInStore(user)).rows,
      follows: viewers.map(({ following }) => following.edges.map(({ node }) => node.username)),
      viewerIsFollowing: afterwards.viewerIsFollowing,
      requests,
      warnings,
    },
  };
  console.log(JSON.stringify(report));
}

main();
