// Checks an SDL file against the GraphQL specification with graphql-js:
// node schema.mjs schema.graphql
//
// Besides validity: all our definitions have a description, every custom scalar links to its
// specification, and no name is a keyword of a common client language.

import { readFileSync } from 'node:fs';
import {
  buildSchema,
  isEnumType,
  isInputObjectType,
  isIntrospectionType,
  isObjectType,
  isInterfaceType,
  isScalarType,
  isSpecifiedDirective,
  isSpecifiedScalarType,
  validateSchema,
} from 'graphql';

const KEYWORDS = new Set(['self', 'true', 'false', 'null', 'class', 'default', 'type', 'none']);

const [file] = process.argv.slice(2);
if (!file) {
  console.error('usage: node schema.mjs FILE');
  process.exit(2);
}

const schema = buildSchema(readFileSync(file, 'utf8'));
const complaints = validateSchema(schema).map((error) => error.message);

function expectDescription(path, element) {
  if (!element.description?.trim()) complaints.push(`${path} has no description`);
}

function inspectArguments(path, args) {
  for (const arg of args) expectDescription(`${path}(${arg.name}:)`, arg);
}

function inspectFields(type) {
  for (const field of Object.values(type.getFields())) {
    const path = `${type.name}.${field.name}`;
    expectDescription(path, field);
    inspectArguments(path, field.args ?? []);
    if (field.deprecationReason === '') complaints.push(`${path} is deprecated without a reason`);
  }
}

function inspectEnum(type) {
  for (const value of type.getValues()) {
    expectDescription(`${type.name}.${value.name}`, value);
    if (KEYWORDS.has(value.name.toLowerCase())) {
      complaints.push(`${type.name}.${value.name} is a keyword in some languages`);
    }
  }
}

for (const type of Object.values(schema.getTypeMap())) {
  if (isIntrospectionType(type) || isSpecifiedScalarType(type)) continue;
  expectDescription(type.name, type);
  if (isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)) inspectFields(type);
  if (isEnumType(type)) inspectEnum(type);
  if (isScalarType(type) && !type.specifiedByURL) complaints.push(`${type.name} has no @specifiedBy`);
}
for (const directive of schema.getDirectives()) {
  if (isSpecifiedDirective(directive)) continue;
  expectDescription(`@${directive.name}`, directive);
  inspectArguments(`@${directive.name}`, directive.args);
}

for (const complaint of complaints) console.error(complaint);
console.log(`${file}: ${complaints.length} complaints`);
process.exitCode = complaints.length === 0 ? 0 : 1;
