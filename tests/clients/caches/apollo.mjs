/**
 * A client with Apollo Client 4, its persisted-query link and `relayStylePagination`.
 *
 * It watches the profile of ada and the viewer, reads all followers, follows her, unfollows her, and
 * follows her again. What it prints afterwards is what the watched queries show: between and after
 * the mutations it sends no request.
 */

import { createHash } from 'node:crypto';
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { SetContextLink } from '@apollo/client/link/context';
import { ErrorLink } from '@apollo/client/link/error';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { relayStylePagination } from '@apollo/client/utilities';
import { filter, firstValueFrom } from 'rxjs';
import {
  authorization,
  countingFetch,
  expire,
  FOLLOW,
  PROFILE,
  report,
  SESSION,
  session,
  UNFOLLOW,
  url,
  VIEWER,
} from './documents.mjs';

const cache = new InMemoryCache({
  possibleTypes: { Node: ['User', 'Viewer'] },
  typePolicies: {
    FollowQuota: { keyFields: false, merge: true },
    PrivacySettings: { keyFields: false, merge: true },
    Query: { fields: { users: relayStylePagination(['orderBy', 'query']) } },
    User: {
      fields: {
        followers: relayStylePagination(['orderBy']),
        following: relayStylePagination(['orderBy']),
      },
    },
  },
});
const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const link = ApolloLink.from([
  new ErrorLink(({ error }) => {
    const errors = CombinedGraphQLErrors.is(error) ? error.errors : [];
    const codes = errors.map(({ extensions }) => extensions?.code);
    if (codes.includes('UNAUTHENTICATED')) session.token = undefined;
  }),
  new SetContextLink(({ headers }) => ({ headers: { ...headers, ...authorization() } })),
  new PersistedQueryLink({ sha256 }),
  new HttpLink({ uri: url, fetch: countingFetch }),
]);
const client = new ApolloClient({ cache, link });

await expire(() => client.query({ query: gql(SESSION), fetchPolicy: 'network-only' }));

const isComplete = ({ dataState }) => dataState === 'complete';
const profile = client.watchQuery({ query: gql(PROFILE), variables: { username: 'ada' } });
const viewer = client.watchQuery({ query: gql(VIEWER) });
const subscriptions = [];
// One after the other, so that the requests have an order.
for (const query of [profile, viewer]) {
  subscriptions.push(query.subscribe());
  await firstValueFrom(query.pipe(filter(isComplete)));
}

/** The answer of the cache to a watched query. */
const read = ({ query, variables }) => client.readQuery({ query, variables });

/** Fetches the pages that are missing, and returns the profile with all its followers. */
async function readAll() {
  let { user } = read(profile);
  while (user.followers.pageInfo.hasNextPage) {
    await profile.fetchMore({ variables: { after: user.followers.pageInfo.endCursor } });
    ({ user } = read(profile));
  }
  return user;
}

const before = { user: await readAll() };
const viewers = [read(viewer)];
const variables = { user: { id: before.user.id } };

const follow = () => client.mutate({
  mutation: gql(FOLLOW),
  variables,
  update(cache, { data: { follow } }) {
    const prepend = (edge) => (list) => {
      const node = { __ref: cache.identify(edge.node) };
      return { ...list, edges: [{ ...edge, node }, ...list.edges] };
    };
    if (follow.followerEdge) {
      const fields = { followers: prepend(follow.followerEdge) };
      cache.modify({ id: cache.identify(follow.user), fields });
    }
    if (follow.followingEdge) {
      const fields = { following: prepend(follow.followingEdge) };
      cache.modify({ id: cache.identify(follow.viewer.user), fields });
    }
  },
});

const unfollow = () => client.mutate({
  mutation: gql(UNFOLLOW),
  variables,
  update(cache, { data: { unfollow } }) {
    const without = (id) => (list, { readField }) => {
      const isOther = (edge) => readField('id', readField('node', edge)) !== id;
      return { ...list, edges: list.edges.filter(isOther) };
    };
    const { user, viewer } = unfollow;
    if (!user || !viewer) return;
    cache.modify({ id: cache.identify(user), fields: { followers: without(viewer.user.id) } });
    cache.modify({ id: cache.identify(viewer.user), fields: { following: without(user.id) } });
  },
});

/** What the page of a watched query shows once a condition holds. */
const shown = async (query, holds) =>
  (await firstValueFrom(query.pipe(filter((result) => isComplete(result) && holds(result.data))))).data;
await follow();
await shown(profile, ({ user }) => user.viewerIsFollowing && user.followers.edges.length > 3);
await unfollow();
await shown(profile, ({ user }) => !user.viewerIsFollowing && user.followers.edges.length === 3);
await shown(viewer, (data) => data.viewer.user.following.edges.length === 0);
const { data } = await follow();
const after = await shown(profile, ({ user }) => user.viewerIsFollowing && user.followers.edges.length > 3);
viewers.push(await shown(viewer, (data) => data.viewer.user.followingCount > 0));
report(before, data.follow, after, viewers);
for (const subscription of subscriptions) subscription.unsubscribe();
client.stop();
