import type { NamespaceAttributes } from '@glance/domain';
import type { NamespaceValues } from './namespace-rows.js';

/** The row that attributes make; what they leave open has Glance's defaults. */
export function valuesOf(attributes: NamespaceAttributes, owner: string): NamespaceValues {
  const defaults = { displayName: null, description: null, visibility: 'private', protected: false, owner } as const;
  return { ...defaults, ...attributes };
}
