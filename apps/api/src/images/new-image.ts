import type { NewImage } from '@glance/domain';
import {
  attribute,
  type Formats,
  imageId,
  invalid,
  isAttribute,
  propertyName,
  propertyValue,
  refuseReserved,
  tagList,
} from './attributes.js';

/** Glance: accepted, up to so many characters, and dropped; clients send a shown image back. */
const dropped = new Map([
  ['os_hash_algo', 64],
  ['os_hash_value', 128],
]);

/** What the body of a create request asks for. */
export function newImage(body: Readonly<Record<string, unknown>>, formats: Formats): NewImage {
  const image: { -readonly [K in keyof NewImage]: NewImage[K] } = {};
  const properties: Record<string, string | null> = {};
  for (const [name, value] of Object.entries(body)) {
    if (isAttribute(name)) Object.assign(image, attribute(name, value, formats));
    else if (name === 'id') image.id = imageId(value);
    else if (name === 'tags') image.tags = tagList(value);
    else if (dropped.has(name)) nullOrShort(name, value, dropped.get(name)!);
    else {
      propertyName(name);
      // Glance: `deleted: true` is a wrong type before it is a reserved name.
      if (name === 'deleted') propertyValue(name, value, formats);
      refuseReserved(name);
      properties[name] = propertyValue(name, value, formats);
    }
  }
  return { ...image, properties };
}

function nullOrShort(name: string, value: unknown, most: number): void {
  if (value === null || (typeof value === 'string' && value.length <= most)) return;
  throw invalid(name, `null or a string of at most ${most} characters`);
}
