// The requests to servers, and the parts of their answers that must be equal.

import { readFileSync } from 'node:fs';
import { sql, tokens } from './database.mjs';

/** The queries: names and descriptions. */
export const QUERIES = {
  profile: { asks: 'a profile: both counts and the first 20 followers' },
  lists: { asks: '50 users, 10 followers and 10 following of each, with counts' },
  levels: { asks: 'three levels of lists, 211 users, each with `viewerIsFollowing`' },
  follow: { asks: 'a follow and an unfollow of one of 5,000 pairs', writes: true },
  celebrity: { asks: 'the same, but everybody follows one user', writes: true },
};

/** The document of a query, in the dialect of a server. */
export const document = (folder, query) => {
  const name = query === 'celebrity' ? 'follow' : query;
  const url = new URL(`../queries/${folder}/${name}.graphql`, import.meta.url);
  return readFileSync(url, 'utf8').replace(/\s+/g, ' ').trim();
};

/** The targets of the requests, and one of our tokens for each viewer. */
export class Asked {
  /** Reads the lists. */
  static async load() {
    const asked = new Asked();
    const viewers = asked.pairs.map(({ viewer }) => viewer);
    const all = await tokens(viewers);
    asked.tokens = new Map(all.map((token, at) => [viewers[at], token]));
    return asked;
  }

  constructor() {
    this.profiles = sql('SELECT username FROM asked.profiles ORDER BY k').map(([name]) => name);
    this.pages = sql('SELECT id FROM asked.pages ORDER BY k').map(([id]) => id);
    const pairs = (table) =>
      sql(`SELECT viewer_id, viewer, followee FROM asked.${table} ORDER BY k`)
        .map(([id, viewer, followee]) => ({ id, viewer, followee }));
    this.pairs = pairs('pairs');
    this.fans = pairs('fans');
    this.tokens = new Map();
  }

  /** The requests of a query, for the server whose documents are in this folder. */
  async requests(query, folder, url) {
    const make = (variables, viewer) => ({
      header: viewer && this.header(folder, viewer),
      body: JSON.stringify({ query: document(folder, query), variables }),
    });
    if (query === 'profile') return this.profiles.map((username) => make({ username }));
    if (query === 'levels') {
      return this.profiles.map((username, at) =>
        make({ username }, this.pairs[at % this.pairs.length]));
    }
    if (query !== 'lists') {
      const list = query === 'follow' ? this.pairs : this.fans;
      return list.map((pair) => make({ username: pair.followee }, pair));
    }
    // Cursors differ between servers.
    const requests = [];
    for (let after = null; requests.length < this.pages.length;) {
      const { data } = await ask(url, make({ after }));
      after = data.users.endCursor ?? data.users.pageInfo.endCursor;
      requests.push(make({ after }));
    }
    return requests;
  }

  /** The lengths of the lists. */
  get lengths() {
    const { profiles, pages, pairs, fans } = this;
    const lists = Object.entries({ profiles, pages, pairs, fans });
    return Object.fromEntries(lists.map(([name, list]) => [name, list.length]));
  }

  header(folder, { id, viewer }) {
    const token = this.tokens.get(viewer);
    return folder === 'entourage' ? ['Authorization', `Bearer ${token}`] : ['X-Viewer-Id', id];
  }
}

/** The answer to a request, which must have no errors, and its length in bytes. */
export async function ask(url, { header, body }) {
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  if (header) headers[header[0].toLowerCase()] = header[1];
  const response = await fetch(url, { method: 'POST', headers, body });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${url} answers ${response.status}: ${text}`);
  const { data, errors } = JSON.parse(text);
  if (errors || !data) throw new Error(`${url} answers ${text.slice(0, 1000)}`);
  return { data, bytes: text.length };
}

const TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|\+00(?::00)?)$/;

/**
 * The names, counts, flags and times of an answer, in order. Servers name and nest them differently,
 * but all documents select them in the same order. Cursors are left out.
 */
export function leaves(value, key) {
  if (key === 'endCursor') return [];
  if (value !== null && typeof value === 'object') {
    return Object.entries(value).flatMap(([name, inner]) => leaves(inner, name));
  }
  const time = typeof value === 'string' && value.match(TIME);
  return [time ? `${time[1]} ${time[2]}.${(time[3] ?? '').padEnd(6, '0')}` : value];
}
