// Holds an SDL file to graphql-eslint's rules for schemas, those for Relay included:
// node lint.mjs schema.graphql
//
// All rules are on. Below are those that are turned off or told something, each with the reason.

import { basename, dirname, resolve } from 'node:path';
import graphql from '@graphql-eslint/eslint-plugin';
import { ESLint } from 'eslint';

const EXCEPTIONS = {
  // The SDL is printed in the order of the alphabet, but directives come before types, and capitals
  // before small letters. Fields have no groups: `id` and `createdAt` are where the alphabet puts them.
  alphabetize: [
    'error',
    {
      fields: ['ObjectTypeDefinition', 'InterfaceTypeDefinition', 'InputObjectTypeDefinition'],
      values: true,
      arguments: ['FieldDefinition', 'DirectiveDefinition'],
    },
  ],

  // There are mutations.
  'no-root-type': 'off',

  // It takes `User.username` for a prefix, and has no exceptions. The word is the field's.
  'no-typename-prefix': 'off',

  // Lists that are not paged are lists of what they hold: `nodes` beside `edges`, `userErrors`,
  // `permissions`.
  'relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false }],

  // A payload holds what the change has touched; everything else is a query of its own.
  'require-field-of-type-query-in-mutation-result': 'off',

  // Only nodes have an ID. What is reached through one has none, and a role is known by its name.
  'strict-id-in-types': [
    'error',
    {
      exceptions: {
        suffixes: ['Connection', 'Edge', 'Error', 'Payload'],
        types: ['FollowQuota', 'PageInfo', 'RateLimit', 'Role', 'Viewer'],
      },
    },
  ],
};

const [file] = process.argv.slice(2);
if (!file) {
  console.error('usage: node lint.mjs FILE');
  process.exit(2);
}

const named = (rules) =>
  Object.fromEntries(Object.entries(rules).map(([name, rule]) => [`@graphql-eslint/${name}`, rule]));

const path = resolve(file);
const eslint = new ESLint({
  cwd: dirname(path),
  overrideConfigFile: true,
  overrideConfig: {
    files: [basename(path)],
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: path } },
    },
    plugins: { '@graphql-eslint': graphql },
    rules: {
      ...graphql.configs['flat/schema-all'].rules,
      ...graphql.configs['flat/schema-relay'].rules,
      ...named(EXCEPTIONS),
    },
  },
});

const results = await eslint.lintFiles([path]);
const complaints = results.flatMap(({ messages }) => messages);
for (const { line = 1, message, ruleId } of complaints) {
  console.error(`${file}:${line}: ${message} (${ruleId ?? 'it cannot be read'})`);
}
console.log(`${file}: ${complaints.length} complaints`);
process.exitCode = complaints.length === 0 ? 0 : 1;
