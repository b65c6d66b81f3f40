import { type Image, type ImageAttributes, ServiceError } from '@glance/domain';

const invalid = (message: string): ServiceError => new ServiceError('Invalid', message);

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const largestInteger = 2_147_483_647;
/** Bytes of MySQL's TEXT. */
const longestText = 65_535;

/** Refuses an id that is not a UUID in its usual form; upper and lower case are kept and tell ids apart. */
export function checkId(id: string): void {
  if (!uuid.test(id)) throw invalid(`The image id must be a UUID such as 72d9f3d8-9c43-4a1c-a9d3-6c6b8f0c6b5e.`);
}

/** Refuses text that one of the databases could not keep: Glance's tables know only characters of three bytes. */
export function checkText(what: string, text: string, longest: number): void {
  if (text.length > longest) throw invalid(`${what} must have at most ${longest} characters.`);
  if (/[\ud800-\udfff\0]/.test(text)) {
    throw invalid(`${what} must not have characters beyond U+FFFF (such as emoji) or NUL characters.`);
  }
}

/** Refuses values of attributes that are too long or out of range. */
export function checkAttributes(set: Partial<ImageAttributes>): void {
  const texts = { name: 255, owner: 255, diskFormat: 20, containerFormat: 20 } as const;
  for (const key of Object.keys(texts) as (keyof typeof texts)[]) {
    const value = set[key];
    if (typeof value === 'string') checkText(key, value, texts[key]);
  }
  for (const key of ['minDisk', 'minRam'] as const) {
    const value = set[key];
    if (value === undefined) continue;
    if (!Number.isInteger(value) || value < 0 || value > largestInteger) {
      throw invalid(`${key} must be an integer from 0 to ${largestInteger}.`);
    }
  }
}

/** Refuses a property that clients may not set, or that does not fit. */
export function checkProperty(name: string, value: string | null | undefined): void {
  if (name.startsWith('os_glance')) {
    throw new ServiceError('Forbidden', `The property "${name}" is reserved: names must not begin with os_glance.`);
  }
  checkText('A property name', name, 255);
  if (value === undefined || value === null) return;
  checkText(`The property "${name}"`, value, longestText);
  if (Buffer.byteLength(value) > longestText)
    throw invalid(`The property "${name}" must have at most ${longestText} bytes.`);
}

export function checkTag(tag: string): void {
  checkText('A tag', tag, 255);
}

export interface Quotas {
  readonly imagePropertyQuota: number;
  readonly imageTagQuota: number;
  readonly imageLocationQuota: number;
}

function checkQuota(what: string, count: number, quota: number): void {
  if (quota < 0 || count <= quota) return;
  throw new ServiceError('LimitExceeded', `An image may have ${quota} ${what}, not ${count}.`);
}

export function checkTagQuota(count: number, { imageTagQuota }: Quotas): void {
  checkQuota('tags', count, imageTagQuota);
}

export function checkLocationQuota(count: number, { imageLocationQuota }: Quotas): void {
  checkQuota('locations', count, imageLocationQuota);
}

/** Applies when their number grows; an image that has too many since the quota was lowered may still be edited. */
export function checkPropertyQuota(before: Image['properties'], after: Image['properties'], quotas: Quotas): void {
  const count = (properties: Image['properties']): number =>
    Object.keys(properties).filter((name) => !name.startsWith('os_glance')).length;
  const now = count(after);
  if (now > count(before)) checkQuota('properties', now, quotas.imagePropertyQuota);
}
