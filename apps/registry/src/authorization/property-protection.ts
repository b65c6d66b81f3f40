import { readFileSync } from 'node:fs';
import { type Image, type ImageChange, ServiceError } from '@glance/domain';
import type { Policy } from '@glance/policy';
import type { Rights } from './authorization.js';
import type { AuthorizationSettings } from './authorization-options.js';
import { type ProtectionSection, readProtectionSections } from './read-protection-file.js';
import { seenTarget } from './target.js';

const operations = ['create', 'read', 'update', 'delete'] as const;
export type PropertyOperation = (typeof operations)[number];

type Permission =
  | { readonly kind: 'everybody' | 'nobody' }
  | { readonly kind: 'roles'; readonly roles: readonly string[] }
  | { readonly kind: 'policy'; readonly rule: string };

interface Protection {
  readonly expression: RegExp;
  readonly permissions: Readonly<Record<PropertyOperation, Permission>>;
}

const everybody = { kind: 'everybody' } as const;
const nobody = { kind: 'nobody' } as const;

/**
 * Who may do what with which custom properties: the first expression that is found in the name decides, and a property
 * that none is found in is nobody's, not even an administrator's.
 */
export class PropertyProtection {
  /** Protects nothing. */
  static readonly none = new PropertyProtection(undefined);

  private constructor(readonly protections: readonly Protection[] | undefined) {}

  /** Reads the file of the settings, if there is one. Fails with `Invalid` for one that is wrong. */
  static read(settings: AuthorizationSettings, policy: Policy): PropertyProtection {
    const { propertyProtectionFile: path, propertyProtectionRuleFormat: format } = settings;
    if (!path) return PropertyProtection.none;
    try {
      return PropertyProtection.parse(readFileSync(path, 'utf8'), format, policy);
    } catch (error) {
      throw new ServiceError('Invalid', `The property protection file ${path} is wrong: ${(error as Error).message}`);
    }
  }

  /** Fails with a message that says what is wrong. */
  static parse(text: string, format: 'roles' | 'policies', policy: Policy): PropertyProtection {
    const rules = new Set(policy.names());
    return new PropertyProtection(readProtectionSections(text).map((section) => protectionOf(section, format, rules)));
  }

  /** Whether the caller may do this with the image's property `name`, be it there or not. */
  async allows(rights: Rights, operation: PropertyOperation, image: Image, name: string): Promise<boolean> {
    // What the service itself keeps in properties; clients cannot set them by other rules.
    if (!this.protections || name.startsWith('os_glance')) return true;
    const permission =
      this.protections.find(({ expression }) => expression.test(name))?.permissions[operation] ?? nobody;
    switch (permission.kind) {
      case 'everybody':
        return true;
      case 'nobody':
        return false;
      case 'roles': {
        const { roles, serviceRoles } = rights.caller;
        return permission.roles.some((role) => roles.includes(role) || serviceRoles.includes(role));
      }
      case 'policy':
        return rights.allows(permission.rule, seenTarget(rights.caller, image));
    }
  }

  /** The image without the properties that the caller may not read. */
  async readable(rights: Rights, image: Image): Promise<Image> {
    if (!this.protections) return image;
    const shown: [string, string | null][] = [];
    for (const [name, value] of Object.entries(image.properties)) {
      if (await this.allows(rights, 'read', image, name)) shown.push([name, value]);
    }
    return { ...image, properties: Object.fromEntries(shown) };
  }

  /** Fails with `Forbidden` unless the caller may create an image with these properties. */
  async checkNew(rights: Rights, image: Image): Promise<void> {
    for (const name of Object.keys(image.properties)) await this.#require(rights, 'create', image, name);
  }

  /**
   * Fails with `Forbidden` unless the caller may make these changes, and with `Conflict` for those of properties that he
   * may not know of.
   */
  async checkChanges(rights: Rights, image: Image, changes: readonly ImageChange[]): Promise<void> {
    if (!this.protections) return;
    const names = new Set(Object.keys(image.properties));
    for (const change of changes) {
      if (change.kind !== 'property') continue;
      const { op, name } = change;
      const exists = names.has(name);
      if (exists && op !== 'add' && !(await this.allows(rights, 'read', image, name))) {
        throw new ServiceError('Conflict', `The image has no property "${name}".`);
      }
      if (op === 'remove') {
        if (exists) await this.#require(rights, 'delete', image, name);
        names.delete(name);
      } else {
        await this.#require(rights, exists ? 'update' : 'create', image, name);
        names.add(name);
      }
    }
  }

  async #require(rights: Rights, operation: PropertyOperation, image: Image, name: string): Promise<void> {
    if (await this.allows(rights, operation, image, name)) return;
    throw new ServiceError('Forbidden', `The property "${name}" is protected: you may not ${operation} it.`);
  }
}

function protectionOf(
  { name, line, values }: ProtectionSection,
  format: 'roles' | 'policies',
  rules: ReadonlySet<string>,
): Protection {
  const where = `[${name}] in line ${line}`;
  const permissionOf = (operation: PropertyOperation): Permission => {
    const value = values.get(operation);
    if (value === undefined) throw new Error(`${where} does not say who may ${operation}.`);
    const words = value.split(',').map((word) => word.trim());
    const named = words.filter((word) => word !== '');
    if (named.includes('@') && named.includes('!'))
      throw new Error(`${where}: ${operation} is for @ and for ! at once.`);
    if (named.includes('@')) return everybody;
    if (named.includes('!') || named.length === 0) return nobody;
    if (format === 'roles') return { kind: 'roles', roles: named.map((role) => role.toLowerCase()) };
    if (named.length > 1) throw new Error(`${where}: ${operation} must name one policy rule.`);
    if (!rules.has(named[0]!)) throw new Error(`${where}: there is no policy rule "${named[0]}".`);
    return { kind: 'policy', rule: named[0]! };
  };
  const [create, read, update, remove] = operations.map(permissionOf) as [
    Permission,
    Permission,
    Permission,
    Permission,
  ];
  return { expression: expressionOf(name, where), permissions: { create, read, update, delete: remove } };
}

/** A regular expression as Python writes it, as far as the two languages go together. */
function expressionOf(text: string, where: string): RegExp {
  const ignoreCase = text.startsWith('(?i)');
  try {
    return new RegExp(ignoreCase ? text.slice('(?i)'.length) : text, ignoreCase ? 'i' : '');
  } catch (error) {
    throw new Error(`${where} is no regular expression: ${(error as Error).message}`);
  }
}
