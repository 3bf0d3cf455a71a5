/**
 * What the clients with a normalised cache share: their documents, a `fetch` that counts requests,
 * and an ear for the warnings of the cache.
 */

const EDGE = 'cursor followedAt node { id username }';
const PAGE_INFO = 'endCursor hasNextPage hasPreviousPage startCursor';

export const PROFILE = /* GraphQL */ `
  query Profile($username: String!, $after: String) {
    user(username: $username) {
      id
      name
      followerCount
      followingCount
      followers(first: 2, after: $after) {
        edges {
          ${EDGE}
        }
        pageInfo {
          ${PAGE_INFO}
        }
      }
      viewerIsFollowing
      isFollowingViewer
      viewerCanFollow
    }
  }
`;

export const VIEWER = /* GraphQL */ `
  query Viewer {
    viewer {
      id
      followQuota {
        remaining
        totalRemaining
      }
      user {
        id
        followingCount
        following(first: 2) {
          edges {
            ${EDGE}
          }
          pageInfo {
            ${PAGE_INFO}
          }
        }
      }
    }
  }
`;

export const FOLLOW = /* GraphQL */ `
  mutation Follow($user: UserRef!) {
    follow(input: { user: $user }) {
      outcome
      followerEdge {
        ${EDGE}
      }
      followingEdge {
        ${EDGE}
      }
      user {
        id
        followerCount
        viewerIsFollowing
      }
      userErrors {
        message
      }
      viewer {
        id
        followQuota {
          remaining
          totalRemaining
        }
        user {
          id
          followingCount
        }
      }
    }
  }
`;

export const UNFOLLOW = /* GraphQL */ `
  mutation Unfollow($user: UserRef!) {
    unfollow(input: { user: $user }) {
      outcome
      user {
        id
        followerCount
        viewerIsFollowing
      }
      userErrors {
        message
      }
      viewer {
        id
        followQuota {
          remaining
          totalRemaining
        }
        user {
          id
          followingCount
        }
      }
    }
  }
`;

export const url = process.env.ENTOURAGE_URL;

/** The session of the app: the token of `signIn`, or nothing for a viewer who is signed out. */
export const session = { token: undefined };

/** The header of a request. A viewer who is signed out sends none, rather than an empty one. */
export const authorization = () =>
  session.token ? { authorization: `Bearer ${session.token}` } : {};

/** What `expire` sends. */
export const SESSION = 'query Session { viewer { id } }';

/** Ends a session with an expired token, as its first request must, and signs in again. */
export async function expire(request) {
  session.token = 'expired';
  await request().catch(() => {});
  if (session.token) throw new Error('the session outlives its token');
  session.token = process.env.ENTOURAGE_TOKEN;
  requests.length = 0;
}

/** The operations of all requests, in order; one without a text ends in `#`. */
export const requests = [];

export function countingFetch(input, init) {
  const { operationName, query } = JSON.parse(init.body);
  requests.push(query ? operationName : `${operationName}#`);
  return fetch(input, init);
}

export const warnings = [];
for (const level of ['warn', 'error']) {
  console[level] = (...message) => warnings.push(message.join(' '));
}

const rows = ({ edges }) => edges.map(({ node, followedAt }) => [node.username, followedAt]);

/** Prints the profile and the viewer as the cache had them before and has them after the follow. */
export function report(before, follow, after, viewers) {
  const { user } = before;
  console.log(
    JSON.stringify({
      name: user.name,
      followers: user.followerCount,
      following: user.followingCount,
      followedBy: rows(user.followers),
      viewerIsFollowing: user.viewerIsFollowing,
      isFollowingViewer: user.isFollowingViewer,
      viewerCanFollow: user.viewerCanFollow,
      outcome: follow.outcome,
      userErrors: follow.userErrors.map(({ message }) => message),
      followersAfterwards: after.user.followerCount,
      followingAfterwards: viewers.at(-1).viewer.user.followingCount,
      cache: {
        followedBy: rows(after.user.followers),
        follows: viewers.map(({ viewer }) => rows(viewer.user.following).map(([username]) => username)),
        viewerIsFollowing: after.user.viewerIsFollowing,
        followingBefore: viewers[0].viewer.user.followingCount,
        requests,
        warnings,
      },
    }),
  );
}
