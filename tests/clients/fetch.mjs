/**
 * A client without a library: `fetch` and JSON.
 *
 * It reads the profile of ada page by page, follows her, and prints what it saw.
 */

const url = process.env.ENTOURAGE_URL;
let token = process.env.ENTOURAGE_TOKEN; // undefined for a viewer who is signed out

/** Sends an operation and returns its data. */
async function graphql(query, variables) {
  const headers = { 'content-type': 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  const body = JSON.stringify({ query, variables });
  const response = await fetch(url, { method: 'POST', headers, body });
  if (response.status === 401) token = undefined; // expired or revoked: sign in again
  const { data, errors } = await response.json();
  if (errors) throw new Error(`${errors[0].extensions.code}: ${errors[0].message}`);
  return data;
}

const PROFILE = `
  query Profile($username: String!, $after: String) {
    user(username: $username) {
      name
      followerCount
      followingCount
      viewerIsFollowing
      isFollowingViewer
      viewerCanFollow
      followers(first: 2, after: $after) {
        edges { followedAt node { username } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`;

/** The profile of a user with all followers; null if there is no such user. */
async function profile(username) {
  const followedBy = [];
  let after = null;
  while (true) {
    const { user } = await graphql(PROFILE, { username, after });
    if (!user) return null;
    const { followers, ...rest } = user;
    followedBy.push(...followers.edges);
    if (!followers.pageInfo.hasNextPage) return { ...rest, followedBy };
    after = followers.pageInfo.endCursor;
  }
}

const FOLLOW = `
  mutation Follow($username: String!) {
    follow(input: { user: { username: $username } }) {
      outcome
      user { followerCount }
      viewer { user { followingCount } }
      userErrors { code message }
    }
  }`;

/** Follows a user. What a person can do something about is in `userErrors`, not an exception. */
async function follow(username) {
  const { follow } = await graphql(FOLLOW, { username });
  return follow;
}

const { followerCount, followingCount, followedBy, ...ada } = await profile('ada');
if ((await profile('nobody-here')) !== null) throw new Error('there is no such user');
const followed = await follow('ada');

token = 'expired';
const refusal = await graphql('{ viewer { id } }').catch((error) => error.message);
if (token || !refusal.startsWith('UNAUTHENTICATED: ')) throw new Error(`not signed out: ${refusal}`);

console.log(
  JSON.stringify({
    ...ada,
    followers: followerCount,
    following: followingCount,
    followedBy: followedBy.map(({ node, followedAt }) => [node.username, followedAt]),
    outcome: followed.outcome,
    userErrors: followed.userErrors,
    followersAfterwards: followed.user.followerCount,
    followingAfterwards: followed.viewer.user.followingCount,
  }),
);
