/**
 * The answer of graphql-js to a request, and how the server's reply differs.
 *
 * Messages of a refused request, their order and their locations must be those of graphql-js, except:
 * - The value of a variable is left out, and messages are cut after 500 characters.
 * - A nullable variable in a `@oneOf` input is also reported where the input itself must not be null.
 * - Introspection that is too deep is QUERY_TOO_DEEP, and so on for the other limits of the server.
 * - "Validation aborted." comes earlier or later: the server counts the work in another way.
 * - The contents of type system definitions in a document are not validated; that there are any is.
 */

import {
  GraphQLError,
  MaxIntrospectionDepthRule,
  execute,
  isTypeSystemDefinitionNode,
  isTypeSystemExtensionNode,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
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
const RULES = /^(?!Variable "\$).*must not be null|must be from|cannot be given together with|must be given|must be at most/;

/** A violation that graphql-js 16 misses where the input object itself must not be null. */
const ONE_OF = /must be non-nullable to be used for OneOf/;

/** The guard of the server answers what this rule does, with QUERY_TOO_DEEP. */
const VALIDATION = specifiedRules.filter((rule) => rule !== MaxIntrospectionDepthRule);

/** The longest message of the server, in characters. */
const MESSAGE_MAX = 500;

/** Whether the server is deliberately stricter than graphql-js, so that answers cannot be compared. */
export function isStricter({ errors }) {
  if (!errors) return false;
  const [{ message, extensions }] = errors;
  return (
    [...LIMITS, 'INVALID_CURSOR'].includes(extensions.code) ||
    (extensions.code === 'BAD_USER_INPUT' && RULES.test(message)) ||
    (extensions.code === 'GRAPHQL_VALIDATION_FAILED' && errors.every(({ message }) => ONE_OF.test(message)))
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
  const errors = validate(schema, document, VALIDATION).filter((error) => !isWithinType(document, error));
  if (errors.length > 0) return { stage: 'invalid', errors };

  const rootValue = root(graph, isSignedIn);
  const result = await execute({ schema, document, rootValue, variableValues: variables, operationName });
  if (!('data' in result)) return { stage: 'of bad input', errors: result.errors };
  return { stage: 'executed', ...result };
}

/** Whether an error is about the contents of a type system definition. */
function isWithinType({ definitions }, { message, positions = [] }) {
  const types = definitions.filter((node) => isTypeSystemDefinitionNode(node) || isTypeSystemExtensionNode(node));
  const isWithin = (position) => types.some(({ loc }) => loc.start <= position && position < loc.end);
  return positions.some(isWithin) && !message.endsWith('definition is not executable.');
}

/** A short description of the difference, or undefined. */
export function difference(actual, expected) {
  const code = actual.errors?.[0].extensions.code;
  const stage = 'data' in actual ? 'executed' : (CODES[code] ?? code);
  if (stage !== expected.stage) return `it is ${stage}, and should be ${expected.stage}`;
  if (stage !== 'executed') return sameErrors(actual.errors, expected.errors) ? undefined : 'the errors differ';
  if (paths(actual) !== paths(expected)) return 'errors are at other paths';
  return agrees(actual.data, expected.data) ? undefined : 'the data differ';
}

/** Whether both lists have the same messages at the same places, in the same order. */
function sameErrors(actual, expected) {
  const wanted = expected.map(comparable);
  const found = actual.map(comparable).filter((error) => wanted.includes(error) || !ONE_OF.test(error));
  return JSON.stringify(found) === JSON.stringify(wanted);
}

function comparable({ message, locations = [] }) {
  const characters = [...withoutValue(message)];
  const text = characters.length > MESSAGE_MAX ? `${characters.slice(0, MESSAGE_MAX).join('')}…` : characters.join('');
  return JSON.stringify([text, locations.map(({ line, column }) => [line, column])]);
}

/** The server never repeats the value of a variable. */
function withoutValue(message) {
  const [, start, at = '', reason] = /^(Variable "\$\w+" got invalid value)(?: .*?)?( at "[^"]*")?; (.*)$/s.exec(message) ?? [];
  if (!start) return message;
  const said = reason
    .replace(/^((?:Int|Float|String|Boolean|ID) cannot represent[^:]*): .*$/s, '$1')
    .replace(/^(Enum "\w+" cannot represent non-string value): .*$/s, '$1.')
    .replace(/^Value ".*" does not exist/s, 'Value does not exist');
  return `${start}${at}; ${said}`;
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
