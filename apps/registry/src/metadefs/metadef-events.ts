import type { Association, DefinitionKind, Definitions, Namespace, PropertySchema } from '@glance/domain';
import type { NotificationEvent } from '../notifications/events.js';
import type { StoredNamespace } from './namespace-rows.js';

type Payload = Readonly<Record<string, unknown>>;

/** Events of one namespace stay in order, as those of one image do. */
const event = (type: string, { id }: StoredNamespace, payload: Payload): NotificationEvent => ({
  type,
  priority: 'INFO',
  payload,
  subject: `metadef-${id}`,
});

/** Glance: consumers are given both on every event. */
const ended = (deletedAt: string | null): Payload => ({ deleted: deletedAt !== null, deleted_at: deletedAt });

const times = ({ createdAt, updatedAt }: { createdAt: string; updatedAt: string }): Payload => ({
  created_at: createdAt,
  updated_at: updatedAt,
});

/** Of a namespace; `more` tells what it was called before, or when it was deleted. */
export function namespaceEvent(
  change: 'create' | 'update' | 'delete' | 'delete_properties' | 'delete_objects' | 'delete_tags',
  namespace: StoredNamespace,
  more: { readonly nameBefore?: string; readonly deletedAt?: string } = {},
): NotificationEvent {
  const { name, displayName, visibility, owner, description } = namespace satisfies Omit<Namespace, 'associations'>;
  return event(`metadef_namespace.${change}`, namespace, {
    namespace: name,
    namespace_old: more.nameBefore ?? name,
    display_name: displayName,
    protected: namespace.protected,
    visibility,
    owner,
    description,
    ...times(namespace),
    ...ended(more.deletedAt ?? null),
  });
}

const schemaKeys = [
  'type',
  'title',
  'description',
  'default',
  'minimum',
  'maximum',
  'enum',
  'pattern',
  'minLength',
  'maxLength',
  'confidential',
  'items',
  'uniqueItems',
  'minItems',
  'maxItems',
  'additionalItems',
];

const described = (schema: PropertySchema): Payload =>
  Object.fromEntries(schemaKeys.map((key) => [key, schema[key] ?? null]));

const payloads: { readonly [K in DefinitionKind]: (definition: Definitions[K]) => Payload } = {
  property: ({ schema }) => described(schema),
  object: (object) => ({
    properties: Object.entries(object.properties).map(([name, schema]) => ({ name, ...described(schema) })),
    required: object.required,
    description: object.description,
    ...times(object),
  }),
  tag: times,
};

/** Of a property, an object or a tag. */
export function definitionEvent<K extends DefinitionKind>(
  change: 'create' | 'update' | 'delete',
  namespace: StoredNamespace,
  kind: K,
  definition: Definitions[K],
  more: { readonly nameBefore?: string; readonly deletedAt?: string } = {},
): NotificationEvent {
  return event(`metadef_${kind}.${change}`, namespace, {
    namespace: namespace.name,
    name: definition.name,
    name_old: more.nameBefore ?? definition.name,
    ...payloads[kind](definition),
    ...ended(more.deletedAt ?? null),
  });
}

/** Of an association with a resource type. */
export function associationEvent(
  change: 'create' | 'delete',
  namespace: StoredNamespace,
  association: Association,
  deletedAt: string | null = null,
): NotificationEvent {
  const { name, prefix, propertiesTarget } = association;
  return event(`metadef_resource_type.${change}`, namespace, {
    namespace: namespace.name,
    name,
    name_old: name,
    prefix,
    properties_target: propertiesTarget,
    ...times(association),
    ...ended(deletedAt),
  });
}
