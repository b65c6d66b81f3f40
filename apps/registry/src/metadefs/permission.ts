import { ServiceError } from '@glance/domain';
import type { Rights } from '../authorization/authorization.js';
import { ownTarget } from '../authorization/target.js';
import { findNamespace, type Source, type StoredNamespace } from './namespace-rows.js';

/** The policy rules about metadata definitions. */
export type MetadefRule =
  | 'get_metadef_namespaces'
  | 'get_metadef_objects'
  | 'get_metadef_properties'
  | 'get_metadef_tags'
  | 'get_metadef_resource_type'
  | 'list_metadef_resource_types'
  | 'remove_metadef_property'
  | 'add_metadef_tags'
  | 'delete_metadef_tags'
  | 'add_metadef_resource_type_association'
  | 'remove_metadef_resource_type_association'
  | `${'get' | 'add' | 'modify' | 'delete'}_metadef_${'namespace' | 'object' | 'tag'}`
  | `${'get' | 'add' | 'modify'}_metadef_property`;

type Seen = Pick<StoredNamespace, 'owner' | 'visibility'>;

/** Whether the rule lets the caller do this with a namespace. */
export function allows(rights: Rights, rule: MetadefRule, { owner, visibility }: Seen): boolean | Promise<boolean> {
  return rights.allows(rule, { project_id: owner, owner, visibility });
}

/** `Forbidden` unless all rules let the caller do this where there is no namespace to look at. */
export async function requireOwn(rights: Rights, ...rules: readonly MetadefRule[]): Promise<void> {
  for (const rule of rules) if (!(await rights.allows(rule, ownTarget(rights.caller)))) throw refusal(rule);
}

/**
 * The namespace, if the caller may know of it and all rules let him do this with it. `lock` keeps others from changing
 * it until the transaction ends.
 */
export async function permitted(
  from: Source,
  rights: Rights,
  name: string,
  rules: readonly MetadefRule[],
  lock = false,
): Promise<StoredNamespace> {
  const namespace = await visibleNamespace(from, rights, name, lock);
  for (const rule of rules) {
    if (await allows(rights, rule, namespace)) continue;
    if (!(await allows(rights, 'get_metadef_namespace', namespace))) throw unknown(name);
    throw refusal(rule);
  }
  return namespace;
}

/** The namespace, unless it is a private one of another project. */
export async function visibleNamespace(
  from: Source,
  { caller, isAdmin }: Rights,
  name: string,
  lock = false,
): Promise<StoredNamespace> {
  const namespace = await findNamespace(from, name, lock);
  const visible = namespace && (isAdmin || namespace.visibility === 'public' || namespace.owner === caller.projectId);
  if (!visible) throw unknown(name);
  return namespace;
}

const unknown = (name: string): ServiceError => new ServiceError('NotFound', `There is no namespace "${name}".`);

const refusal = (rule: MetadefRule): ServiceError =>
  new ServiceError('Forbidden', `The policy rule "${rule}" does not allow you to do this.`);
