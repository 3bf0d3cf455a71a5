/** The answer of graphql-js to a request, and how the server's reply differs. */

import { GraphQLError, execute, getOperationAST, parse, validate } from 'graphql';
import { FRESH } from './graph.mjs';
import { root } from './resolvers.mjs';

/** The stages at which a request can be refused, with the codes of our server. */
const CODES = {
  GRAPHQL_PARSE_FAILED: 'unreadable',
  GRAPHQL_VALIDATION_FAILED: 'invalid',
  BAD_USER_INPUT: 'of bad input',
};

/** Limits on the size of an operation, which graphql-js does not have. */
const LIMITS = ['QUERY_TOO_LARGE', 'QUERY_TOO_DEEP', 'QUERY_TOO_WIDE', 'COST_LIMIT_EXCEEDED'];

/** Rules about arguments that types cannot express. Breaking one fails the whole request before
 * execution, and so does a null variable in a non-null position, for which the specification fails
 * only the field. */
const RULES = /must not be null|must be from|cannot be given together with|must be given|must be at most/;

/** A validation rule that graphql-js 16 omits for non-null input objects. */
const ONE_OF = /must not be null within @oneOf/;

/** Whether the server is deliberately stricter than graphql-js, so that answers cannot be compared. */
export function isStricter({ errors }) {
  if (!errors) return false;
  const [{ message, extensions }] = errors;
  return (
    [...LIMITS, 'INVALID_CURSOR'].includes(extensions.code) ||
    (extensions.code === 'BAD_USER_INPUT' && RULES.test(message)) ||
    (extensions.code === 'GRAPHQL_VALIDATION_FAILED' && ONE_OF.test(message))
  );
}

/** The `stage`, with `data` and `errors` if the request was executed. */
export async function oracle(schema, graph, { query, variables, operationName }, isSignedIn) {
  let document;
  try {
    document = parse(query);
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    return { stage: 'unreadable', errors: [error] };
  }
  const errors = validate(schema, document);
  if (errors.length > 0) return { stage: 'invalid', errors };

  const rootValue = root(graph, isSignedIn);
  const result = await execute({ schema, document, rootValue, variableValues: variables, operationName });
  if (!('data' in result)) return { stage: 'of bad input', errors: result.errors };
  return { stage: 'executed', ...result };
}

/** A short description of the difference, or undefined. */
export function difference(actual, expected) {
  const code = actual.errors?.[0].extensions.code;
  const stage = 'data' in actual ? 'executed' : (CODES[code] ?? code);
  if (stage !== expected.stage) return `it is ${stage}, and should be ${expected.stage}`;
  if (stage !== 'executed') return undefined;
  if (paths(actual) !== paths(expected)) return 'errors are at other paths';
  return agrees(actual.data, expected.data) ? undefined : 'the data differ';
}

function paths({ errors = [] }) {
  return JSON.stringify(errors.map(({ path }) => path.join('.')).sort());
}

/** Whether both are equal, with keys in the same order; FRESH equals any text. */
function agrees(actual, expected) {
  if (expected === FRESH) return typeof actual === 'string';
  if (expected === null || typeof expected !== 'object') return actual === expected;
  if (actual === null || typeof actual !== 'object') return false;
  const keys = Object.keys(expected);
  if (String(Object.keys(actual)) !== String(keys) || Array.isArray(actual) !== Array.isArray(expected)) return false;
  return keys.every((key) => agrees(actual[key], expected[key]));
}
