import type {
  Association,
  Definitions,
  Namespace,
  NamespaceContents,
  PropertySchema,
  ResourceType,
} from '@glance/domain';

type Shown = Readonly<Record<string, unknown>>;

const root = '/v2/metadefs/namespaces';
const schemas = '/v2/schemas/metadefs';

/** The path of a namespace, or of something in it. Colons stay readable. */
export function pathOf(namespace: string, ...rest: readonly string[]): string {
  return [root, ...[namespace, ...rest].map((part) => encodeURIComponent(part).replaceAll('%3A', ':'))].join('/');
}

/** Links of a page of namespaces: to the first, and to the next if there is one. */
export function namespaceLinks(parameters: URLSearchParams, next: string | null): { first: string; next?: string } {
  const rest = new URLSearchParams([...parameters].filter(([name]) => name !== 'marker'));
  const link = (): string => (rest.size > 0 ? `${root}?${rest.toString()}` : root);
  const first = link();
  if (next === null) return { first };
  rest.append('marker', next);
  return { first, next: link() };
}

/** What is empty is left out. */
function orNothing<T extends object>(part: T): T | undefined {
  return Object.keys(part).length > 0 ? part : undefined;
}

export function namespaceView(namespace: Namespace | NamespaceContents): Shown {
  const { name, displayName, description, visibility, owner, associations } = namespace;
  const contents = 'properties' in namespace ? contentsView(namespace) : {};
  return {
    namespace: name,
    display_name: displayName ?? undefined,
    description: description ?? undefined,
    visibility,
    protected: namespace.protected,
    owner,
    ...timesView(namespace),
    resource_type_associations: orNothing(associations.map(associationView)),
    ...contents,
    self: pathOf(name),
    schema: `${schemas}/namespace`,
  };
}

const contentsView = ({ name, properties, objects, tags }: NamespaceContents): Shown => ({
  properties: orNothing(propertiesView(properties)),
  objects: orNothing(objects.map((object) => objectView(name, object))),
  tags: orNothing(tags.map((tag) => ({ name: tag.name }))),
});

const timesView = ({ createdAt, updatedAt }: { createdAt: string; updatedAt: string }): Shown => ({
  created_at: createdAt,
  updated_at: updatedAt,
});

export function associationView({ name, prefix, propertiesTarget, ...times }: Association): Shown {
  return {
    name,
    prefix: prefix ?? undefined,
    properties_target: propertiesTarget ?? undefined,
    ...timesView(times),
  };
}

export function resourceTypeView({ name, ...times }: ResourceType): Shown {
  return { name, ...timesView(times) };
}

export function propertyView({ name, schema }: Definitions['property']): Shown {
  return { name, ...schemaView(schema) };
}

export function propertiesView(properties: readonly Definitions['property'][]): Shown {
  return Object.fromEntries(properties.map(({ name, schema }) => [name, schemaView(schema)]));
}

/** Glance: defaults of numbers and booleans are text, in the words of Python; its clients expect no others. */
function schemaView(schema: PropertySchema): PropertySchema {
  const { default: value } = schema;
  if (typeof value === 'number') return { ...schema, default: String(value) };
  if (typeof value === 'boolean') return { ...schema, default: value ? 'True' : 'False' };
  return schema;
}

export function objectView(namespace: string, object: Definitions['object']): Shown {
  const { name, description, required, properties, ...times } = object;
  const schemasOf = Object.entries(properties).map(([key, schema]) => [key, schemaView(schema)]);
  return {
    name,
    description: description ?? undefined,
    required,
    properties: Object.fromEntries(schemasOf) as Shown,
    ...timesView(times),
    self: pathOf(namespace, 'objects', name),
    schema: `${schemas}/object`,
  };
}

export function tagView({ name, ...times }: Definitions['tag']): Shown {
  return { name, ...timesView(times) };
}
