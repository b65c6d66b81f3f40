import { type ImageAttributes, ServiceError, visibilities, type Visibility } from '@glance/domain';
import { plainText } from '../http/plain-text.js';

/** The formats that images may have, from the configuration. */
export interface Formats {
  readonly disk: readonly string[];
  readonly container: readonly string[];
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

/** What is known of single properties beyond their being text. */
const knownProperties: Readonly<Record<string, (name: string, value: unknown) => string>> = {
  kernel_id: uuidOrNothing,
  ramdisk_id: uuidOrNothing,
  cinder_encryption_key_deletion_policy: (name, value) => {
    if (value === 'on_image_deletion' || value === 'do_not_delete') return value;
    throw invalid(name, 'on_image_deletion or do_not_delete');
  },
};

const maxPropertyBytes = 65_535;

/** The value of a custom property: text. Numbers and booleans are refused, as they would come back as text. */
export function propertyValue(name: string, value: unknown): string {
  if (Object.hasOwn(knownProperties, name)) return knownProperties[name]!(name, value);
  if (typeof value !== 'string') throw invalid(name, 'a string');
  plainText(`The value of "${name}"`, value, maxPropertyBytes);
  if (Buffer.byteLength(value) > maxPropertyBytes) throw invalid(name, `at most ${maxPropertyBytes} bytes`);
  return value;
}

function uuidOrNothing(name: string, value: unknown): string {
  // Glance: null is accepted here, and shown as an empty string.
  if (value === null) return '';
  if (typeof value === 'string' && uuid.test(value)) return value;
  throw invalid(name, 'a UUID or null');
}

function invalid(what: string, right: string): ServiceError {
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
