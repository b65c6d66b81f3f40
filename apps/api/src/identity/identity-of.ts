import { type Logger, ServiceError } from '@glance/domain';
import type { ApiSettings } from '../config.js';
import type { Identity } from './identity.js';
import { KeystoneIdentity } from './keystone.js';
import { noIdentity } from './none.js';

const withKeystone = ['keystone', 'keystone+caching', 'keystone+cachemanagement'];
const withoutLogin = ['', 'caching', 'cachemanagement'];

/** Whether callers log in at Keystone under this `[paste_deploy] flavor`. */
export const asksKeystone = (flavor = ''): boolean => withKeystone.includes(flavor);

/**
 * Who vouches for callers under this `[paste_deploy] flavor`. Fails with `Invalid` for one that is not known: serving
 * everybody as an administrator because of a misspelling must not happen.
 */
export function identityOf(
  { flavor = '', allowAnonymousAccess, keystone }: Pick<ApiSettings, 'flavor' | 'allowAnonymousAccess' | 'keystone'>,
  logger: Logger,
): Identity {
  if (withoutLogin.includes(flavor)) return noIdentity;
  if (!asksKeystone(flavor)) {
    const known = [...withKeystone, ...withoutLogin.slice(1)].join(', ');
    throw new ServiceError('Invalid', `[paste_deploy] flavor = ${flavor}: must be one of ${known}, or left out.`);
  }
  if (!keystone) throw new ServiceError('Invalid', `[paste_deploy] flavor = ${flavor} needs [keystone_authtoken].`);
  return new KeystoneIdentity(keystone, allowAnonymousAccess, logger);
}
