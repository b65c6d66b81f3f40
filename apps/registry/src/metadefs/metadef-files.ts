import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  isServiceError,
  namespaceFromJson,
  type NewNamespace,
  type PropertySchema,
  ServiceError,
} from '@glance/domain';
import type { Database } from '../database/database.js';
import type { Statements } from '../database/session.js';
import { definitionsIn, insertDefinitions, saveDefinition } from './definition-rows.js';
import { checkContents, checkNamespace } from './metadef-rules.js';
import { contentsOf } from './namespace-contents.js';
import * as rows from './namespace-rows.js';
import { valuesOf } from './namespace-values.js';
import { writeContents } from './write-contents.js';

/** The directory of the definitions that come with the service. */
export const ownDefinitions = fileURLToPath(new URL('../../definitions', import.meta.url));

/**
 * What becomes of a namespace that exists: `keep` leaves it alone, `merge` adds what it lacks, `prefer-new` also
 * replaces what it has, `overwrite` replaces it as a whole.
 */
export type OnExisting = 'keep' | 'merge' | 'prefer-new' | 'overwrite';

export interface LoadReport {
  /** Names of namespaces that were created or changed. */
  readonly loaded: readonly string[];
  readonly kept: readonly string[];
  /** Files that could not be loaded, with the reason; nothing of them stays. */
  readonly failed: readonly { readonly file: string; readonly reason: string }[];
}

/** Loads namespaces in Glance's format: one file, or all `.json` files of a directory. */
export async function loadMetadefs(
  database: Database,
  path: string = ownDefinitions,
  existing: OnExisting = 'keep',
): Promise<LoadReport> {
  const loaded: string[] = [];
  const kept: string[] = [];
  const failed: { file: string; reason: string }[] = [];
  for (const file of await filesIn(path)) {
    try {
      const namespace = await readNamespace(file);
      const changed = await database.transaction((tx) => load(tx, namespace, existing));
      (changed ? loaded : kept).push(namespace.name);
    } catch (error) {
      // A broken file of many is told of, and the others are loaded.
      if (!isServiceError(error, 'Invalid', 'Conflict')) throw error;
      failed.push({ file, reason: error.message });
    }
  }
  return { loaded, kept, failed };
}

async function filesIn(path: string): Promise<string[]> {
  const kind = await stat(path).catch(() => undefined);
  if (kind?.isFile()) return [path];
  const names = kind?.isDirectory() ? await readdir(path) : [];
  const files = names.filter((name) => name.endsWith('.json')).sort();
  if (files.length === 0) throw new ServiceError('Invalid', `There are no definitions (*.json) in ${path}.`);
  return files.map((name) => join(path, name));
}

async function readNamespace(file: string): Promise<NewNamespace> {
  const text = await readFile(file, 'utf8');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ServiceError('Invalid', `The file is not JSON: ${(error as Error).message}`);
  }
  const namespace = namespaceFromJson(json, 'file');
  checkNamespace(namespace);
  checkContents(namespace);
  return namespace;
}

/** Whether anything was to be done. */
async function load(tx: Statements, wanted: NewNamespace, existing: OnExisting): Promise<boolean> {
  const time = tx.dialect.time(new Date());
  const values = valuesOf(wanted, 'admin');
  let known = await rows.findNamespace(tx, wanted.name, true);
  if (known && existing === 'keep') return false;
  if (known && existing === 'overwrite') {
    await rows.deleteNamespace(tx, known.id);
    known = undefined;
  }
  if (known) {
    if (existing === 'prefer-new') await rows.saveNamespace(tx, known.id, values, time);
    await merge(tx, known, wanted, existing === 'prefer-new', time);
  } else {
    await writeContents(tx, await rows.insertNamespace(tx, values, time), wanted, time, true);
  }
  return true;
}

async function merge(
  tx: Statements,
  namespace: rows.StoredNamespace,
  wanted: NewNamespace,
  replace: boolean,
  time: string,
): Promise<void> {
  const associations = (await rows.associationsOf(tx, [namespace.id])).get(namespace.id)!;
  for (const association of wanted.associations) {
    const known = associations.some(({ name }) => name === association.name);
    if (known && !replace) continue;
    if (known) await rows.deleteAssociation(tx, namespace.id, association.name);
    await rows.insertAssociation(tx, namespace, association, time, true);
  }
  const definitions = { property: wanted.properties, object: wanted.objects, tag: wanted.tags } as const;
  for (const kind of ['property', 'object', 'tag'] as const) {
    const known = new Set((await definitionsIn(tx, namespace.id, kind)).map(({ name }) => name));
    const added = definitions[kind].filter(({ name }) => !known.has(name));
    await insertDefinitions(tx, namespace.id, kind, added, time);
    if (!replace) continue;
    for (const definition of definitions[kind]) {
      const { name } = definition;
      if (known.has(name)) await saveDefinition(tx, namespace.id, kind, name, definition, time);
    }
  }
}

/** Removes all definitions. Glance: the resource types, too. */
export async function unloadMetadefs(database: Database): Promise<void> {
  const tables = ['tags', 'objects', 'properties', 'namespace_resource_types', 'namespaces', 'resource_types'];
  await database.transaction(async (tx) => {
    for (const table of tables) await tx.run(`DELETE FROM metadef_${table}`);
  });
}

/** Writes every namespace into a file of its own, as `loadMetadefs` reads them. Answers with the files. */
export async function exportMetadefs(database: Database, directory: string): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  const files = new Set<string>();
  for (const namespace of await rows.allNamespaces(database)) {
    const file = freeName(directory, namespace.name, files);
    const json = JSON.stringify(await namespaceJson(database, namespace), undefined, 2);
    await writeFile(file, `${json}\n`);
    files.add(file);
  }
  return [...files];
}

function freeName(directory: string, namespace: string, taken: ReadonlySet<string>): string {
  const stem = namespace.replaceAll(/[^\p{L}\p{N}_]+/gu, '-');
  for (let number = 1; ; number++) {
    const file = join(directory, number === 1 ? `${stem}.json` : `${stem}-${number}.json`);
    if (!taken.has(file)) return file;
  }
}

async function namespaceJson(database: Database, namespace: rows.StoredNamespace): Promise<object> {
  const contents = await contentsOf(database, namespace);
  const { name, displayName, description, visibility, owner, associations, properties, objects, tags } = contents;
  return {
    namespace: name,
    display_name: displayName ?? undefined,
    description: description ?? undefined,
    visibility,
    protected: contents.protected,
    owner,
    resource_type_associations: associations.map((association) => ({
      name: association.name,
      prefix: association.prefix ?? undefined,
      properties_target: association.propertiesTarget ?? undefined,
    })),
    properties: Object.fromEntries(
      properties.map((property): [string, PropertySchema] => [property.name, property.schema]),
    ),
    objects: objects.map((object) => ({
      name: object.name,
      description: object.description ?? undefined,
      required: object.required.length > 0 ? object.required : undefined,
      properties: object.properties,
    })),
    // As they were made: the contents have the newest first.
    tags: tags.map((tag) => ({ name: tag.name })).reverse(),
  };
}
