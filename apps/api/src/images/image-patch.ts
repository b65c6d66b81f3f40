import { type ImageChange, ServiceError } from '@glance/domain';
import { isObject } from '../http/json-body.js';
import {
  attribute,
  type Formats,
  isAttribute,
  propertyName,
  propertyValue,
  refuseReserved,
  tagList,
} from './attributes.js';

/** The two notations of a change to an image. */
export const patchDialects = {
  'application/openstack-images-v2.1-json-patch': '2.1',
  'application/openstack-images-v2.0-json-patch': '2.0',
} as const;

export type PatchDialect = (typeof patchDialects)[keyof typeof patchDialects];

interface Step {
  readonly op: 'add' | 'replace' | 'remove';
  readonly name: string;
  /** Undefined only for `remove`. */
  readonly value: unknown;
}

/** The notation that a Content-Type names; `UnsupportedMediaType` if none. */
export function patchDialect(contentType: string | undefined): PatchDialect {
  const type = (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase();
  if (Object.hasOwn(patchDialects, type)) return patchDialects[type as keyof typeof patchDialects];
  throw new ServiceError(
    'UnsupportedMediaType',
    `The Content-Type of a PATCH must be one of ${Object.keys(patchDialects).join(', ')}.`,
  );
}

/** The changes that the body of a PATCH asks for, in their order. Only their syntax is checked. */
export function imageChanges(body: unknown, dialect: PatchDialect, formats: Formats): ImageChange[] {
  if (!Array.isArray(body)) throw new ServiceError('Invalid', 'The body of a PATCH must be a JSON list of operations.');
  const parse = dialect === '2.1' ? stepOf21 : stepOf20;
  return body.map((item: unknown) => {
    if (!isObject(item)) throw new ServiceError('Invalid', 'Every operation of a PATCH must be a JSON object.');
    return change(parse(item), dialect, formats);
  });
}

function change(step: Step, dialect: PatchDialect, formats: Formats): ImageChange {
  const { op, name, value } = step;
  if (isAttribute(name) || name === 'tags') {
    if (op === 'remove') throw new ServiceError('Forbidden', `Attribute "${name}" cannot be removed.`);
    // Glance: in the older notation an attribute always exists already, so it can only be replaced.
    if (op === 'add' && dialect === '2.0') throw new ServiceError('Conflict', `Attribute "${name}" exists already.`);
    return name === 'tags'
      ? { kind: 'tags', tags: tagList(value) }
      : { kind: 'attribute', set: attribute(name, value, formats) };
  }
  if (name === 'id' || name === 'os_hash_algo' || name === 'os_hash_value') {
    throw new ServiceError('Forbidden', `Attribute "${name}" is read-only.`);
  }
  refuseReserved(name);
  if (op === 'remove') return { kind: 'property', op, name };
  const property = { kind: 'property', op, name, value: propertyValue(name, value) } as const;
  return op === 'add' && dialect === '2.0' ? { ...property, mustNotExist: true } : property;
}

const operations = ['add', 'replace', 'remove'] as const;

/** `{ "op": "add", "path": "/name", "value": … }` */
function stepOf21(item: Readonly<Record<string, unknown>>): Step {
  const op = operations.find((known) => known === item['op']);
  if (!op) throw new ServiceError('Invalid', `The "op" of an operation must be one of ${operations.join(', ')}.`);
  return { op, name: nameIn(item['path']), value: valueIn(item, op) };
}

/** `{ "add": "/name", "value": … }` */
function stepOf20(item: Readonly<Record<string, unknown>>): Step {
  const found = operations.filter((known) => Object.hasOwn(item, known));
  const [op] = found;
  if (!op || found.length > 1) {
    throw new ServiceError('Invalid', `An operation must have exactly one of the keys ${operations.join(', ')}.`);
  }
  return { op, name: nameIn(item[op]), value: valueIn(item, op) };
}

function valueIn(item: Readonly<Record<string, unknown>>, op: Step['op']): unknown {
  if (op === 'remove') return undefined;
  if (!Object.hasOwn(item, 'value')) throw new ServiceError('Invalid', `The operation "${op}" needs a "value".`);
  return item['value'];
}

/** The attribute that a JSON pointer of one segment names. */
function nameIn(path: unknown): string {
  if (typeof path !== 'string' || !path.startsWith('/')) {
    throw new ServiceError('Invalid', 'The path of an operation must be a string such as "/name".');
  }
  if (/~(?![01])/.test(path))
    throw new ServiceError('Invalid', `In the path "${path}" only ~0 and ~1 may follow a "~".`);
  const [segment = '', ...more] = path.slice(1).split('/');
  if (segment === 'locations') {
    throw new ServiceError('Forbidden', 'The locations of an image cannot be changed this way.');
  }
  if (more.length > 0) throw new ServiceError('Invalid', `The path "${path}" must name an attribute, nothing in it.`);
  return propertyName(segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}
