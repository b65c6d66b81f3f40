import {
  type Association,
  type Namespace,
  type NamespaceAttributes,
  type NamespaceQuery,
  type NamespaceVisibility,
  type ResourceType,
  ServiceError,
  type WrittenAssociation,
} from '@glance/domain';
import type { Rights } from '../authorization/authorization.js';
import { wireTime } from '../database/dialect.js';
import { isDuplicate } from '../database/failure.js';
import type { SqlValue, Statements } from '../database/session.js';
import { insert } from '../images/image-writes.js';
import { keyset } from './keyset.js';

/** Where definitions are read from: inside of a transaction, or what is committed. */
export type Source = Pick<Statements, 'rows' | 'dialect'>;

/** A namespace with the key that its rows refer to it by. */
export interface StoredNamespace extends Omit<Namespace, 'associations'> {
  readonly id: number;
}

interface NamespaceRecord {
  readonly id: number;
  readonly namespace: string;
  readonly display_name: string | null;
  readonly description: string | null;
  readonly visibility: NamespaceVisibility | null;
  readonly protected: number | null;
  readonly owner: string;
  readonly created_at: string;
  readonly updated_at: string | null;
}

const columns =
  'n.id, n.namespace, n.display_name, n.description, n.visibility, n.protected, n.owner, n.created_at, n.updated_at';

// Glance: files may leave visibility and protection open, and rows that it loaded were never updated.
const sortColumns = {
  name: 'n.namespace',
  displayName: "COALESCE(n.display_name, '')",
  visibility: "COALESCE(n.visibility, '')",
  protected: 'COALESCE(n.protected, 0)',
  owner: 'n.owner',
  createdAt: 'n.created_at',
  updatedAt: 'COALESCE(n.updated_at, n.created_at)',
} as const;

function toNamespace(row: NamespaceRecord): StoredNamespace {
  return {
    id: row.id,
    name: row.namespace,
    displayName: row.display_name,
    description: row.description,
    visibility: row.visibility ?? 'private',
    protected: Boolean(row.protected),
    owner: row.owner,
    createdAt: wireTime(row.created_at),
    updatedAt: wireTime(row.updated_at ?? row.created_at),
  };
}

/** What policy cannot show: private namespaces of other projects. */
function visible({ caller, isAdmin }: Rights): { readonly sql: string; readonly values: SqlValue[] } {
  if (isAdmin) return { sql: '1 = 1', values: [] };
  return { sql: "(n.visibility = 'public' OR n.owner = ?)", values: [caller.projectId] };
}

/** The namespace of this name, for whoever asks; `lock` keeps others from changing it until the transaction ends. */
export async function findNamespace(from: Source, name: string, lock = false): Promise<StoredNamespace | undefined> {
  const sql = `SELECT ${columns} FROM metadef_namespaces n WHERE n.namespace = ?`;
  const [row] = await from.rows<NamespaceRecord>(sql + (lock ? from.dialect.forUpdate : ''), [name]);
  // MySQL also finds names that differ by case.
  return row?.namespace === name ? toNamespace(row) : undefined;
}

export const allNamespaces = async (from: Source): Promise<StoredNamespace[]> =>
  (await from.rows<NamespaceRecord>(`SELECT ${columns} FROM metadef_namespaces n ORDER BY n.namespace`)).map(
    toNamespace,
  );

/** A page of what the caller may see, or of everything. */
export async function pageOfNamespaces(
  from: Source,
  rights: Rights,
  query: NamespaceQuery,
  marker: StoredNamespace | undefined,
): Promise<StoredNamespace[]> {
  const seen = visible(rights);
  const conditions = [seen.sql];
  const values = [...seen.values];
  if (query.visibility !== undefined) {
    conditions.push('n.visibility = ?');
    values.push(query.visibility);
  }
  if (query.resourceTypes !== undefined) {
    const marks = query.resourceTypes.map(() => '?').join(', ');
    const name = from.dialect.exactly('t.name');
    conditions.push(
      'n.id IN (SELECT a.namespace_id FROM metadef_namespace_resource_types a ' +
        `JOIN metadef_resource_types t ON t.id = a.resource_type_id WHERE ${name} IN (${marks}))`,
    );
    values.push(...query.resourceTypes);
  }
  const { after, order, limit } = keyset(query, [sortColumns[query.sortKey], 'n.created_at', 'n.id']);
  if (marker) {
    conditions.push(after('metadef_namespaces n', 'n.id'));
    values.push(marker.id);
  }
  const sql = `SELECT ${columns} FROM metadef_namespaces n WHERE ${conditions.join(' AND ')} ${order}${limit}`;
  return (await from.rows<NamespaceRecord>(sql, values)).map(toNamespace);
}

/** The row of a namespace, but for its times. */
export type NamespaceValues = Required<Omit<NamespaceAttributes, 'displayName' | 'description'>> & {
  readonly displayName: string | null;
  readonly description: string | null;
};

const toColumns = (values: NamespaceValues): Record<string, SqlValue> => ({
  namespace: values.name,
  display_name: values.displayName,
  description: values.description,
  visibility: values.visibility,
  protected: Number(values.protected),
  owner: values.owner,
});

const taken = (name: string): ServiceError =>
  new ServiceError('Conflict', `There is a namespace "${name}" already. (Some databases ignore case in names.)`);

export async function insertNamespace(tx: Statements, values: NamespaceValues, time: string): Promise<StoredNamespace> {
  const row = { ...toColumns(values), created_at: time, updated_at: time };
  await refusingDuplicates(insert(tx, 'metadef_namespaces', [row]), taken(values.name));
  return (await findNamespace(tx, values.name))!;
}

export async function saveNamespace(
  tx: Statements,
  id: number,
  values: NamespaceValues,
  time: string,
): Promise<StoredNamespace> {
  const row = { ...toColumns(values), updated_at: time };
  const assignments = Object.keys(row).map((column) => `${column} = ?`);
  const sql = `UPDATE metadef_namespaces SET ${assignments.join(', ')} WHERE id = ?`;
  await refusingDuplicates(tx.run(sql, [...Object.values(row), id]), taken(values.name));
  return (await findNamespace(tx, values.name))!;
}

/** With all that is in it. */
export async function deleteNamespace(tx: Statements, id: number): Promise<void> {
  const tables = ['tags', 'objects', 'properties', 'namespace_resource_types'];
  for (const table of tables) await tx.run(`DELETE FROM metadef_${table} WHERE namespace_id = ?`, [id]);
  await tx.run('DELETE FROM metadef_namespaces WHERE id = ?', [id]);
}

interface ResourceTypeRecord {
  readonly name: string;
  readonly created_at: string;
  readonly updated_at: string | null;
}

interface AssociationRecord extends ResourceTypeRecord {
  readonly namespace_id: number;
  readonly prefix: string | null;
  readonly properties_target: string | null;
}

const toResourceType = ({ name, created_at, updated_at }: ResourceTypeRecord): ResourceType => ({
  name,
  createdAt: wireTime(created_at),
  updatedAt: wireTime(updated_at ?? created_at),
});

export async function resourceTypes(from: Source): Promise<ResourceType[]> {
  const sql = 'SELECT name, created_at, updated_at FROM metadef_resource_types ORDER BY id';
  return (await from.rows<ResourceTypeRecord>(sql)).map(toResourceType);
}

/** Of several namespaces, by their keys, in one query. */
export async function associationsOf(from: Source, ids: readonly number[]): Promise<Map<number, Association[]>> {
  const found = new Map<number, Association[]>(ids.map((id) => [id, []]));
  if (ids.length === 0) return found;
  const sql =
    'SELECT a.namespace_id, t.name, a.prefix, a.properties_target, a.created_at, a.updated_at ' +
    'FROM metadef_namespace_resource_types a JOIN metadef_resource_types t ON t.id = a.resource_type_id ' +
    `WHERE a.namespace_id IN (${ids.map(() => '?').join(', ')}) ORDER BY t.id`;
  for (const row of await from.rows<AssociationRecord>(sql, ids)) {
    const { prefix, properties_target: propertiesTarget } = row;
    found.get(row.namespace_id)!.push({ ...toResourceType(row), prefix, propertiesTarget });
  }
  return found;
}

/** Makes the resource type if there is none of its name; `guarded` is what Glance calls a protected one. */
export async function insertAssociation(
  tx: Statements,
  { id, name: namespace }: StoredNamespace,
  { name, prefix, propertiesTarget }: WrittenAssociation,
  time: string,
  guarded = false,
): Promise<void> {
  const row = {
    resource_type_id: await resourceTypeId(tx, name, time, guarded),
    namespace_id: id,
    prefix,
    properties_target: propertiesTarget,
    created_at: time,
    updated_at: time,
  };
  const twice = new ServiceError('Conflict', `The namespace "${namespace}" is associated with "${name}" already.`);
  await refusingDuplicates(insert(tx, 'metadef_namespace_resource_types', [row]), twice);
}

async function resourceTypeId(tx: Statements, name: string, time: string, guarded: boolean): Promise<number> {
  const find = (): Promise<{ id: number; name: string }[]> =>
    tx.rows(`SELECT id, name FROM metadef_resource_types WHERE name = ?${tx.dialect.forUpdate}`, [name]);
  const [known] = await find();
  if (known && known.name !== name) {
    const message = `This database takes "${known.name}" and "${name}" for the same resource type: write it as the first.`;
    throw new ServiceError('Conflict', message);
  }
  if (known) return known.id;
  const row = { name, protected: Number(guarded), created_at: time, updated_at: time };
  try {
    await insert(tx, 'metadef_resource_types', [row]);
  } catch (error) {
    // Somebody was faster, and that is as good.
    if (!isDuplicate(error)) throw error;
  }
  return (await find())[0]!.id;
}

/** Whether there was one. */
export async function deleteAssociation(tx: Statements, namespaceId: number, resourceType: string): Promise<boolean> {
  const sql =
    'DELETE FROM metadef_namespace_resource_types WHERE namespace_id = ? AND resource_type_id IN ' +
    `(SELECT id FROM metadef_resource_types WHERE ${tx.dialect.exactly('name')} = ?)`;
  return (await tx.run(sql, [namespaceId, resourceType])) > 0;
}

/** Waits for `change`, and says `conflict` if a name is taken. */
export async function refusingDuplicates(change: Promise<unknown>, conflict: ServiceError): Promise<void> {
  try {
    await change;
  } catch (error) {
    throw isDuplicate(error) ? conflict : error;
  }
}
