import {
  type Association,
  type Caller,
  type DefinitionKind,
  type Definitions,
  type Metadefs,
  type Namespace,
  type NamespaceAttributes,
  type NamespaceContents,
  type NamespacePage,
  type NamespaceQuery,
  type NewNamespace,
  type ResourceType,
  ServiceError,
  type TagQuery,
  type WrittenAssociation,
  type WrittenDefinitions,
} from '@glance/domain';
import { Authorization } from '../authorization/authorization.js';
import type { Database } from '../database/database.js';
import type { Statements } from '../database/session.js';
import type { NotificationEvent } from '../notifications/events.js';
import { noOutbox, type Outbox } from '../notifications/outbox.js';
import * as definitions from './definition-rows.js';
import { associationEvent, definitionEvent, namespaceEvent } from './metadef-events.js';
import { checkAssociation, checkContents, checkDefinition, checkNamespace } from './metadef-rules.js';
import * as rows from './namespace-rows.js';
import type { StoredNamespace } from './namespace-rows.js';
import { valuesOf } from './namespace-values.js';
import { allows, type MetadefRule, permitted, requireOwn, visibleNamespace } from './permission.js';
import { contentsOf, findAssociation, withAssociations } from './namespace-contents.js';
import { prefixed } from './prefixed.js';
import { writeContents } from './write-contents.js';

const plural = { property: 'properties', object: 'objects', tag: 'tags' } as const;

/** The contract `Metadefs` on Glance's tables. Every change is one transaction. */
export class MetadefsInDatabase implements Metadefs {
  constructor(
    readonly database: Database,
    readonly clock: () => number = Date.now,
    readonly outbox: Outbox = noOutbox,
    readonly authorization = new Authorization(),
  ) {}

  async createNamespace(caller: Caller, wanted: NewNamespace): Promise<NamespaceContents> {
    checkNamespace(wanted);
    checkContents(wanted);
    await requireOwn(
      await this.authorization.of(caller),
      'add_metadef_namespace',
      ...(wanted.associations.length > 0 ? (['add_metadef_resource_type_association'] as const) : []),
      ...(wanted.objects.length > 0 ? (['add_metadef_object'] as const) : []),
      ...(wanted.properties.length > 0 ? (['add_metadef_property'] as const) : []),
      ...(wanted.tags.length > 0 ? (['add_metadef_tag'] as const) : []),
    );
    return this.database.transaction(async (tx) => {
      const time = this.#time(tx);
      const namespace = await rows.insertNamespace(tx, valuesOf(wanted, ownerFor(caller)), time);
      await writeContents(tx, namespace, wanted, time);
      const made = await contentsOf(tx, namespace);
      await this.#tell(
        tx,
        caller,
        namespaceEvent('create', namespace),
        ...made.associations.map((association) => associationEvent('create', namespace, association)),
        ...made.objects.map((object) => definitionEvent('create', namespace, 'object', object)),
        ...made.tags.map((tag) => definitionEvent('create', namespace, 'tag', tag)),
        ...made.properties.map((property) => definitionEvent('create', namespace, 'property', property)),
      );
      return made;
    });
  }

  async listNamespaces(caller: Caller, query: NamespaceQuery): Promise<NamespacePage> {
    const rights = await this.authorization.of(caller);
    await requireOwn(rights, 'get_metadef_namespaces', 'list_metadef_resource_types');
    const { database } = this;
    const marker = query.marker === undefined ? undefined : await visibleNamespace(database, rights, query.marker);
    const page = await rows.pageOfNamespaces(database, rights, query, marker);
    const allowed = await Promise.all(
      page.map(async (namespace) => allows(rights, 'get_metadef_namespace', namespace)),
    );
    const seen = page.filter((_, index) => allowed[index]);
    const associations = await rows.associationsOf(
      this.database,
      seen.map(({ id }) => id),
    );
    const full = query.limit !== undefined && page.length > 0 && page.length === query.limit;
    return {
      namespaces: seen.map((namespace) => withAssociations(namespace, associations.get(namespace.id)!)),
      next: full ? page.at(-1)!.name : null,
    };
  }

  async showNamespace(caller: Caller, name: string, resourceType?: string): Promise<NamespaceContents> {
    const namespace = await this.#may(
      caller,
      name,
      'get_metadef_namespace',
      'list_metadef_resource_types',
      'get_metadef_objects',
      'get_metadef_properties',
      'get_metadef_tags',
    );
    const contents = await contentsOf(this.database, namespace);
    return resourceType === undefined ? contents : prefixed(contents, resourceType);
  }

  async updateNamespace(caller: Caller, name: string, attributes: NamespaceAttributes): Promise<Namespace> {
    checkNamespace(attributes);
    return this.#change(caller, name, ['modify_metadef_namespace'], async (tx, namespace) => {
      const values = valuesOf(attributes, caller.projectId ?? namespace.owner);
      const saved = await rows.saveNamespace(tx, namespace.id, values, this.#time(tx));
      const event = namespaceEvent('update', saved, { nameBefore: name });
      await this.#tell(tx, caller, event);
      return withAssociations(saved, (await rows.associationsOf(tx, [saved.id])).get(saved.id)!);
    });
  }

  removeNamespace(caller: Caller, name: string): Promise<void> {
    return this.#change(caller, name, ['delete_metadef_namespace'], async (tx, namespace) => {
      refuseProtected(namespace, 'it');
      await rows.deleteNamespace(tx, namespace.id);
      const event = namespaceEvent('delete', namespace, { deletedAt: this.#now() });
      await this.#tell(tx, caller, event);
    });
  }

  async listResourceTypes(caller: Caller): Promise<readonly ResourceType[]> {
    await requireOwn(await this.authorization.of(caller), 'list_metadef_resource_types');
    return rows.resourceTypes(this.database);
  }

  async listAssociations(caller: Caller, name: string): Promise<readonly Association[]> {
    const rights = await this.authorization.of(caller);
    const namespace = await permitted(this.database, rights, name, ['list_metadef_resource_types']);
    if (!(await allows(rights, 'get_metadef_resource_type', namespace))) return [];
    return (await rows.associationsOf(this.database, [namespace.id])).get(namespace.id)!;
  }

  async associate(caller: Caller, name: string, wanted: WrittenAssociation): Promise<Association> {
    checkAssociation(wanted);
    return this.#change(caller, name, ['add_metadef_resource_type_association'], async (tx, namespace) => {
      await rows.insertAssociation(tx, namespace, wanted, this.#time(tx));
      const association = await findAssociation(tx, namespace, wanted.name);
      await this.#tell(tx, caller, associationEvent('create', namespace, association));
      return association;
    });
  }

  dissociate(caller: Caller, name: string, resourceType: string): Promise<void> {
    return this.#change(caller, name, ['remove_metadef_resource_type_association'], async (tx, namespace) => {
      const association = await findAssociation(tx, namespace, resourceType);
      refuseProtected(namespace, `its association with "${resourceType}"`);
      await rows.deleteAssociation(tx, namespace.id, resourceType);
      const event = associationEvent('delete', namespace, association, this.#now());
      await this.#tell(tx, caller, event);
    });
  }

  async list<K extends DefinitionKind>(caller: Caller, name: string, kind: K): Promise<readonly Definitions[K][]> {
    const rights = await this.authorization.of(caller);
    const namespace = await permitted(this.database, rights, name, [`get_metadef_${plural[kind]}`]);
    // Glance: looks at the rule for a single one with objects only.
    if (kind === 'object' && !(await allows(rights, 'get_metadef_object', namespace))) return [];
    return definitions.definitionsIn(this.database, namespace.id, kind);
  }

  async show<K extends DefinitionKind>(caller: Caller, name: string, kind: K, which: string): Promise<Definitions[K]> {
    const namespace = await this.#may(caller, name, `get_metadef_${kind}`);
    return definitions.findDefinition(this.database, namespace, kind, which);
  }

  async create<K extends DefinitionKind>(
    caller: Caller,
    name: string,
    kind: K,
    wanted: WrittenDefinitions[K],
  ): Promise<Definitions[K]> {
    checkDefinition(kind, wanted);
    return this.#change(caller, name, [`add_metadef_${kind}`], async (tx, namespace) => {
      await definitions.insertDefinitions(tx, namespace.id, kind, [wanted], this.#time(tx));
      const made = await definitions.findDefinition(tx, namespace, kind, wanted.name);
      await this.#tell(tx, caller, definitionEvent('create', namespace, kind, made));
      return made;
    });
  }

  async update<K extends DefinitionKind>(
    caller: Caller,
    name: string,
    kind: K,
    which: string,
    wanted: WrittenDefinitions[K],
  ): Promise<Definitions[K]> {
    checkDefinition(kind, wanted);
    return this.#change(caller, name, [`modify_metadef_${kind}`], async (tx, namespace) => {
      await definitions.findDefinition(tx, namespace, kind, which);
      await definitions.saveDefinition(tx, namespace.id, kind, which, wanted, this.#time(tx));
      const saved = await definitions.findDefinition(tx, namespace, kind, wanted.name);
      const event = definitionEvent('update', namespace, kind, saved, { nameBefore: which });
      await this.#tell(tx, caller, event);
      return saved;
    });
  }

  remove(caller: Caller, name: string, kind: DefinitionKind, which: string): Promise<void> {
    const rule = kind === 'property' ? 'remove_metadef_property' : (`delete_metadef_${kind}` as const);
    return this.#change(caller, name, [rule], async (tx, namespace) => {
      const definition = await definitions.findDefinition(tx, namespace, kind, which);
      refuseProtected(namespace, `its ${kind} "${which}"`);
      await definitions.deleteDefinitions(tx, namespace.id, kind, which);
      const event = definitionEvent('delete', namespace, kind, definition, { deletedAt: this.#now() });
      await this.#tell(tx, caller, event);
    });
  }

  removeAll(caller: Caller, name: string, kind: DefinitionKind): Promise<void> {
    const more: MetadefRule[] = kind === 'tag' ? ['delete_metadef_tags'] : [];
    return this.#change(caller, name, ['delete_metadef_namespace', ...more], async (tx, namespace) => {
      refuseProtected(namespace, `its ${plural[kind]}`);
      await definitions.deleteDefinitions(tx, namespace.id, kind);
      const event = namespaceEvent(`delete_${plural[kind]}`, namespace);
      await this.#tell(tx, caller, event);
    });
  }

  async showPropertyOn(
    caller: Caller,
    name: string,
    resourceType: string,
    property: string,
  ): Promise<Definitions['property']> {
    const rules = ['get_metadef_property', 'get_metadef_resource_type'] as const;
    const namespace = await this.#may(caller, name, ...rules);
    const prefix = (await findAssociation(this.database, namespace, resourceType)).prefix ?? '';
    if (!property.startsWith(prefix)) {
      const message = `On "${resourceType}", properties of "${name}" begin with "${prefix}"; "${property}" does not.`;
      throw new ServiceError('NotFound', message);
    }
    return definitions.findDefinition(this.database, namespace, 'property', property.slice(prefix.length));
  }

  async listTags(caller: Caller, name: string, query: TagQuery): Promise<readonly Definitions['tag'][]> {
    const namespace = await this.#may(caller, name, 'get_metadef_tags');
    return definitions.pageOfTags(this.database, namespace, query);
  }

  async createTags(caller: Caller, name: string, names: readonly string[], append: boolean): Promise<void> {
    const tags = names.map((tag) => ({ name: tag }));
    for (const tag of tags) checkDefinition('tag', tag);
    return this.#change(caller, name, ['add_metadef_tags'], async (tx, namespace) => {
      // Glance: an empty list changes nothing.
      if (tags.length === 0) return;
      if (!append) await definitions.deleteDefinitions(tx, namespace.id, 'tag');
      await definitions.insertDefinitions(tx, namespace.id, 'tag', tags, this.#time(tx));
      const all = await definitions.definitionsIn(tx, namespace.id, 'tag');
      const made = all.slice(-tags.length);
      const events = made.map((tag) => definitionEvent('create', namespace, 'tag', tag));
      await this.#tell(tx, caller, ...events);
    });
  }

  async #may(caller: Caller, name: string, ...rules: readonly MetadefRule[]): Promise<StoredNamespace> {
    return permitted(this.database, await this.authorization.of(caller), name, rules);
  }

  /** Runs `work` on a namespace that the rules let the caller change, locked. */
  async #change<T>(
    caller: Caller,
    name: string,
    rules: readonly MetadefRule[],
    work: (tx: Statements, namespace: StoredNamespace) => Promise<T>,
  ): Promise<T> {
    const rights = await this.authorization.of(caller);
    return this.database.transaction(async (tx) => work(tx, await permitted(tx, rights, name, rules, true)));
  }

  #tell(tx: Statements, caller: Caller, ...events: readonly NotificationEvent[]): Promise<void> {
    return this.outbox.add(tx, this.outbox.contextOf(caller), ...events);
  }

  #time(tx: Statements): string {
    return tx.dialect.time(new Date(this.clock()));
  }

  #now(): string {
    return `${new Date(this.clock()).toISOString().slice(0, 19)}Z`;
  }
}

/** Glance: a namespace needs an owner, and its own definitions belong to "admin". */
const ownerFor = ({ projectId }: Caller): string => projectId ?? 'admin';

function refuseProtected({ name, protected: isProtected }: StoredNamespace, what: string): void {
  if (!isProtected) return;
  throw new ServiceError('Forbidden', `The namespace "${name}" is protected and ${what} cannot be deleted.`);
}
