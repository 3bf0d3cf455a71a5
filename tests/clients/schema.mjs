/**
 * Reads `schema.graphql` as clients and gateways with other libraries do: with graphql-js 15, 16.8,
 * 16.15 and 17, and as a subgraph of a federation, composed by Apollo and by The Guild.
 */

import { readFileSync } from 'node:fs';
import * as apollo from '@apollo/composition';
import * as guild from '@theguild/federation-composition';
import * as current from 'graphql';
import * as v15 from 'graphql-15';
import * as v16_8 from 'graphql-16.8';
import * as v17 from 'graphql-17';

const sdl = readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8');

for (const { buildSchema, validateSchema, version } of [v15, v16_8, current, v17]) {
  const [error] = validateSchema(buildSchema(sdl));
  if (error) throw new Error(`graphql ${version}: ${error.message}`);
}

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.0")\n';
for (const [name, prefix] of [['federation 1', ''], ['federation 2', federation]]) {
  const typeDefs = current.parse(prefix + sdl);
  for (const { composeServices } of [apollo, guild]) {
    const { errors, supergraphSdl } = composeServices([{ name: 'entourage', typeDefs, url: '/graphql' }]);
    if (errors?.length) throw new Error(`${name}: ${errors.map(({ message }) => message).join('\n')}`);
    if (!supergraphSdl.includes('followerCount')) throw new Error(`${name}: followerCount is missing`);
  }
}
