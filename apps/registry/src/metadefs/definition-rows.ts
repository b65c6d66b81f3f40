import {
  type DefinitionKind,
  type Definitions,
  type PropertySchema,
  ServiceError,
  type TagQuery,
  type WrittenDefinitions,
} from '@glance/domain';
import { wireTime } from '../database/dialect.js';
import type { SqlValue, Statements } from '../database/session.js';
import { insert } from '../images/image-writes.js';
import { keyset } from './keyset.js';
import { storedJson } from './metadef-rules.js';
import { refusingDuplicates, type Source, type StoredNamespace } from './namespace-rows.js';

type Columns = Readonly<Record<string, SqlValue>>;

interface Row {
  readonly name: string;
  readonly created_at: string;
  readonly updated_at: string | null;
  readonly json_schema?: string | null;
  readonly description?: string | null;
  readonly required?: string | null;
}

interface Table<K extends DefinitionKind> {
  readonly name: string;
  readonly columns: readonly string[];
  toColumns(definition: WrittenDefinitions[K]): Columns;
  fromRow(row: Row): WrittenDefinitions[K];
}

const tables: { readonly [K in DefinitionKind]: Table<K> } = {
  property: {
    name: 'metadef_properties',
    columns: ['json_schema'],
    toColumns: ({ schema }) => ({ json_schema: storedJson(schema) }),
    fromRow: ({ name, json_schema }) => ({ name, schema: withoutName(json_schema) }),
  },
  object: {
    name: 'metadef_objects',
    columns: ['description', 'required', 'json_schema'],
    toColumns: ({ description, required, properties }) => ({
      description,
      required: required.join(','),
      json_schema: storedJson(properties),
    }),
    fromRow: ({ name, description = null, required, json_schema }) => ({
      name,
      description,
      required: required ? required.split(',') : [],
      properties: parsed(json_schema) as Readonly<Record<string, PropertySchema>>,
    }),
  },
  tag: {
    name: 'metadef_tags',
    columns: [],
    toColumns: () => ({}),
    fromRow: ({ name }) => ({ name }),
  },
};

/** Glance: an object that it loaded without properties has `null` here. */
function parsed(json: string | null | undefined): Readonly<Record<string, unknown>> {
  return ((json && JSON.parse(json)) || {}) as Readonly<Record<string, unknown>>;
}

/** Glance: writes the name of a property into its definition, and what it was before a change of name stays there. */
function withoutName(json: string | null | undefined): PropertySchema {
  const { name: _, ...schema } = parsed(json);
  return schema;
}

const selection = ({ name, columns }: { name: string; columns: readonly string[] }): string =>
  `SELECT ${['d.name', ...columns.map((column) => `d.${column}`), 'd.created_at', 'd.updated_at'].join(', ')} FROM ${name} d`;

function toDefinition<K extends DefinitionKind>(kind: K, row: Row): Definitions[K] {
  const times = { createdAt: wireTime(row.created_at), updatedAt: wireTime(row.updated_at ?? row.created_at) };
  return { ...tables[kind].fromRow(row), ...times } as Definitions[K];
}

/** All of a kind in a namespace, oldest first. */
export async function definitionsIn<K extends DefinitionKind>(
  from: Source,
  namespaceId: number,
  kind: K,
): Promise<Definitions[K][]> {
  const sql = `${selection(tables[kind])} WHERE d.namespace_id = ? ORDER BY d.id`;
  return (await from.rows<Row>(sql, [namespaceId])).map((row) => toDefinition(kind, row));
}

/** `NotFound` unless there is one of that name. */
export async function findDefinition<K extends DefinitionKind>(
  from: Source,
  namespace: StoredNamespace,
  kind: K,
  name: string,
): Promise<Definitions[K]> {
  const sql = `${selection(tables[kind])} WHERE d.namespace_id = ? AND d.name = ?`;
  const [row] = await from.rows<Row>(sql, [namespace.id, name]);
  // MySQL also finds names that differ by case.
  if (row?.name === name) return toDefinition(kind, row);
  throw new ServiceError('NotFound', `The namespace "${namespace.name}" has no ${kind} "${name}".`);
}

const tagColumns = { name: 'd.name', createdAt: 'd.created_at', updatedAt: 'COALESCE(d.updated_at, d.created_at)' };

/** A page of tags. `NotFound` if the marker is none of them. */
export async function pageOfTags(
  from: Source,
  namespace: StoredNamespace,
  query: TagQuery,
): Promise<Definitions['tag'][]> {
  const { after, order, limit } = keyset(query, [tagColumns[query.sortKey], 'd.created_at', 'd.id']);
  const values: SqlValue[] = [namespace.id];
  let sql = `${selection(tables.tag)} WHERE d.namespace_id = ?`;
  if (query.marker !== undefined) {
    await findDefinition(from, namespace, 'tag', query.marker);
    sql += ` AND ${after('metadef_tags d', 'd.namespace_id = ? AND d.name')}`;
    values.push(namespace.id, query.marker);
  }
  return (await from.rows<Row>(`${sql} ${order}${limit}`, values)).map((row) => toDefinition('tag', row));
}

const taken = (kind: DefinitionKind, names: readonly string[]): ServiceError =>
  new ServiceError(
    'Conflict',
    `The namespace has a ${kind} of that name already: ${names.join(', ')}. (Some databases ignore case in names.)`,
  );

/** Several at once. `Conflict` if a name is taken, or there twice. */
export async function insertDefinitions<K extends DefinitionKind>(
  tx: Statements,
  namespaceId: number,
  kind: K,
  definitions: readonly WrittenDefinitions[K][],
  time: string,
): Promise<void> {
  const rows = definitions.map((definition) => ({
    namespace_id: namespaceId,
    name: definition.name,
    ...tables[kind].toColumns(definition),
    created_at: time,
    updated_at: time,
  }));
  const names = definitions.map(({ name }) => name);
  await refusingDuplicates(insert(tx, tables[kind].name, rows), taken(kind, names));
}

/** Replaces the definition that is called `name`. */
export async function saveDefinition<K extends DefinitionKind>(
  tx: Statements,
  namespaceId: number,
  kind: K,
  name: string,
  definition: WrittenDefinitions[K],
  time: string,
): Promise<void> {
  const row = { name: definition.name, ...tables[kind].toColumns(definition), updated_at: time };
  const assignments = Object.keys(row).map((column) => `${column} = ?`);
  const sql = `UPDATE ${tables[kind].name} SET ${assignments.join(', ')} WHERE namespace_id = ? AND name = ?`;
  await refusingDuplicates(tx.run(sql, [...Object.values(row), namespaceId, name]), taken(kind, [definition.name]));
}

/** One, or all if no name is given. */
export async function deleteDefinitions(
  tx: Statements,
  namespaceId: number,
  kind: DefinitionKind,
  name?: string,
): Promise<void> {
  const sql = `DELETE FROM ${tables[kind].name} WHERE namespace_id = ?`;
  if (name === undefined) await tx.run(sql, [namespaceId]);
  else await tx.run(`${sql} AND name = ?`, [namespaceId, name]);
}
