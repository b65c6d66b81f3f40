import { collection, type JsonSchema, readOnlyText } from './json-schema.js';

const stringArray: JsonSchema = { type: 'array', items: { type: 'string' }, uniqueItems: true };

const definitions = {
  positiveInteger: { type: 'integer', minimum: 0 },
  positiveIntegerDefault0: { allOf: [{ $ref: '#/definitions/positiveInteger' }, { default: 0 }] },
  stringArray,
  property: { type: 'object', additionalProperties: propertyItem() },
};

const name = (description: string): JsonSchema => ({ type: 'string', maxLength: 80, description });
const description: JsonSchema = { type: 'string', maxLength: 500, description: 'What it is for, for people.' };
const times = {
  created_at: { ...readOnlyText('When it was defined.'), format: 'date-time' },
  updated_at: { ...readOnlyText('When it was last changed.'), format: 'date-time' },
};
const links = { self: { type: 'string', readOnly: true }, schema: { type: 'string', readOnly: true } };

function propertyItem(): JsonSchema {
  return {
    type: 'object',
    required: ['title', 'type'],
    properties: {
      name: { type: 'string', maxLength: 80 },
      title: { type: 'string' },
      description: { type: 'string' },
      type: { type: 'string', enum: ['array', 'boolean', 'integer', 'number', 'object', 'string', null] },
      operators: { type: 'array', items: { type: 'string' } },
      required: { $ref: '#/definitions/stringArray' },
      readonly: { type: 'boolean' },
      minimum: { type: 'number' },
      maximum: { type: 'number' },
      minLength: { $ref: '#/definitions/positiveIntegerDefault0' },
      maxLength: { $ref: '#/definitions/positiveInteger' },
      pattern: { type: 'string', format: 'regex' },
      enum: { type: 'array' },
      default: {},
      items: {
        type: 'object',
        properties: {
          type: { type: 'string', enum: ['array', 'boolean', 'integer', 'number', 'object', 'string', null] },
          enum: { type: 'array' },
        },
      },
      minItems: { $ref: '#/definitions/positiveIntegerDefault0' },
      maxItems: { $ref: '#/definitions/positiveInteger' },
      uniqueItems: { type: 'boolean', default: false },
      additionalItems: { type: 'boolean' },
    },
  };
}

const property = {
  name: 'property',
  ...propertyItem(),
  required: ['name', 'title', 'type'],
  additionalProperties: false,
  definitions,
};

const object: JsonSchema = {
  name: 'object',
  properties: {
    name: name('Names the object within its namespace.'),
    // Glance: of any length, other than that of a namespace.
    description: { type: 'string', description: 'What it is for, for people.' },
    required: { $ref: '#/definitions/stringArray' },
    properties: { $ref: '#/definitions/property' },
    ...times,
    ...links,
  },
  required: ['name'],
  additionalProperties: false,
  definitions,
};

const tag: JsonSchema = {
  name: 'tag',
  properties: { name: name('Names the tag within its namespace.'), ...times },
  required: ['name'],
  additionalProperties: false,
};

const association = {
  name: name('A type of resource, as Heat and Nova name it.'),
  prefix: name('What stands before the names of the properties on such resources.'),
  properties_target: name('Which of several sets of properties of such a resource is meant.'),
};

const resourceType: JsonSchema = {
  name: 'resource_type_association',
  properties: { ...association, ...times },
  required: ['name'],
  additionalProperties: false,
};

const namespace: JsonSchema = {
  name: 'namespace',
  properties: {
    namespace: name('Names the namespace.'),
    display_name: name('A name for people.'),
    description,
    visibility: { type: 'string', enum: ['public', 'private'], description: 'Who can see the namespace.' },
    protected: { type: 'boolean', description: 'Whether the namespace is safe from being deleted.' },
    owner: { type: 'string', maxLength: 255, description: 'The project that the namespace belongs to.' },
    ...times,
    ...links,
    resource_type_associations: {
      type: 'array',
      items: { type: 'object', properties: association },
    },
    properties: { $ref: '#/definitions/property' },
    objects: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          name: { type: 'string', maxLength: 80 },
          description: { type: 'string' },
          required: { $ref: '#/definitions/stringArray' },
          properties: { $ref: '#/definitions/property' },
        },
      },
    },
    tags: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } },
  },
  required: ['namespace'],
  additionalProperties: false,
  definitions,
};

/** The schemas of metadata definitions, by the last part of their paths. */
export const metadefSchemas: Readonly<Record<string, JsonSchema>> = {
  namespace,
  namespaces: { ...collection('namespaces', 'namespaces', namespace), definitions },
  resource_type: resourceType,
  resource_types: collection('resource_type_associations', 'resource_type_associations', resourceType),
  property,
  properties: {
    name: 'properties',
    properties: { properties: { type: 'object', additionalProperties: property }, schema: { type: 'string' } },
    links: [{ rel: 'describedby', href: '{schema}' }],
    definitions,
  },
  object,
  objects: { ...collection('objects', 'objects', object), definitions },
  tag,
  tags: collection('tags', 'tags', tag),
};
