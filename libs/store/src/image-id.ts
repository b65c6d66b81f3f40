import { ServiceError } from '@glance/domain';

const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';

/** A pattern for names that consist of the id of an image, which is captured, and what stands around it. */
export function namePattern(before: string, after: string): RegExp {
  return new RegExp(`^${before}(${uuid})${after.replaceAll('UUID', uuid)}$`, 'i');
}

/** The name of an image's own object. */
export const imageName = namePattern('', '');

/** Whether an id can be used as a name: it cannot leave a directory, hide, or be taken for anything but an image's. */
export function isUsableName(id: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/.test(id);
}

/** `Invalid` for an id that cannot be used as a name. */
export function assertUsableName(id: string): void {
  if (isUsableName(id)) return;
  throw new ServiceError('Invalid', 'The id of an image must consist of letters, digits, ".", "_" and "-".');
}
