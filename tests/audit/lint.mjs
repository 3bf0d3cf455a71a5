// Checks an SDL file against graphql-eslint's rules for schemas, including those for Relay:
// node lint.mjs schema.graphql
//
// All rules are on, except for those that are turned off or configured below, each with the reason.

import { basename, dirname, resolve } from 'node:path';
import graphql from '@graphql-eslint/eslint-plugin';
import { ESLint } from 'eslint';

const EXCEPTIONS = {
  // The SDL is printed in alphabetical order, but with directives before types and capitals before
  // small letters. Fields are not grouped: `id` and `createdAt` are in alphabetical order too.
  alphabetize: [
    'error',
    {
      fields: ['ObjectTypeDefinition', 'InterfaceTypeDefinition', 'InputObjectTypeDefinition'],
      // Values are in the order of their bytes, where the underscore is after the capitals.
      arguments: ['FieldDefinition', 'DirectiveDefinition'],
    },
  ],

  // A list of all users is never null: nothing of the query is left without it.
  'require-nullable-result-in-root': 'off',

  // There are mutations.
  'no-root-type': 'off',

  // It mistakes `User.username` for a type prefix and allows no exceptions.
  'no-typename-prefix': 'off',

  // Some lists are not paged: `nodes` next to `edges`, `userErrors`, `permissions`. An event is a part
  // of the viewer's log and has a cursor, but no ID.
  'relay-edge-types': [
    'error',
    { listTypeCanWrapOnlyEdgeType: false, shouldImplementNode: false },
  ],

  // Only nodes and roles have an ID. Other objects are parts of the object that they are reached by.
  'strict-id-in-types': [
    'error',
    {
      exceptions: {
        suffixes: ['Connection', 'Edge', 'Error', 'Payload'],
        types: [
          'AuditEntry',
          'FollowEvent',
          'FollowQuota',
          'PageInfo',
          'PrivacySettings',
          'RateLimit',
          'UpsertUserResult',
        ],
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
