import type { Logger } from '@glance/domain';
import { Authorization } from './authorization.js';
import type { AuthorizationSettings } from './authorization-options.js';
import { PolicyFiles } from './policy-files.js';
import { PropertyProtection } from './property-protection.js';
import { remoteCheck } from './remote-check.js';

/** What policy and property protection files say; without settings, Glance's rules. Fails with `Invalid`. */
export function authorizationBy(settings: AuthorizationSettings | undefined, logger: Logger): Authorization {
  if (!settings) return new Authorization();
  const policies = new PolicyFiles(settings, remoteCheck(settings, logger), logger);
  const properties = PropertyProtection.read(settings, policies.current);
  return new Authorization(policies, settings.enforceScope, properties);
}
