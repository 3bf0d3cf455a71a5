/**
 * A client with urql, its persisted documents and graphcache, which knows the schema.
 *
 * It subscribes to the profile of ada and the viewer, reads all followers, and follows her. What it
 * prints afterwards is in its cache: it sends no request after the mutation.
 */

import { readFileSync } from 'node:fs';
import { Client, fetchExchange, gql, mapExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { persistedExchange } from '@urql/exchange-persisted';
import { buildSchema, introspectionFromSchema } from 'graphql';
import {
  authorization,
  countingFetch,
  expire,
  FOLLOW,
  PROFILE,
  report,
  SESSION,
  session,
  url,
  VIEWER,
} from './documents.mjs';

const [profileQuery, viewerQuery, followMutation] = [PROFILE, VIEWER, FOLLOW].map((text) => gql(text));
const sdl = readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8');
const ada = { query: profileQuery, variables: { username: 'ada' } };

const cache = cacheExchange({
  schema: introspectionFromSchema(buildSchema(sdl)),
  keys: {
    FollowQuota: () => null,
    PageInfo: () => null,
    PrivacySettings: () => null,
    RateLimit: () => null,
  },
  resolvers: {
    Query: { users: relayPagination() },
    User: { followers: relayPagination(), following: relayPagination() },
  },
  updates: {
    Mutation: {
      follow({ follow }, _variables, cache) {
        if (!follow.followerEdge) return;
        cache.updateQuery(ada, (data) => {
          data?.user.followers.edges.unshift(follow.followerEdge);
          return data;
        });
        cache.updateQuery({ query: viewerQuery }, (data) => {
          data?.viewer?.user?.following.edges.unshift(follow.followingEdge);
          return data;
        });
      },
    },
  },
});
const ending = mapExchange({
  onError({ response }) {
    if (response?.status === 401) session.token = undefined;
  },
});
const persisted = persistedExchange({ preferGetForPersistedQueries: false });
const client = new Client({
  url,
  exchanges: [cache, ending, persisted, fetchExchange],
  fetchOptions: () => ({ headers: authorization() }),
  preferGetMethod: false,
  fetch: countingFetch,
});

function dataOf({ data, error }) {
  if (error) throw error;
  return data;
}

/** Subscribes to a query, and returns a function that gives its latest result. */
async function watch(query, variables) {
  let latest;
  await new Promise((resolve) => {
    client.query(query, variables).subscribe((result) => resolve((latest = result)));
  });
  return () => dataOf(latest);
}

await expire(async () => {
  dataOf(await client.query(gql(SESSION), {}, { requestPolicy: 'network-only' }).toPromise());
});

// One after the other, so that the requests have an order.
const profile = await watch(ada.query, ada.variables);
const viewer = await watch(viewerQuery, {});
let before = profile();
while (before.user.followers.pageInfo.hasNextPage) {
  const after = before.user.followers.pageInfo.endCursor;
  dataOf(await client.query(profileQuery, { username: 'ada', after }).toPromise());
  before = profile();
}
const viewers = [viewer()];

const { follow } = dataOf(
  await client.mutation(followMutation, { user: { id: before.user.id } }).toPromise(),
);
viewers.push(viewer());
report(before, follow, profile(), viewers);
