// PostGraphile 5 with its presets, configured for production as its documentation recommends.

import { createServer } from 'node:http';
import { PgSimplifyInflectionPreset } from '@graphile/simplify-inflection';
import { postgraphile } from 'postgraphile';
import { makePgService } from 'postgraphile/adaptors/pg';
import { grafserv } from 'postgraphile/grafserv/node';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';

const preset = {
  extends: [PostGraphileAmberPreset, PgSimplifyInflectionPreset],
  pgServices: [
    makePgService({
      connectionString: process.env.DATABASE_URL,
      poolConfig: { max: Number(process.env.CONNECTIONS) },
      schemas: ['peers'],
      pubsub: false,
    }),
  ],
  grafast: {
    explain: false,
    context: ({ node }) => {
      const viewer = node?.req.headers['x-viewer-id'];
      return viewer ? { pgSettings: { 'viewer.id': String(viewer) } } : {};
    },
  },
  grafserv: { graphqlPath: '/graphql', graphiql: false, watch: false, websockets: false },
};

const server = createServer();
await postgraphile(preset).createServ(grafserv).addTo(server);
server.listen(Number(process.env.PORT), '127.0.0.1', 1024);
