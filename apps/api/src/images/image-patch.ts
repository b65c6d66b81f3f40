import { type ImageChange, ServiceError } from '@glance/domain';
import { isObject } from '../http/json-body.js';
import { patchedLocation } from './new-location.js';
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

/** What a PATCH consists of. */
export type PatchStep =
  | ImageChange
  /** From 0; -1 is the last one. */
  | { readonly kind: 'removeLocation'; readonly position: number };

export interface PatchRules extends Formats {
  /** The digest that locations may be vouched for by; null where locations are not to be seen, nor changed. */
  readonly locations: string | null;
}

interface Step {
  readonly op: 'add' | 'replace' | 'remove';
  readonly name: string;
  /** What follows the name: a position in a list. */
  readonly position: string | undefined;
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
export function imageChanges(body: unknown, dialect: PatchDialect, rules: PatchRules): PatchStep[] {
  if (!Array.isArray(body)) throw new ServiceError('Invalid', 'The body of a PATCH must be a JSON list of operations.');
  const parse = dialect === '2.1' ? stepOf21 : stepOf20;
  return body.map((item: unknown) => {
    if (!isObject(item)) throw new ServiceError('Invalid', 'Every operation of a PATCH must be a JSON object.');
    return change(parse(item), dialect, rules);
  });
}

function change(step: Step, dialect: PatchDialect, rules: PatchRules): PatchStep {
  const { op, name, value } = step;
  if (name === 'locations') return locationStep(step, rules);
  if (step.position !== undefined) {
    throw new ServiceError('Invalid', `The path "/${name}/…" must name an attribute, nothing in it.`);
  }
  if (isAttribute(name) || name === 'tags') {
    if (op === 'remove') throw new ServiceError('Forbidden', `Attribute "${name}" cannot be removed.`);
    // Glance: in the older notation an attribute always exists already, so it can only be replaced.
    if (op === 'add' && dialect === '2.0') throw new ServiceError('Conflict', `Attribute "${name}" exists already.`);
    return name === 'tags'
      ? { kind: 'tags', tags: tagList(value) }
      : { kind: 'attribute', set: attribute(name, value, rules) };
  }
  if (name === 'id' || name === 'os_hash_algo' || name === 'os_hash_value') {
    throw new ServiceError('Forbidden', `Attribute "${name}" is read-only.`);
  }
  refuseReserved(name);
  if (op === 'remove') return { kind: 'property', op, name };
  const property = { kind: 'property', op, name, value: propertyValue(name, value, rules) } as const;
  return op === 'add' && dialect === '2.0' ? { ...property, mustNotExist: true } : property;
}

function locationStep({ op, position, value }: Step, { locations: algorithm }: PatchRules): PatchStep {
  if ((position === undefined) !== (op === 'replace')) {
    throw new ServiceError(
      'Invalid',
      'Locations are replaced at "/locations"; added and removed at "/locations/<position>".',
    );
  }
  if (algorithm === null) {
    throw new ServiceError('Forbidden', 'Locations cannot be changed here: show_multiple_locations is off.');
  }
  if (position !== undefined && !/^(?:-|\d{1,9})$/.test(position)) {
    throw new ServiceError('Invalid', `"${position}" is no position of a location.`);
  }
  if (op === 'remove') return { kind: 'removeLocation', position: position === '-' ? -1 : Number(position) };
  if (op === 'add') return { kind: 'locations', op, locations: [patchedLocation(value, algorithm)] };
  if (!Array.isArray(value)) throw new ServiceError('Invalid', 'Locations must be a list.');
  const locations = value.map((item: unknown) => patchedLocation(item, algorithm));
  return { kind: 'locations', op, locations };
}

const operations = ['add', 'replace', 'remove'] as const;

/** `{ "op": "add", "path": "/name", "value": … }` */
function stepOf21(item: Readonly<Record<string, unknown>>): Step {
  const op = operations.find((known) => known === item['op']);
  if (!op) throw new ServiceError('Invalid', `The "op" of an operation must be one of ${operations.join(', ')}.`);
  return { op, ...partsOf(item['path']), value: valueIn(item, op) };
}

/** `{ "add": "/name", "value": … }` */
function stepOf20(item: Readonly<Record<string, unknown>>): Step {
  const found = operations.filter((known) => Object.hasOwn(item, known));
  const [op] = found;
  if (!op || found.length > 1) {
    throw new ServiceError('Invalid', `An operation must have exactly one of the keys ${operations.join(', ')}.`);
  }
  return { op, ...partsOf(item[op]), value: valueIn(item, op) };
}

function valueIn(item: Readonly<Record<string, unknown>>, op: Step['op']): unknown {
  if (op === 'remove') return undefined;
  if (!Object.hasOwn(item, 'value')) throw new ServiceError('Invalid', `The operation "${op}" needs a "value".`);
  return item['value'];
}

/** The attribute that a JSON pointer names, and what follows. */
function partsOf(path: unknown): Pick<Step, 'name' | 'position'> {
  if (typeof path !== 'string' || !path.startsWith('/')) {
    throw new ServiceError('Invalid', 'The path of an operation must be a string such as "/name".');
  }
  if (/~(?![01])/.test(path))
    throw new ServiceError('Invalid', `In the path "${path}" only ~0 and ~1 may follow a "~".`);
  const [segment = '', position, ...more] = path.slice(1).split('/');
  if (more.length > 0) throw new ServiceError('Invalid', `The path "${path}" must name an attribute, nothing in it.`);
  return { name: propertyName(segment.replaceAll('~1', '/').replaceAll('~0', '~')), position };
}
