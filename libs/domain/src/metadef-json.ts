import { ServiceError } from './errors.js';
import {
  type NamespaceAttributes,
  namespaceVisibilities,
  type NewNamespace,
  type PropertySchema,
  type WrittenAssociation,
  type WrittenDefinitions,
} from './metadefs.js';

type Json = Readonly<Record<string, unknown>>;
type Check = (what: string, value: unknown) => void;

/** How strictly JSON is read: `file` overlooks nulls and names that nobody knows, as files of others have them. */
export type Strictness = 'request' | 'file';

const invalid = (what: string, right: string): ServiceError =>
  new ServiceError('Invalid', `Invalid value for "${what}": it must be ${right}.`);

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const text: Check = (what, value) => {
  if (typeof value !== 'string') throw invalid(what, 'a string');
};
const flag: Check = (what, value) => {
  if (typeof value !== 'boolean') throw invalid(what, 'true or false');
};
const number: Check = (what, value) => {
  if (typeof value !== 'number') throw invalid(what, 'a number');
};
const count: Check = (what, value) => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw invalid(what, 'a whole number from 0 on');
};
const list: Check = (what, value) => {
  if (!Array.isArray(value)) throw invalid(what, 'a list');
};
const texts: Check = (what, value) => {
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) throw invalid(what, 'a list of strings');
};
const anything: Check = () => undefined;
const oneOf =
  (choices: readonly string[]): Check =>
  (what, value) => {
    if (!choices.includes(value as string)) throw invalid(what, `one of ${choices.join(', ')}`);
  };

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'] as const;

const propertyChecks: Readonly<Record<string, Check>> = {
  title: text,
  description: text,
  type: oneOf(types),
  operators: texts,
  required: texts,
  readonly: flag,
  minimum: number,
  maximum: number,
  minLength: count,
  maxLength: count,
  pattern: text,
  enum: list,
  default: anything,
  items: (what, value) => {
    read(what, value, { type: oneOf(types), enum: list }, [], 'request');
  },
  minItems: count,
  maxItems: count,
  uniqueItems: flag,
  additionalItems: flag,
};

/** The parts of `value` that `checks` names. Times and links are for the server to say. */
function read(
  what: string,
  value: unknown,
  checks: Readonly<Record<string, Check>>,
  required: readonly string[],
  how: Strictness,
  readOnly: readonly string[] = [],
): Json {
  if (!isObject(value)) throw invalid(what, 'an object');
  const found: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value)) {
    if (how === 'file' && (part === null || !Object.hasOwn(checks, key))) continue;
    if (readOnly.includes(key)) throw new ServiceError('Forbidden', `Attribute "${key}" is read-only.`);
    if (!Object.hasOwn(checks, key)) {
      throw new ServiceError(
        'Invalid',
        `"${key}" is not known of ${what}: it may have ${Object.keys(checks).join(', ')}.`,
      );
    }
    checks[key]!(key, part);
    found[key] = part;
  }
  for (const key of required) if (!(key in found)) throw new ServiceError('Invalid', `${what} must have "${key}".`);
  return found;
}

const times = ['created_at', 'updated_at'];
const links = [...times, 'self', 'schema'];

function propertySchema(name: string, value: unknown, how: Strictness): PropertySchema {
  const what = `the property "${name}"`;
  // The name of a property is its key; some write it inside, too.
  const checks = { ...propertyChecks, name: text };
  const found = read(what, value, checks, ['title', 'type'], how);
  // What others wrote into a file is theirs.
  const schema = how === 'file' ? withoutNulls(value as Json) : found;
  return withoutName(schema);
}

function withoutName(schema: Json): PropertySchema {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => key !== 'name'));
}

function withoutNulls(value: Json): Json {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== null));
}

function propertySchemas(value: unknown, how: Strictness): [string, PropertySchema][] {
  if (!isObject(value)) throw invalid('properties', 'an object with a property under each name');
  return Object.entries(value).map(([name, schema]) => [name, propertySchema(name, schema, how)]);
}

/** A property with its name inside, as requests have it. */
export function propertyFromJson(value: unknown): WrittenDefinitions['property'] {
  const checks = { name: text, ...propertyChecks };
  const found = read('a property', value, checks, ['name', 'title', 'type'], 'request', times);
  return { name: found['name'] as string, schema: withoutName(found) };
}

/** An object of properties. */
export function objectFromJson(value: unknown, how: Strictness = 'request'): WrittenDefinitions['object'] {
  const checks = { name: text, description: text, required: texts, properties: anything };
  const found = read('an object', value, checks, ['name'], how, links);
  return {
    name: found['name'] as string,
    description: (found['description'] as string | undefined) ?? null,
    required: (found['required'] as string[] | undefined) ?? [],
    properties: Object.fromEntries('properties' in found ? propertySchemas(found['properties'], how) : []),
  };
}

/** A tag. */
export function tagFromJson(value: unknown, how: Strictness = 'request'): WrittenDefinitions['tag'] {
  const found = read('a tag', value, { name: text }, ['name'], how, times);
  return { name: found['name'] as string };
}

/** Several tags: `{"tags": [{"name": "…"}]}`. */
export function tagsFromJson(value: unknown): WrittenDefinitions['tag'][] {
  const found = read('a list of tags', value, { tags: list }, ['tags'], 'request', times);
  return (found['tags'] as unknown[]).map((tag) => tagFromJson(tag));
}

/** The association of a namespace with a resource type. */
export function associationFromJson(value: unknown, how: Strictness = 'request'): WrittenAssociation {
  const checks = { name: text, prefix: text, properties_target: text };
  const found = read('a resource type', value, checks, ['name'], how, times);
  return {
    name: found['name'] as string,
    prefix: (found['prefix'] as string | undefined) ?? null,
    propertiesTarget: (found['properties_target'] as string | undefined) ?? null,
  };
}

const attributeChecks = {
  namespace: text,
  display_name: text,
  description: text,
  visibility: oneOf(namespaceVisibilities),
  protected: flag,
  owner: text,
} as const;

const contents = { resource_type_associations: list, properties: anything, objects: list, tags: list };

/**
 * A namespace with all that is in it: what a request to create one holds, and the files that `glance-manage` loads and
 * exports. `Invalid`, or `Forbidden` for what only the server says, names what is wrong.
 */
export function namespaceFromJson(value: unknown, how: Strictness = 'request'): NewNamespace {
  const found = read('a namespace', value, { ...attributeChecks, ...contents }, ['namespace'], how, links);
  const listed = <T>(key: string, item: (value: unknown, how: Strictness) => T): T[] =>
    ((found[key] ?? []) as unknown[]).map((part) => item(part, how));
  return {
    ...attributesOf(found),
    associations: listed('resource_type_associations', associationFromJson),
    properties: ('properties' in found ? propertySchemas(found['properties'], how) : []).map(([name, schema]) => ({
      name,
      schema,
    })),
    objects: listed('objects', objectFromJson),
    tags: listed('tags', tagFromJson),
  };
}

function attributesOf(found: Json): NamespaceAttributes {
  return {
    name: found['namespace'] as string,
    ...('display_name' in found && { displayName: found['display_name'] as string }),
    ...('description' in found && { description: found['description'] as string }),
    ...('visibility' in found && { visibility: found['visibility'] as (typeof namespaceVisibilities)[number] }),
    ...('protected' in found && { protected: found['protected'] as boolean }),
    ...('owner' in found && { owner: found['owner'] as string }),
  };
}
