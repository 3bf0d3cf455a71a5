/**
 * Compares a running server with graphql-js, request by request:
 * node differential.mjs http://127.0.0.1:8000/graphql --documents 5000 --seed 1
 *
 * Requests are generated from `schema.graphql` and sent to the server; graphql-js answers the same
 * requests from a copy of the server's graph. Both must refuse at the same stage with the same errors,
 * or answer with the same data in the same order and errors at the same paths. The server must have few users and no
 * other clients: the script creates six accounts and follows with one of them. The same seed
 * generates the same requests. DIFFERENTIAL_DOCUMENTS and DIFFERENTIAL_SEED replace the options.
 */

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  buildClientSchema,
  buildSchema,
  getIntrospectionQuery,
  lexicographicSortSchema,
  printSchema,
} from 'graphql';
import { Generator } from './differential/generator.mjs';
import { Graph } from './differential/graph.mjs';
import { mutant, text } from './differential/mutants.mjs';
import { difference, isStricter, oracle } from './differential/oracle.mjs';
import { Random } from './differential/random.mjs';
import { Server } from './differential/server.mjs';
import { smallest } from './differential/smallest.mjs';

/** The number of differences to print before giving up. */
const DIFFERENCES_MAX = 5;
/** Every third request is as generated; the others are mutants of one. */
const GENERATED_EVERY = 3;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    documents: { type: 'string', default: process.env.DIFFERENTIAL_DOCUMENTS ?? '1500' },
    seed: { type: 'string', default: process.env.DIFFERENTIAL_SEED ?? '1' },
  },
});
const [url] = positionals;
const documents = Number(values.documents);
const seed = Number(values.seed);
if (!url || !Number.isInteger(documents) || !Number.isInteger(seed)) {
  console.error('usage: node differential.mjs URL [--documents N] [--seed N]');
  process.exit(2);
}

const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));
const server = new Server(url);
const token = await server.prepare();
const graph = new Graph(server, token);
await graph.load();

/** Sends a request to both and returns the difference, if any. */
async function compare({ query, variables, operationName, isSignedIn }) {
  const request = { query, variables, operationName };
  const actual = await server.send(request, isSignedIn ? token : undefined);
  if (isStricter(actual)) return { actual, expected: { stage: 'not compared' } };
  const expected = await oracle(schema, graph, request, isSignedIn);
  const found = difference(actual, expected);
  await (found ? graph.load() : graph.refresh());
  return { found, actual, expected };
}

const outcomes = new Map();
const random = new Random(seed);
let differences = 0;

const introspection = await server.run(getIntrospectionQuery({ oneOf: true, specifiedByUrl: true }));
const [introspected, written] = [buildClientSchema(introspection), schema].map((each) => {
  // The executor cannot represent descriptions of directive arguments.
  for (const argument of each.getDirective('hasPermission').args) argument.description = undefined;
  return printSchema(lexicographicSortSchema(each));
});
if (introspected !== written) {
  differences += 1;
  console.error(`introspection tells of another schema:\n${introspected}`);
}
for (let n = 0; n < documents && differences < DIFFERENCES_MAX; n += 1) {
  const generated = new Generator(schema, graph, random).request();
  const { document, ...request } = n % GENERATED_EVERY === 0 ? generated : mutant(generated, random);
  request.query = text(document, random);

  const { found, expected } = await compare(request);
  outcomes.set(expected.stage, (outcomes.get(expected.stage) ?? 0) + 1);
  if (!found) continue;
  differences += 1;
  const small = await smallest(request, async (candidate) => (await compare(candidate)).found === found);
  const { actual, expected: wanted } = await compare(small);
  console.error(`difference ${differences}, request ${n} of seed ${seed}: ${found}`);
  for (const [what, value] of Object.entries({ request: small, server: actual, 'graphql-js': wanted })) {
    console.error(`  ${what}: ${JSON.stringify(value)}`);
  }
}

const told = [...outcomes].map(([stage, count]) => `${count} ${stage}`).join(', ');
console.log(`seed ${seed}: ${differences} differences (graphql-js: ${told})`);
process.exitCode = differences === 0 ? 0 : 1;
