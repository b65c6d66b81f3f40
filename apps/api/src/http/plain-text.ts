import { ServiceError } from '@glance/domain';

/**
 * `text`, if it can be stored: no characters beyond the basic plane, at most `max` characters.
 * Glance: its database columns are three-byte UTF-8.
 */
export function plainText(what: string, text: string, max = 255): string {
  if (/[\ud800-\udfff]/.test(text)) {
    throw new ServiceError('Invalid', `${what} must not contain characters outside the basic multilingual plane.`);
  }
  if (text.length > max) throw new ServiceError('Invalid', `${what} may have ${max} characters at most.`);
  return text;
}
