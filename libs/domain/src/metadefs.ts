import type { Caller } from './caller.js';
import { defineContract } from './contract.js';

/** What a property is, in the words of JSON Schema: `title`, `type`, `enum`, `minimum` … As it was given. */
export type PropertySchema = Readonly<Record<string, unknown>>;

interface Dated {
  /** `YYYY-MM-DDTHH:MM:SSZ`, as all times of the contracts. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** What somebody writes down about the properties of images, volumes, flavors …, apart from when. */
export interface WrittenDefinitions {
  readonly property: { readonly name: string; readonly schema: PropertySchema };
  /** Properties that belong together. */
  readonly object: {
    readonly name: string;
    readonly description: string | null;
    readonly required: readonly string[];
    readonly properties: Readonly<Record<string, PropertySchema>>;
  };
  readonly tag: { readonly name: string };
}

export type DefinitionKind = keyof WrittenDefinitions;

/** What a namespace holds, by kind. */
export type Definitions = { readonly [K in DefinitionKind]: WrittenDefinitions[K] & Dated };

/** To which type of resource a namespace applies. */
export interface WrittenAssociation {
  /** Of the resource type, such as `OS::Glance::Image`. */
  readonly name: string;
  /** Stands before the names of properties on such resources. */
  readonly prefix: string | null;
  /** Which of several sets of properties of such a resource is meant. */
  readonly propertiesTarget: string | null;
}

export type Association = WrittenAssociation & Dated;

export const namespaceVisibilities = ['public', 'private'] as const;
export type NamespaceVisibility = (typeof namespaceVisibilities)[number];

/** What a client says of a namespace; what is absent takes its default. */
export interface NamespaceAttributes {
  readonly name: string;
  readonly displayName?: string;
  readonly description?: string;
  /** `private`: for the owner's project only. The default. */
  readonly visibility?: NamespaceVisibility;
  /** Whether it, and anything in it, is safe from being deleted. Not by default. */
  readonly protected?: boolean;
  /** A project; that of the caller by default. */
  readonly owner?: string;
}

/** A namespace with what it holds, as it is written down. */
export interface NewNamespace extends NamespaceAttributes {
  readonly associations: readonly WrittenAssociation[];
  readonly properties: readonly WrittenDefinitions['property'][];
  readonly objects: readonly WrittenDefinitions['object'][];
  readonly tags: readonly WrittenDefinitions['tag'][];
}

export interface Namespace extends Dated {
  readonly name: string;
  readonly displayName: string | null;
  readonly description: string | null;
  readonly visibility: NamespaceVisibility;
  readonly protected: boolean;
  readonly owner: string;
  readonly associations: readonly Association[];
}

/** A namespace and all that is in it. */
export interface NamespaceContents extends Namespace {
  readonly properties: readonly Definitions['property'][];
  readonly objects: readonly Definitions['object'][];
  readonly tags: readonly Definitions['tag'][];
}

/** A kind of resource that definitions may apply to. */
export interface ResourceType extends Dated {
  readonly name: string;
}

export const namespaceSortKeys = [
  'name',
  'displayName',
  'visibility',
  'protected',
  'owner',
  'createdAt',
  'updatedAt',
] as const;
export const tagSortKeys = ['name', 'createdAt', 'updatedAt'] as const;

interface PageQuery<Key> {
  readonly sortKey: Key;
  readonly direction: 'asc' | 'desc';
  /** Absent: no limit. */
  readonly limit?: number;
  /** The name of the last one of the page before. */
  readonly marker?: string;
}

export interface NamespaceQuery extends PageQuery<(typeof namespaceSortKeys)[number]> {
  readonly visibility?: NamespaceVisibility;
  /** Namespaces that apply to any of these. */
  readonly resourceTypes?: readonly string[];
}

export type TagQuery = PageQuery<(typeof tagSortKeys)[number]>;

export interface NamespacePage {
  readonly namespaces: readonly Namespace[];
  /** The marker of the next page; null if this is the last one. */
  readonly next: string | null;
}

/**
 * Metadata definitions: the catalogue of what properties mean. A namespace that the caller cannot see is `NotFound`,
 * what policy does not allow on one that he sees `Forbidden`, a name that is taken `Conflict`. Deleting anything of a
 * protected namespace is `Forbidden`.
 */
export interface Metadefs {
  /** All of it or nothing. Resource types that nobody knows yet are made. */
  createNamespace(caller: Caller, namespace: NewNamespace): Promise<NamespaceContents>;
  listNamespaces(caller: Caller, query: NamespaceQuery): Promise<NamespacePage>;
  /** With `resourceType`, property names have the prefix that they have on such resources. */
  showNamespace(caller: Caller, name: string, resourceType?: string): Promise<NamespaceContents>;
  /** Replaces all attributes and nothing else. */
  updateNamespace(caller: Caller, name: string, attributes: NamespaceAttributes): Promise<Namespace>;
  removeNamespace(caller: Caller, name: string): Promise<void>;

  listResourceTypes(caller: Caller): Promise<readonly ResourceType[]>;
  listAssociations(caller: Caller, namespace: string): Promise<readonly Association[]>;
  associate(caller: Caller, namespace: string, association: WrittenAssociation): Promise<Association>;
  dissociate(caller: Caller, namespace: string, resourceType: string): Promise<void>;

  /** In the order in which they were made. */
  list<K extends DefinitionKind>(caller: Caller, namespace: string, kind: K): Promise<readonly Definitions[K][]>;
  show<K extends DefinitionKind>(caller: Caller, namespace: string, kind: K, name: string): Promise<Definitions[K]>;
  create<K extends DefinitionKind>(
    caller: Caller,
    namespace: string,
    kind: K,
    definition: WrittenDefinitions[K],
  ): Promise<Definitions[K]>;
  /** Replaces it; may rename it. */
  update<K extends DefinitionKind>(
    caller: Caller,
    namespace: string,
    kind: K,
    name: string,
    definition: WrittenDefinitions[K],
  ): Promise<Definitions[K]>;
  remove(caller: Caller, namespace: string, kind: DefinitionKind, name: string): Promise<void>;
  removeAll(caller: Caller, namespace: string, kind: DefinitionKind): Promise<void>;

  /** The property that is called `name` on resources of this type. */
  showPropertyOn(
    caller: Caller,
    namespace: string,
    resourceType: string,
    name: string,
  ): Promise<Definitions['property']>;
  listTags(caller: Caller, namespace: string, query: TagQuery): Promise<readonly Definitions['tag'][]>;
  /** Several tags at once, instead of those that are there, or in addition to them. */
  createTags(caller: Caller, namespace: string, names: readonly string[], append: boolean): Promise<void>;
}

const read = { timeout: 10_000, idempotent: true };
const write = { timeout: 30_000, idempotent: false };

export const METADEFS = defineContract<Metadefs>('metadefs', {
  createNamespace: write,
  listNamespaces: { ...read, timeout: 30_000 },
  showNamespace: read,
  updateNamespace: write,
  removeNamespace: write,
  listResourceTypes: read,
  listAssociations: read,
  associate: write,
  dissociate: write,
  list: read,
  show: read,
  create: write,
  update: write,
  remove: write,
  removeAll: { ...write, idempotent: true },
  showPropertyOn: read,
  listTags: read,
  createTags: write,
});
