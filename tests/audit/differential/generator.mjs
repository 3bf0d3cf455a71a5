/**
 * Generates requests from the schema: operations with fragments, variables and directives, mostly
 * valid, as graphql-js trees.
 *
 * Where our server is deliberately stricter than the specification, nothing is generated: page sizes
 * out of bounds, both sizes at once, cursors of other lists, NUL characters, and anonymous mutations.
 * Generated requests stay far below the limits on size. Subscriptions are not generated: they need
 * another protocol.
 */

import {
  Kind,
  astFromValue,
  getNamedType,
  getNullableType,
  isAbstractType,
  isCompositeType,
  isInputObjectType,
  isListType,
  isNonNullType,
  parseType,
} from 'graphql';

/**
 * Fields that are never selected: account mutations, those of privacy and safety (whose oracle is
 * `tests/it/graphql/visibility.rs`) and of administrators, and in introspection unordered lists, texts that
 * each implementation words differently, features of graphql-js that the specification lacks, and a
 * bug of the executor: null for the interfaces of an interface.
 */
const AVOIDED = [
  'Mutation.acceptFollowRequest',
  'Mutation.block',
  'Mutation.deleteAccount',
  'Mutation.deleteUser',
  'Mutation.mute',
  'Mutation.reinstateUser',
  'Mutation.rejectFollowRequest',
  'Mutation.removeFollower',
  'Mutation.setRole',
  'Mutation.signIn',
  'Mutation.signOutEverywhere',
  'Mutation.signUp',
  'Mutation.suspendUser',
  'Mutation.unblock',
  'Mutation.unmute',
  'Mutation.updatePrivacy',
  'Mutation.updateProfile',
  'Mutation.upsertUsers',
  'Query.auditLog',
  '__Directive.deprecationReason',
  '__Directive.isDeprecated',
  '__Schema.description',
  '__Schema.directives',
  '__Schema.types',
  '__Type.description',
  '__Type.interfaces',
];
const DEPTH_MAX = 7;
/** After this many selections or aliases in an operation, only plain fields follow. */
const SELECTIONS_MAX = 40;
const ALIASES_MAX = 20;
const TEXTS = ['', 'x', 'né', '😀', 'a "quote"', 'back\\slash', 'two\nlines', '\ttab ', '  both\n  of them', '"""'];
const NOBODIES = ['nobody', '', 'not a name!', 'VXNlcjowMQ'];
const META_TYPES = ['User', 'Node', 'UserRef', 'FollowOrderField', 'DateTime', 'Query', 'Nothing', 'UserOrder'];

export const name = (value) => ({ kind: Kind.NAME, value });
export const variable = (value) => ({ kind: Kind.VARIABLE, name: name(value) });
export const argument = (key, value) => ({ kind: Kind.ARGUMENT, name: name(key), value });
export const boolean = (value) => ({ kind: Kind.BOOLEAN, value });
const selectionSet = (selections) => ({ kind: Kind.SELECTION_SET, selections });
const namedType = (type) => ({ kind: Kind.NAMED_TYPE, name: name(type) });

export class Generator {
  constructor(schema, graph, random) {
    this.schema = schema;
    this.graph = graph;
    this.random = random;
  }

  /** A request: `document`, `variables`, `operationName`, and whether the viewer sends it. */
  request() {
    const { random } = this;
    this.fragments = [];
    const isMutation = random.chance(0.2);
    this.isMutation = isMutation;
    const names = random.chance(0.2) ? ['A', 'B', 'C'].slice(0, random.int(2, 3)) : [random.chance(0.5) ? 'A' : null];
    const operations = names.map((operationName) => this.#operation(isMutation, operationName));
    const chosen = random.int(0, names.length - 1);
    const definitions = [...operations.map(({ definition }) => definition), ...this.fragments];
    return {
      document: { kind: Kind.DOCUMENT, definitions },
      variables: operations[chosen].variables,
      operationName: names.length > 1 || random.chance(0.1) ? names[chosen] : undefined,
      isSignedIn: isMutation || random.chance(0.7),
    };
  }

  #operation(isMutation, operationName) {
    this.variables = {};
    this.variableDefinitions = [];
    // Only the operation whose variables a fragment may use spreads that fragment.
    this.open = [];
    this.aliases = 0;
    this.size = 0;
    const type = isMutation ? this.schema.getMutationType() : this.schema.getQueryType();
    const selections = this.selections(type, 1);
    const definition = {
      kind: Kind.OPERATION_DEFINITION,
      operation: isMutation ? 'mutation' : 'query',
      name: operationName ? name(operationName) : undefined,
      variableDefinitions: this.variableDefinitions,
      directives: [],
      selectionSet: selections,
    };
    return { definition, variables: this.variables };
  }

  selections(type, depth) {
    const count = this.size > SELECTIONS_MAX ? 1 : this.random.int(1, depth === 1 ? 3 : 4);
    this.size += count;
    return selectionSet(Array.from({ length: count }, () => this.#selection(type, depth)));
  }

  #selection(type, depth) {
    const { random } = this;
    if (this.size > SELECTIONS_MAX || this.aliases > ALIASES_MAX) depth = DEPTH_MAX;
    if (depth < DEPTH_MAX && random.chance(0.12)) return this.#inlineFragment(type, depth);
    if (depth < DEPTH_MAX && random.chance(0.12)) return this.#spread(type, depth);
    if (random.chance(0.1)) return this.#meta(type, depth);
    return this.#field(type, depth);
  }

  #field(type, depth) {
    const { random } = this;
    const mayNest = depth < DEPTH_MAX;
    const fields = Object.values(type.getFields()).filter((field) => {
      if (AVOIDED.includes(`${type.name}.${field.name}`)) return false;
      return mayNest || !isCompositeType(getNamedType(field.type));
    });
    if (fields.length === 0) return this.#plain('__typename');
    const composite = fields.filter((field) => isCompositeType(getNamedType(field.type)));
    const field = random.pick(composite.length > 0 && random.chance(0.4) ? composite : fields);
    const named = getNamedType(field.type);
    // Fields with arguments mostly get a unique response key, so that few of them conflict.
    const needsAlias = (field.args.length > 0 || type === this.schema.getMutationType()) && random.chance(0.85);
    const isAliased = needsAlias || random.chance(0.08);
    return {
      kind: Kind.FIELD,
      alias: isAliased ? name(this.#alias(needsAlias)) : undefined,
      name: name(field.name),
      arguments: this.#arguments(type, field),
      directives: this.#directives(),
      selectionSet: isCompositeType(named) ? this.selections(named, depth + 1) : undefined,
    };
  }

  #alias(isUnique) {
    this.aliases += 1;
    return isUnique ? `a${this.aliases}` : this.random.pick(['x', 'y', 'username', 'id', 'name']);
  }

  #plain(field) {
    return { kind: Kind.FIELD, name: name(field), arguments: [], directives: this.#directives() };
  }

  #meta(type, depth) {
    // The server refuses introspection in the payload of a mutation.
    const isQuery = type === this.schema.getQueryType() && !this.isMutation;
    if (!isQuery || this.random.chance(0.6)) return this.#plain('__typename');
    const types = this.schema.getTypeMap();
    const target = this.random.chance(0.8) ? '__type' : '__schema';
    const named = types[target === '__type' ? '__Type' : '__Schema'];
    return {
      ...this.#plain(target),
      alias: name(this.#alias(true)),
      arguments: target === '__type' ? [argument('name', this.#text(this.random.pick(META_TYPES)))] : [],
      // Lists within lists of types are an attack on introspection, which is tested elsewhere.
      selectionSet: this.selections(named, Math.max(depth, DEPTH_MAX - 2)),
    };
  }

  #inlineFragment(type, depth) {
    const condition = this.random.chance(0.3) ? undefined : namedType(this.#condition(type));
    const within = condition ? this.schema.getType(condition.name.value) : type;
    return {
      kind: Kind.INLINE_FRAGMENT,
      typeCondition: condition,
      directives: this.#directives(),
      selectionSet: this.selections(within, depth + 1),
    };
  }

  /** The name of a type that an object of this one can have. */
  #condition(type) {
    if (isAbstractType(type)) return this.random.pick(['User', 'Node']);
    return type.name === 'User' && this.random.chance(0.3) ? 'Node' : type.name;
  }

  #spread(type, depth) {
    const known = this.open.filter((fragment) => fragment.typeCondition.name.value === type.name);
    const fragment =
      known.length > 0 && this.random.chance(0.5) ? this.random.pick(known) : this.#fragment(type, depth);
    return { kind: Kind.FRAGMENT_SPREAD, name: name(fragment.name.value), directives: this.#directives() };
  }

  #fragment(type, depth) {
    const fragment = {
      kind: Kind.FRAGMENT_DEFINITION,
      name: name(`F${this.fragments.length}`),
      typeCondition: namedType(this.#condition(type)),
      directives: [],
    };
    this.fragments.push(fragment);
    fragment.selectionSet = this.selections(this.schema.getType(fragment.typeCondition.name.value), depth + 1);
    // Only now may it be spread; earlier it could spread itself.
    this.open.push(fragment);
    return fragment;
  }

  #directives() {
    if (!this.random.chance(0.1)) return [];
    const type = this.schema.getDirective('skip').args[0].type;
    const directive = this.random.pick(['skip', 'include']);
    const condition = this.value(type, this.random.chance(0.5));
    return [{ kind: Kind.DIRECTIVE, name: name(directive), arguments: [argument('if', condition)] }];
  }

  #arguments(type, field) {
    const given = this.#argumentValues(type, field);
    const definitions = field.args.filter((definition) => definition.name in given);
    return definitions.map((definition) =>
      argument(definition.name, this.value(definition.type, given[definition.name])),
    );
  }

  /** Arguments that obey the rules which types cannot express. */
  #argumentValues(type, field) {
    const { random, graph } = this;
    const user = () => random.pick([...graph.users.values()]);
    const ids = () => (random.chance(0.85) ? user().id : random.pick([...NOBODIES, graph.viewer.id]));
    const username = () => (random.chance(0.85) ? user().username : random.pick([...NOBODIES, ...TEXTS]));
    // The graph has no external ids.
    const userRef = () =>
      random.pick([{ id: ids() }, { username: username() }, { externalId: random.pick(NOBODIES) }]);
    switch (field.name) {
      case 'node':
        return { id: ids() };
      case 'nodes':
        return { ids: Array.from({ length: random.int(0, 3) }, ids) };
      case 'usersByRef':
        return { refs: Array.from({ length: random.int(0, 3) }, userRef) };
      case 'user':
        return random.chance(0.6) ? { username: username() } : { by: userRef() };
      case 'users':
      case 'followers':
      case 'following':
        return this.#pageArguments(field.name);
      case 'follow':
      case 'unfollow': {
        return { input: { user: userRef() } };
      }
      case 'fields':
      case 'enumValues':
      case 'inputFields':
      case 'args':
        return field.args.length > 0 && random.chance(0.3) ? { includeDeprecated: random.chance(0.5) } : {};
      default:
        return {};
    }
  }

  #pageArguments(list) {
    const { random } = this;
    const values = {};
    if (random.chance(0.7)) values[random.pick(['first', 'last'])] = random.int(0, 4);
    if (random.chance(0.1)) values.first ??= null;
    const direction = random.pick(['ASC', 'DESC']);
    const field = list === 'users' ? random.pick(['USERNAME', 'CREATED_AT']) : 'FOLLOWED_AT';
    const isCursorGiven = random.chance(0.25);
    if (isCursorGiven || random.chance(0.4)) values.orderBy = { direction, field };
    if (isCursorGiven) {
      const cursors = this.graph.cursors(list === 'users' ? `${field}_${direction}` : `${list}${direction}`);
      const cursor = random.pick(cursors);
      if (cursor) values[random.pick(['after', 'before'])] = cursor;
      // Variables might be omitted, and a cursor belongs to one order.
      this.fixed.add(values.orderBy).add(cursor);
    }
    if (list === 'users' && random.chance(0.2)) {
      values.query = random.pick(['o', 'ORACLE_', 'oracle_1', 'z', 'ö', 'O o', '?', '']);
    }
    return values;
  }

  fixed = new Set();

  /** A value of an input type: written in the document, or in a variable, or in part. */
  value(type, value) {
    const { random } = this;
    if (!this.fixed.has(value) && random.chance(0.2)) return this.#variable(type, value);
    if (value === null) return { kind: Kind.NULL };
    const inner = getNullableType(type);
    if (isInputObjectType(inner)) {
      const fields = Object.entries(value).map(([key, field]) => ({
        kind: Kind.OBJECT_FIELD,
        name: name(key),
        value: this.#field_value(inner, key, field, this.fixed.has(value)),
      }));
      return { kind: Kind.OBJECT, fields };
    }
    if (isListType(inner)) {
      if (value.length === 1 && random.chance(0.3)) return this.value(inner.ofType, value[0]);
      return { kind: Kind.LIST, values: value.map((item) => this.value(inner.ofType, item)) };
    }
    return typeof value === 'string' && inner.name !== 'OrderDirection' && !inner.getValues
      ? this.#text(value)
      : astFromValue(value, type);
  }

  #field_value(object, key, value, isFixed) {
    const { type } = object.getFields()[key];
    if (isFixed) return astFromValue(value, type);
    // The single field of a @oneOf is required, whatever its type.
    return this.value(object.isOneOf ? Object.assign(Object.create(type), { mustBe: true }) : type, value);
  }

  #text(value) {
    const isPrintable = !/[\u0000-\u0008\u000b-\u001f]/.test(value);
    return { kind: Kind.STRING, value, block: isPrintable && this.random.chance(0.15) };
  }

  #variable(type, value) {
    const { random } = this;
    const key = `v${this.variableDefinitions.length}`;
    const isRequired = isNonNullType(type) || type.mustBe;
    const isNonNull = isRequired ? random.chance(0.9) : random.chance(0.2);
    const hasDefault = random.chance(isRequired && !isNonNull ? 0.8 : 0.25);
    const text = `${getNullableType(type)}${isNonNull ? '!' : ''}`;
    this.variableDefinitions.push({
      kind: Kind.VARIABLE_DEFINITION,
      variable: variable(key),
      type: parseType(text, { noLocation: true }),
      defaultValue: hasDefault && value !== null ? astFromValue(value, getNullableType(type)) : undefined,
      directives: [],
    });
    const isLeftOut = random.chance(hasDefault || !isRequired ? 0.4 : 0.03);
    const isNull = !isLeftOut && random.chance(isNonNull ? 0.02 : 0.15);
    if (!isLeftOut) this.variables[key] = isNull ? null : value;
    return variable(key);
  }
}
