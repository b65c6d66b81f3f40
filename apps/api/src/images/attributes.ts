import { type ImageAttributes, ServiceError, visibilities, type Visibility } from '@glance/domain';
import type { ApiSettings } from '../config.js';
import type { JsonSchema } from '../discovery/schemas/json-schema.js';
import { plainText } from '../http/plain-text.js';
import { ownProperties } from './own-properties.js';

/** The formats that images may have, and what is known of their properties, from the configuration. */
export interface Formats {
  readonly disk: readonly string[];
  readonly container: readonly string[];
  /** Schemas of properties by their names; absent: our own. */
  readonly properties?: Readonly<Record<string, JsonSchema>> | undefined;
}

type Check<T> = (what: string, value: unknown, formats: Formats) => T;

/** The attributes that a client sets, by their names on the wire. */
const checks = {
  name: ['name', orNull(text)],
  owner: ['owner', orNull(text)],
  visibility: ['visibility', oneOf<Visibility>(() => visibilities)],
  disk_format: ['diskFormat', orNull(oneOf(({ disk }) => disk))],
  container_format: ['containerFormat', orNull(oneOf(({ container }) => container))],
  min_disk: ['minDisk', count],
  min_ram: ['minRam', count],
  protected: ['protected', flag],
  os_hidden: ['osHidden', flag],
} as const satisfies Record<string, readonly [keyof ImageAttributes, Check<unknown>]>;

type AttributeName = keyof typeof checks;

/** Only the server sets these. */
const readOnly = new Set(['created_at', 'updated_at', 'status', 'checksum', 'size', 'virtual_size']);

/** These are views of other things, or stand for something that a property must not be taken for. */
const notProperties = new Set(['direct_url', 'self', 'file', 'schema', 'stores', 'locations', 'location']);

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The formats and properties of the configuration. */
export function formatsOf(
  settings: Pick<ApiSettings, 'diskFormats' | 'containerFormats' | 'imageProperties'>,
): Formats {
  const { diskFormats, containerFormats, imageProperties } = settings;
  return { disk: diskFormats, container: containerFormats, properties: imageProperties };
}

/** Whether `name` is an attribute that a client may set. */
export function isAttribute(name: string): name is AttributeName {
  return Object.hasOwn(checks, name);
}

/** One attribute, checked: `min_disk: 3` becomes `{ minDisk: 3 }`. `Invalid` if the value is not allowed. */
export function attribute(name: AttributeName, value: unknown, formats: Formats): Partial<ImageAttributes> {
  const [key, check] = checks[name];
  return { [key]: check(name, value, formats) };
}

/** Refuses, with `Forbidden`, names that no client may write to. */
export function refuseReserved(name: string): void {
  if (readOnly.has(name)) throw new ServiceError('Forbidden', `Attribute "${name}" is read-only.`);
  // Glance: without an underscore after it.
  if (notProperties.has(name) || name === 'deleted' || name === 'deleted_at' || name.startsWith('os_glance')) {
    throw new ServiceError('Forbidden', `Attribute "${name}" is reserved.`);
  }
}

/** A list of tags; duplicates collapse. */
export function tagList(value: unknown): string[] {
  if (!Array.isArray(value)) throw invalid('tags', 'a list of strings');
  return [...new Set(value.map((tag) => text('a tag', tag)))];
}

/** An image id in the one form that is accepted. Its case is kept and matters. */
export function imageId(value: unknown): string {
  if (typeof value !== 'string' || !uuid.test(value))
    throw invalid('id', 'a UUID such as 8-4-4-4-12 hexadecimal digits');
  return value;
}

/** The name of a custom property. */
export function propertyName(name: string): string {
  if (name === '' || name === '__proto__') throw new ServiceError('Invalid', `A property cannot be called "${name}".`);
  return plainText('The name of a property', name);
}

const maxPropertyBytes = 65_535;

/**
 * The value of a custom property: text, or null where its schema says so. Numbers and booleans are refused, as they would
 * come back as text.
 */
export function propertyValue(name: string, value: unknown, { properties = ownProperties }: Formats): string | null {
  const schema = Object.hasOwn(properties, name) ? properties[name]! : {};
  if (value === null && [schema['type']].flat().includes('null')) return null;
  if (typeof value !== 'string') throw invalid(name, 'a string');
  plainText(`The value of "${name}"`, value, maxPropertyBytes);
  const objection = objectionTo(schema, value);
  if (objection !== undefined) throw invalid(name, objection);
  if (Buffer.byteLength(value) > maxPropertyBytes) throw invalid(name, `at most ${maxPropertyBytes} bytes`);
  return value;
}

/** What a text must be instead, by the schema of its property. */
function objectionTo({ enum: choices, pattern, maxLength, minLength }: JsonSchema, value: string): string | undefined {
  if (Array.isArray(choices) && !choices.includes(value)) return `one of ${choices.join(', ')}`;
  if (typeof pattern === 'string' && !new RegExp(pattern).test(value)) return `a string that matches ${pattern}`;
  if (typeof maxLength === 'number' && value.length > maxLength) return `at most ${maxLength} characters`;
  if (typeof minLength === 'number' && value.length < minLength) return `at least ${minLength} characters`;
  return undefined;
}

/** The error about a value that must be `right`. */
export function invalid(what: string, right: string): ServiceError {
  return new ServiceError('Invalid', `Invalid value for "${what}": it must be ${right}.`);
}

function text(what: string, value: unknown): string {
  if (typeof value !== 'string') throw invalid(what, 'a string');
  return plainText(`The value of "${what}"`, value);
}

function flag(what: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw invalid(what, 'true or false');
  return value;
}

function count(what: string, value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 2_147_483_647) return value;
  throw invalid(what, 'an integer from 0 to 2147483647');
}

function oneOf<T extends string>(choices: (formats: Formats) => readonly T[]): Check<T> {
  return (what, value, formats) => {
    const allowed = choices(formats);
    const found = allowed.find((choice) => choice === value);
    if (found === undefined) throw invalid(what, `one of ${allowed.join(', ')}`);
    return found;
  };
}

function orNull<T>(check: Check<T>): Check<T | null> {
  return (what, value, formats) => (value === null ? null : check(what, value, formats));
}
