import { type Image, type PropertySchema, ServiceError } from '@glance/domain';
import { objection } from './objection.js';
import type { Source } from './namespace-rows.js';

interface Definition {
  readonly namespace: string;
  readonly schema: PropertySchema;
}

interface AssociationRow {
  readonly id: number;
  readonly namespace: string;
  readonly prefix: string | null;
}

interface SchemaRow {
  readonly namespace_id: number;
  readonly name: string;
  readonly json_schema: string | null;
}

const imageType = 'OS::Glance::Image';

/**
 * Refuses, with `Invalid`, values of properties that differ from `before` and that public namespaces define otherwise.
 * Where several define a property, one of them must agree. What nobody defines is free.
 */
export async function checkDefinedProperties(
  from: Source,
  before: Image['properties'],
  after: Image['properties'],
): Promise<void> {
  const changed = Object.entries(after).filter(([name, value]) => value !== null && before[name] !== value);
  if (changed.length === 0) return;
  const definitions = await definitionsOf(
    from,
    changed.map(([name]) => name),
  );
  for (const [name, value] of changed) {
    const objections = (definitions.get(name) ?? []).map(({ namespace, schema }) => ({
      namespace,
      schema,
      reason: objection(schema, value!),
    }));
    const [first] = objections;
    if (!first || objections.some(({ reason }) => reason === undefined)) continue;
    const title = typeof first.schema['title'] === 'string' ? ` ("${first.schema['title']}")` : '';
    throw new ServiceError(
      'Invalid',
      `Invalid value for the property "${name}": by its definition${title} in the namespace "${first.namespace}" it ` +
        `must be ${first.reason}.`,
    );
  }
}

/** By the names that the properties have on images. */
async function definitionsOf(from: Source, names: readonly string[]): Promise<Map<string, Definition[]>> {
  const found = new Map<string, Definition[]>();
  const associations = await from.rows<AssociationRow>(
    'SELECT n.id, n.namespace, a.prefix FROM metadef_resource_types t ' +
      'JOIN metadef_namespace_resource_types a ON a.resource_type_id = t.id ' +
      'JOIN metadef_namespaces n ON n.id = a.namespace_id ' +
      "WHERE t.name = ? AND n.visibility = 'public' ORDER BY n.namespace",
    [imageType],
  );
  if (associations.length === 0) return found;
  const ids = associations.map(({ id }) => id);
  const inNamespaces = `namespace_id IN (${ids.map(() => '?').join(', ')})`;
  const bare = bareNames(associations, names);
  const properties =
    bare.length === 0
      ? []
      : await from.rows<SchemaRow>(
          `SELECT namespace_id, name, json_schema FROM metadef_properties WHERE ${inNamespaces} ` +
            `AND name IN (${bare.map(() => '?').join(', ')})`,
          [...ids, ...bare],
        );
  const objects = await from.rows<SchemaRow>(
    `SELECT namespace_id, name, json_schema FROM metadef_objects WHERE ${inNamespaces}`,
    ids,
  );
  for (const { id, namespace, prefix } of associations) {
    const add = (name: string, schema: PropertySchema): void => {
      const key = (prefix ?? '') + name;
      if (names.includes(key)) found.set(key, [...(found.get(key) ?? []), { namespace, schema }]);
    };
    for (const row of properties) if (row.namespace_id === id) add(row.name, parse(row));
    for (const row of objects) {
      if (row.namespace_id !== id) continue;
      for (const [name, schema] of Object.entries(parse(row))) add(name, schema as PropertySchema);
    }
  }
  return found;
}

/** What the properties may be called in their namespaces. */
function bareNames(associations: readonly AssociationRow[], names: readonly string[]): string[] {
  const bare = names.flatMap((name) =>
    associations.filter(({ prefix }) => name.startsWith(prefix ?? '')).map(({ prefix }) => name.slice(prefix?.length)),
  );
  return [...new Set(bare)];
}

const parse = ({ json_schema }: SchemaRow): PropertySchema => ((json_schema && JSON.parse(json_schema)) || {}) as never;
