import type { Declaration, ValuesOf } from '@glance/config';

/** The defaults of a declaration, with some values in their place. */
export function settingsOf<D extends Declaration>(declaration: D, given: Partial<ValuesOf<D>>): ValuesOf<D> {
  const defaults = Object.entries(declaration.options).map(([name, option]) => [inCamelCase(name), option.default]);
  return { ...(Object.fromEntries(defaults) as ValuesOf<D>), ...given };
}

const inCamelCase = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
