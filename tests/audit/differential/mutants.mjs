/**
 * Mutants: requests with small changes. Most break a rule of the specification, some obey it in an
 * unusual way.
 */

import { Kind, Lexer, Source, TokenKind, parse, parseValue, print } from 'graphql';
import { argument, boolean, name, variable } from './generator.mjs';

const STRAYS = [
  { kind: Kind.INT, value: '1' },
  { kind: Kind.INT, value: '2147483648' },
  { kind: Kind.INT, value: '-9007199254740993' },
  { kind: Kind.FLOAT, value: '1.0' },
  { kind: Kind.FLOAT, value: '1e400' },
  { kind: Kind.STRING, value: 'x' },
  { kind: Kind.STRING, value: 'ASC' },
  { kind: Kind.ENUM, value: 'ASC' },
  { kind: Kind.ENUM, value: 'NOTHING' },
  boolean(true),
  { kind: Kind.NULL },
  { kind: Kind.LIST, values: [] },
  { kind: Kind.LIST, values: [{ kind: Kind.NULL }] },
  { kind: Kind.OBJECT, fields: [] },
  ...['{ id: "x", username: "x" }', '{ id: null }', '{ direction: ASC, feild: USERNAME }', '[[1], {}]', '"""\n  a\n    b "quoted\\""""\n"""', '"é\\n\\u0007😀"', '{ user: { id: 1 }, user: {} }', '-1.5e3', 'ASCC', 'asc', 'username'].map((text) => parseValue(text, { noLocation: true })),
  variable('v0'),
  variable('undefined'),
];
const JSON_STRAYS = [null, true, 0, 1.5, 2 ** 31, '', 'x', 'ASC', [], ['x'], [null], [[1]], {}, { x: 1 }, { direction: 'ASC' }, { direction: 'ACS', feild: 'USERNAME' }, { user: { id: 2.0 } }, { user: {} }, { id: 'x', username: 'x' }, { id: null }, { id: 1, usrname: 2 }, ['x', 1.5, null, {}], 2.5e9, -1];
const NAMES = ['nothing', 'id', 'username', 'users', 'nodes', '__typename', '__schema', 'orderBy', 'first', 'if', 'A', 'F0', 'F1', 'x'];
const TYPES = ['Nothing', 'User', 'Node', 'Query', 'String', 'Int', 'ID', 'UserRef', 'UserOrder', 'FollowInput', 'PageInfo', 'UserConnection', 'FollowerEdge', 'Usr', 'string', 'UserOrderFeild', 'DateTime', 'Float', 'OrderDirection', '__Type'];
const DIRECTIVES = ['@nothing', '@skip', '@skip(if: true) @skip(if: false)', '@include(if: "x")', '@include(if: null)', '@skip(if: true, unless: false)', '@deprecated', '@oneOf', '@specifiedBy(url: "x")', '@hasPermission(permissions: [])', '@include(if: $undefined)', '@skip(if: false)', '@skipp(if: true)', '@include(iff: true)', '@skip(if: "x", if: 1)', '@nothing(first: "x", size: true)', '@deprecated(reason: 1)', '@hasPermission(permissions: [FOLOW])'];
const DEFINITIONS = ['type T { x: Int }', 'extend type User { x: Int }', 'query Z { __typename }', '{ __typename }', 'mutation Z { __typename }', 'fragment Z on User { id }', 'fragment F0 on User { id }', 'scalar S', 'schema { query: Query }', 'directive @d on FIELD', 'extend schema { subscription: Query }', 'union U = User', 'input I { x: Int = 1 }', 'enum E { A B }', 'interface I { x: Int }', 'query A { users { nodes { id } } }', 'fragment Unused on Node { ...F0 }', 'fragment F1 on User { ...F1 }', 'fragment F2 on User { ...F3 } fragment F3 on User { followers { nodes { ...F2 } } }', 'fragment Odd on OrderDirection { id }', 'query Y($a: User, $b: [Int!]! = 1, $a: Int, $c: Nothing) { user(username: $b) { id } }', '{ a: users { a: totalCount b: nodes { id } } a: users(first: 1) { a: edges { cursor } b: edges { cursor } } }', '{ users { nodes { x: followers { totalCount } ... on User { x: following { totalCount } } } ...Z9 } } fragment Z9 on UserConnection { nodes { x: name y: bio } nodes { y: id } }'];
const TOKENS = ['{', '}', '(', ')', '[', ']', ':', '!', '$', '@', '...', '=', '|', '&', '"', '"""', '#', 'on', 'null', 'query', 'fragment', '1', '-', '01', '1.', '.5', '1a', '\\', '"\\u{110000}"', '"\\uD83D"', '"\\uD83D\\uDE00"', '"\\x"', '\u0007', '\u200b', '\ufeff', '?', 'é', ','];
const SPACES = [' ', ' ', '\n', ',', '\t', '\r\n', ' # a comment\n', ' #\r', '\ufeff '];

/** Every object of a tree with this kind. */
function nodes(tree, ...kinds) {
  if (Array.isArray(tree)) return tree.flatMap((item) => nodes(item, ...kinds));
  if (tree === null || typeof tree !== 'object') return [];
  const below = Object.values(tree).flatMap((item) => nodes(item, ...kinds));
  return kinds.includes(tree.kind) ? [tree, ...below] : below;
}

const read = (text) => parse(text, { noLocation: true });
const fields = (document) => nodes(document, Kind.FIELD);
const parts = (text) => read(`{ x ${text} }`).definitions[0].selectionSet.selections[0].directives;

/** Each changes a request in place; one that finds nothing to change does nothing. */
const CHANGES = {
  renameSomething: ({ document }, random) => one(random, nodes(document, Kind.NAME), (node) => {
    node.value = random.pick(NAMES);
  }),
  renameField: ({ document }, random) => one(random, fields(document), (field) => {
    field.name = name(random.pick(NAMES));
  }),
  renameType: ({ document }, random) => one(random, nodes(document, Kind.NAMED_TYPE), (type) => {
    type.name = name(random.pick(TYPES));
  }),
  dropFromList: ({ document }, random) => {
    const lists = nodes(document, ...Object.values(Kind)).flatMap((node) => Object.values(node).filter((value) => Array.isArray(value) && value.length > 0));
    one(random, lists, (list) => list.splice(random.int(0, list.length - 1), 1));
  },
  doubleInList: ({ document }, random) => {
    const lists = nodes(document, ...Object.values(Kind)).flatMap((node) => Object.values(node).filter((value) => Array.isArray(value) && value.length > 0));
    one(random, lists, (list) => list.push(structuredClone(random.pick(list))));
  },
  strayValue: ({ document }, random) => {
    const holders = nodes(document, Kind.ARGUMENT, Kind.OBJECT_FIELD);
    one(random, holders, (holder) => {
      holder.value = random.pick(STRAYS);
    });
  },
  strayDefault: ({ document }, random) => one(random, nodes(document, Kind.VARIABLE_DEFINITION), (definition) => {
    definition.defaultValue = random.pick([undefined, ...STRAYS]);
  }),
  strayVariable: (request, random) => {
    const keys = [...Object.keys(request.variables), 'v0', 'extra'];
    request.variables[random.pick(keys)] = random.pick(JSON_STRAYS);
  },
  noVariable: (request, random) => {
    delete request.variables[random.pick([...Object.keys(request.variables), 'v0'])];
  },
  otherVariableType: ({ document }, random) => one(random, nodes(document, Kind.VARIABLE_DEFINITION), (definition) => {
    const { type } = definition;
    const inner = type.kind === Kind.NON_NULL_TYPE ? type.type : type;
    definition.type = random.pick([
      inner,
      { kind: Kind.NON_NULL_TYPE, type: inner },
      { kind: Kind.LIST_TYPE, type },
      { kind: Kind.NAMED_TYPE, name: name(random.pick(TYPES)) },
    ]);
  }),
  otherVariable: ({ document }, random) => one(random, nodes(document, Kind.VARIABLE), (node) => {
    node.name = name(random.pick(['v0', 'v1', 'v2', 'undefined']));
  }),
  extraArgument: ({ document }, random) => one(random, nodes(document, Kind.FIELD, Kind.DIRECTIVE), (node) => {
    node.arguments = [...(node.arguments ?? []), argument(random.pick(NAMES), random.pick(STRAYS))];
  }),
  strayDirective: ({ document }, random) => {
    const kinds = [Kind.FIELD, Kind.FRAGMENT_SPREAD, Kind.INLINE_FRAGMENT, Kind.OPERATION_DEFINITION, Kind.FRAGMENT_DEFINITION, Kind.VARIABLE_DEFINITION];
    one(random, nodes(document, ...kinds), (node) => {
      node.directives = [...node.directives, ...parts(random.pick(DIRECTIVES))];
    });
  },
  otherAlias: ({ document }, random) => one(random, fields(document), (field) => {
    const others = fields(document).map((other) => (other.alias ?? other.name).value);
    field.alias = random.chance(0.3) ? undefined : name(random.pick(others));
  }),
  copySelection: ({ document }, random) => {
    const sets = nodes(document, Kind.SELECTION_SET);
    const copied = sets.length > 0 && structuredClone(random.pick(random.pick(sets).selections));
    if (copied) random.pick(sets).selections.push(copied);
  },
  swapSelections: ({ document }, random) => one(random, fields(document), (field) => {
    field.selectionSet = random.chance(0.5) ? undefined : structuredClone(random.pick(nodes(document, Kind.SELECTION_SET)));
  }),
  otherSpread: ({ document }, random) => {
    const spread = { kind: Kind.FRAGMENT_SPREAD, name: name(random.pick(['F0', 'F1', 'F2', 'Nothing'])), directives: [] };
    one(random, nodes(document, Kind.SELECTION_SET), (set) => set.selections.push(spread));
  },
  extraDefinition: ({ document }, random) => {
    document.definitions.push(...read(random.pick(DEFINITIONS)).definitions);
  },
  otherOperationType: ({ document }, random) => one(random, nodes(document, Kind.OPERATION_DEFINITION), (operation) => {
    operation.operation = random.pick(['query', 'mutation']);
  }),
  misspell: ({ document }, random) => one(random, nodes(document, Kind.NAME, Kind.ENUM), (node) => {
    node.value = misspelled(node.value, random);
  }),
  misspellArgument: ({ document }, random) => one(random, nodes(document, Kind.ARGUMENT, Kind.OBJECT_FIELD), (node) => {
    node.name = name(misspelled(node.name.value, random));
  }),
  misspellField: ({ document }, random) => one(random, fields(document), (field) => {
    field.name = name(misspelled(field.name.value, random));
  }),
  misspellType: ({ document }, random) => one(random, nodes(document, Kind.NAMED_TYPE), (type) => {
    type.name = name(misspelled(type.name.value, random));
  }),
  otherCondition: ({ document }, random) => one(random, nodes(document, Kind.SELECTION_SET), (set) => {
    const selectionSet = structuredClone(random.pick(nodes(document, Kind.SELECTION_SET)));
    const typeCondition = { kind: Kind.NAMED_TYPE, name: name(random.pick(TYPES)) };
    set.selections.push({ kind: Kind.INLINE_FRAGMENT, typeCondition, directives: [], selectionSet });
  }),
  extraVariable: ({ document }, random) => one(random, nodes(document, Kind.OPERATION_DEFINITION), (operation) => {
    const type = { kind: Kind.NAMED_TYPE, name: name(random.pick(TYPES)) };
    const definition = { kind: Kind.VARIABLE_DEFINITION, variable: variable(random.pick(['v0', 'v1', 'w'])), type, directives: [] };
    operation.variableDefinitions = [...operation.variableDefinitions, definition];
  }),
  noSelections: ({ document }, random) => one(random, fields(document), (field) => {
    field.selectionSet = random.chance(0.5) ? undefined : read('{ id nodes { id } }').definitions[0].selectionSet;
  }),
  conflict: ({ document }, random) => one(random, nodes(document, Kind.SELECTION_SET), (set) => {
    const copied = structuredClone(random.pick(set.selections));
    if (copied.kind === Kind.FIELD) copied.arguments = [argument('first', random.pick(STRAYS))];
    set.selections.push(copied, ...(random.chance(0.5) ? [structuredClone(copied)] : []));
  }),
  everyArgumentAway: ({ document }, random) => one(random, nodes(document, Kind.FIELD, Kind.DIRECTIVE), (node) => {
    node.arguments = [];
  }),
  otherOperationName: (request, random) => {
    request.operationName = random.pick([undefined, null, '', 'A', 'B', 'Nothing']);
  },
};

/** A name with a letter that is missing, doubled, swapped, of the other case, or another one. */
function misspelled(value, random) {
  const at = random.int(1, Math.max(value.length - 1, 1));
  const [before, letter, after] = [value.slice(0, at), value.slice(at, at + 1), value.slice(at + 1)];
  return random.pick([
    `${before}${after}`,
    `${before}${letter}${letter}${after}`,
    `${before}${after.slice(0, 1)}${letter}${after.slice(1)}`,
    `${before}${letter.toUpperCase()}${after}`,
    `${before}${letter.toLowerCase()}x${after}`,
    value.toLowerCase(),
  ]);
}

function one(random, items, change) {
  if (items.length > 0) change(random.pick(items));
}

/** A copy of a request with one to three changes. */
export function mutant(request, random) {
  const changed = structuredClone(request);
  for (let left = random.pick([1, 1, 1, 2, 3]); left > 0; left -= 1) {
    CHANGES[random.pick(Object.keys(CHANGES))](changed, random);
  }
  return changed;
}

/** The tokens of a text, verbatim. */
export function tokens(text) {
  const lexer = new Lexer(new Source(text));
  const found = [];
  for (let token = lexer.advance(); token.kind !== TokenKind.EOF; token = lexer.advance()) {
    found.push(text.slice(token.start, token.end));
  }
  return found;
}

/** The text of a document: as printed, oddly spaced, or with a changed token. */
export function text(document, random) {
  const printed = print(document);
  if (random.chance(0.6)) return printed;
  const written = tokens(printed);
  if (random.chance(0.3)) {
    const at = random.int(0, written.length);
    written.splice(at, random.int(0, 1), ...(random.chance(0.8) ? [random.pick(TOKENS)] : []));
  }
  return written.map((token) => token + random.pick(SPACES)).join('');
}
