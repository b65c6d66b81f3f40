import type { ImportPlugin } from '../import-plugin.js';

export interface InjectSettings {
  /** Compared in lower case. */
  readonly ignoreUserRoles: readonly string[];
  readonly inject: Readonly<Record<string, string>>;
}

/** Gives properties to whatever is imported, unless whoever asks for it has one of some roles. */
export function injectImageMetadata({ ignoreUserRoles, inject }: InjectSettings): ImportPlugin {
  const ignored = new Set(ignoreUserRoles.map((role) => role.toLowerCase()));
  // Glance: names that are the service's own cannot be set like this.
  const properties = Object.fromEntries(Object.entries(inject).filter(([name]) => !name.startsWith('os_glance')));
  return {
    name: 'inject_image_metadata',
    run: async ({ roles }) => (roles.some((role) => ignored.has(role)) ? {} : { properties }),
  };
}
