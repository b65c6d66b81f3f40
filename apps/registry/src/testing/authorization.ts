import { glanceRules, Policy } from '@glance/policy';
import { Authorization } from '../authorization/authorization.js';
import type { AuthorizationSettings } from '../authorization/authorization-options.js';
import { PropertyProtection } from '../authorization/property-protection.js';

/** The defaults, without any file. */
export const authorizationSettings: AuthorizationSettings = {
  policyFile: '/nonexistent/policy.yaml',
  policyDirs: [],
  policyDefaultRule: 'default',
  enforceNewDefaults: true,
  enforceScope: true,
  remoteContentType: 'application/x-www-form-urlencoded',
  remoteSslVerifyServerCrt: false,
  remoteSslCaCrtFile: undefined,
  remoteSslClientCrtFile: undefined,
  remoteSslClientKeyFile: undefined,
  remoteTimeout: 60,
  propertyProtectionFile: undefined,
  propertyProtectionRuleFormat: 'roles',
};

/** Glance's rules with `overrides` over them, and the property protection that this file says. */
export function authorizationWith(
  overrides: Readonly<Record<string, string>>,
  protection?: { readonly file: string; readonly format?: 'roles' | 'policies' },
): Authorization {
  const current = new Policy(glanceRules, { overrides });
  const properties = protection
    ? PropertyProtection.parse(protection.file, protection.format ?? 'roles', current)
    : PropertyProtection.none;
  return new Authorization({ current }, true, properties);
}
