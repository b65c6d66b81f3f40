import { existsSync, readFileSync } from 'node:fs';
import { ConfigError } from '@glance/config';
import type { JsonSchema } from '../discovery/schemas/json-schema.js';
import { isObject } from '../http/json-body.js';

/**
 * The schemas of properties that a `schema-image.json` has, by their names; undefined if there is no such file.
 * `ConfigError` if it is not an object of schemas, or a pattern is none.
 */
export function readImageProperties(path: string): Readonly<Record<string, JsonSchema>> | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const found: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (!isObject(found)) throw new Error('it must be an object with a schema under the name of each property');
    for (const [name, schema] of Object.entries(found)) {
      if (!isObject(schema)) throw new Error(`the schema of "${name}" must be an object`);
      if (typeof schema['pattern'] === 'string') new RegExp(schema['pattern']);
    }
    return found as Readonly<Record<string, JsonSchema>>;
  } catch (error) {
    throw new ConfigError([`${path} cannot be used: ${(error as Error).message}.`]);
  }
}
