import { memberStatuses } from '@glance/domain';
import { imageSchema } from '../discovery/schemas/image.js';
import type { JsonSchema } from '../discovery/schemas/json-schema.js';
import { memberSchema } from '../discovery/schemas/member.js';
import { metadefSchemas } from '../discovery/schemas/metadefs.js';
import { taskSchema } from '../discovery/schemas/task.js';
import type { Formats } from '../images/attributes.js';

const text: JsonSchema = { type: 'string' };
const anyObject: JsonSchema = { type: 'object' };

const reference = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

const record = (properties: JsonSchema, required: readonly string[] = Object.keys(properties)): JsonSchema => ({
  type: 'object',
  required,
  properties,
});

const listOf = (items: JsonSchema): JsonSchema => ({ type: 'array', items });

const page = (key: string, component: string): JsonSchema =>
  record({ [key]: listOf(reference(component)), first: text, next: text, schema: text }, [key, 'first', 'schema']);

/** Every shape that a body has: made of the schemas that clients are given at `/v2/schemas`. */
export function components(formats: Formats): Readonly<Record<string, JsonSchema>> {
  return {
    ...common(),
    ...cacheComponents(),
    ...imageComponents(formats),
    ...taskComponents(),
    ...metadefComponents(),
  };
}

function common(): Readonly<Record<string, JsonSchema>> {
  const version = record({ id: text, status: text, links: listOf(record({ rel: text, href: text })) });
  const limit = record({ usage: { type: 'integer' }, limit: { type: 'integer' } });
  const shownStore = { id: text, description: text, default: { const: 'true' }, 'read-only': { const: 'true' } };
  const store = record(shownStore, ['id']);
  const detailed = record({ ...shownStore, type: text, weight: { type: 'integer' }, properties: anyObject }, [
    'id',
    'type',
    'weight',
    'properties',
  ]);
  const orNull = { type: ['null', 'string'] };
  const size = { type: ['null', 'integer'] };
  const deletedImage = record({ id: text, name: orNull, owner: orNull, size, deleted_at: text, erased_after: orNull });
  const whole = { type: 'integer' };
  const run = record({
    id: text,
    kind: { enum: ['run', 'apply'] },
    host: text,
    started_at: text,
    finished_at: orNull,
    outcomes: { type: 'object', additionalProperties: whole },
    bytes: whole,
    errors: listOf(text),
  });
  const backlog = record({ images: whole, bytes: whole, oldest: orNull, failing: whole });
  return {
    AnyObject: anyObject,
    Error: record({ message: text, code: text, title: text }),
    Versions: record({ versions: listOf(version) }),
    Schema: record({ name: text, properties: anyObject }),
    DeletedImages: record({ deleted_images: listOf(deletedImage), next: text }, ['deleted_images']),
    ScrubberRuns: record({ runs: listOf(run), backlog, next: text }, ['runs', 'backlog']),
    ImportInfo: record({
      'import-methods': record({ description: text, type: { const: 'array' }, value: listOf(text) }),
    }),
    Stores: record({ stores: listOf(store) }),
    StoreDetails: record({ stores: listOf(detailed) }),
    Usage: record({ usage: { type: 'object', additionalProperties: limit } }),
  };
}

function imageComponents(formats: Formats): Readonly<Record<string, JsonSchema>> {
  const { properties, additionalProperties } = plain(imageSchema(formats));
  const all = Object.entries(properties as Readonly<Record<string, JsonSchema>>);
  // A property that is null is shown as an empty text, whatever its schema says.
  const base = Object.fromEntries(all.filter(([name]) => !extra(formats).has(name)));
  const optional = new Set(['locations', 'direct_url']);
  const writable = Object.fromEntries(
    all.filter(([name, schema]) => schema['readOnly'] !== true && !optional.has(name)),
  );
  const write = { op: { enum: ['add', 'replace'] }, path: text, value: {} };
  const operation = [record(write), record({ op: { const: 'remove' }, path: text })];
  const old = ['add', 'replace'].map((op) => record({ [op]: text, value: {} }));
  const location = record({ url: text, metadata: anyObject });
  const validation = { os_hash_algo: text, os_hash_value: text };
  return {
    Image: record(
      { ...base, stores: text },
      Object.keys(base).filter((name) => !optional.has(name)),
    ),
    Images: page('images', 'Image'),
    NewImage: { type: 'object', properties: writable, additionalProperties },
    ImagePatch: listOf({ oneOf: operation }),
    OldImagePatch: listOf({ oneOf: [...old, record({ remove: text })] }),
    Member: { ...plain(memberSchema), ...record(plain(memberSchema)['properties'] as JsonSchema) },
    Members: record({ members: listOf(reference('Member')), schema: text }),
    NewMember: record({ member: { type: 'string', minLength: 1, maxLength: 255 } }),
    MemberStatus: record({ status: { enum: memberStatuses } }),
    Locations: listOf(location),
    NewLocation: record({ url: text, validation_data: record(validation) }, ['url']),
    Import: record(
      {
        method: record({ name: text }),
        stores: listOf(text),
        all_stores: { type: 'boolean' },
        all_stores_must_succeed: { type: 'boolean' },
      },
      ['method'],
    ),
  };
}

function cacheComponents(): Readonly<Record<string, JsonSchema>> {
  const [whole, seconds] = [{ type: 'integer' }, { type: 'number' }];
  const times = { last_accessed: seconds, last_modified: seconds };
  const cached = {
    id: text,
    image_id: text,
    hits: whole,
    size: whole,
    ...times,
    checksum: { type: ['null', 'string'] },
  };
  const [cached_images, queued_images] = [listOf(record(cached)), listOf(text)];
  return {
    CacheState: record({ cached_images, queued_images }),
    CacheNodes: listOf(text),
    Cached: record({ cached_images }),
    Queued: record({ queued_images }),
    Pruned: record({ total_files_pruned: whole, total_bytes_pruned: whole }),
    Deleted: record({ num_deleted: whole }),
    Nothing: { type: 'null' },
  };
}

/** The properties of the schema that are no attributes. */
function extra(formats: Formats): ReadonlySet<string> {
  const properties = imageSchema(formats)['properties'] as Readonly<Record<string, JsonSchema>>;
  const names = Object.entries(properties).filter(([, schema]) => schema['is_base'] === false);
  return new Set(names.map(([name]) => name));
}

function taskComponents(): Readonly<Record<string, JsonSchema>> {
  const properties = plain(taskSchema)['properties'] as Readonly<Record<string, JsonSchema>>;
  const orNull = (schema: JsonSchema): JsonSchema => ({ ...schema, type: ['null', schema['type']].flat() });
  const nullable = ['message', 'image_id', 'request_id', 'user_id', 'owner'];
  const shown = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, nullable.includes(name) ? orNull(schema) : schema]),
  );
  const always = ['id', 'type', 'status', 'owner', 'created_at', 'updated_at'];
  const input = record({ import_from: text, import_from_format: text, image_properties: anyObject });
  return {
    Task: record(shown, [...always, 'self', 'schema', 'input', 'result', 'message']),
    TaskStub: record(shown, [...always, 'self', 'schema']),
    Tasks: page('tasks', 'TaskStub'),
    ImageTasks: record({ tasks: listOf(record(shown, [...always, 'image_id', 'input', 'result', 'message'])) }),
    NewTask: record({ type: { const: 'import' }, input }),
  };
}

function metadefComponents(): Readonly<Record<string, JsonSchema>> {
  const schema = (name: string): JsonSchema => ({ type: 'object', ...plain(metadefSchemas[name]!) });
  const definitions = metadefSchemas['object']!['definitions'] as Readonly<Record<string, JsonSchema>>;
  const shared = Object.entries(definitions).map(([name, part]) => [definitionName(name), plain(part)] as const);
  const times = { created_at: text, updated_at: text };
  const tag = record({ name: { type: 'string', maxLength: 80 }, ...times }, ['name']);
  return {
    ...Object.fromEntries(shared),
    Namespace: schema('namespace'),
    Namespaces: page('namespaces', 'Namespace'),
    // What others wrote into a file is theirs.
    Property: { ...schema('property'), additionalProperties: true },
    Properties: record({ properties: reference(definitionName('property')) }),
    Object: schema('object'),
    Objects: record({ objects: listOf(reference('Object')), schema: text }),
    Tag: tag,
    Tags: record({ tags: listOf(tag) }),
    Association: schema('resource_type'),
    Associations: record({ resource_type_associations: listOf(reference('Association')) }),
    ResourceTypes: record({ resource_types: listOf(record({ name: text, ...times }, ['name', 'created_at'])) }),
  };
}

const definitionName = (name: string): string => `metadef.${name}`;

/** Words of the older flavour of schemas, which mean nothing here. */
const draft4 = new Set(['links', 'definitions', 'is_base']);

/** A schema of `/v2/schemas` in the words of OpenAPI. */
function plain(schema: JsonSchema): JsonSchema {
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key, value]) => !draft4.has(key) && !(key === 'name' && typeof value === 'string'))
      .map(([key, value]) => [key, key === '$ref' ? moved(value as string) : plainValue(value)]),
  );
}

function plainValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainValue);
  return typeof value === 'object' && value !== null ? plain(value as JsonSchema) : value;
}

function moved(pointer: string): string {
  const name = definitionName(pointer.replace('#/definitions/', ''));
  return `#/components/schemas/${name}`;
}
