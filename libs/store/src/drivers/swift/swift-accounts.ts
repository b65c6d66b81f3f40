import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { readGroups } from '@glance/config';
import { ServiceError } from '@glance/domain';
import type { OpenstackAccount } from '../../http/openstack-session.js';
import type { SwiftSettings } from '../swift.js';

type Values = Readonly<Record<string, string | undefined>>;

const inDefaultDomain: Values = { user_domain_id: 'default', project_domain_id: 'default' };

/** The accounts that locations may refer to, by their names: those of the file, or else the one of the options. */
export function swiftAccounts(settings: SwiftSettings): ReadonlyMap<string, OpenstackAccount> {
  const { defaultSwiftReference: reference, swiftStoreConfigFile: file } = settings;
  if (file !== undefined && settings.swiftStoreMultiTenant) {
    throw refusal('swift_store_config_file and swift_store_multi_tenant do not go together.');
  }
  const groups = file === undefined ? new Map([[reference, ofOptions(settings)]]) : ofFile(file);
  if (!groups.has(reference)) throw refusal(`default_swift_reference must be one of ${[...groups.keys()].join(', ')}.`);
  return new Map([...groups].map(([name, values]) => [name, account(name, values, settings)]));
}

function ofOptions(settings: SwiftSettings): Values {
  return {
    ...inDefaultDomain,
    auth_address: settings.swiftStoreAuthAddress,
    user: settings.swiftStoreUser,
    key: settings.swiftStoreKey,
    application_credential_id: settings.swiftStoreApplicationCredentialId,
    application_credential_secret: settings.swiftStoreApplicationCredentialSecret,
  };
}

function ofFile(name: string): ReadonlyMap<string, Values> {
  // Glance: finds it beside its own files.
  const path = resolve('/etc/glance', name);
  try {
    return readGroups(readFileSync(path, 'utf8'), path);
  } catch (cause) {
    throw refusal(`The file that swift_store_config_file names cannot be read: ${(cause as Error).message}`, cause);
  }
}

function account(name: string, values: Values, settings: SwiftSettings): OpenstackAccount {
  const {
    auth_address: authUrl,
    user,
    key,
    application_credential_id: id,
    application_credential_secret: secret,
  } = values;
  const version = values['auth_version'] ?? settings.swiftStoreAuthVersion;
  if (!authUrl) throw refusal(`The account ${name} needs swift_store_auth_address, in the file auth_address.`);
  const domains = {
    userDomain: domainOf('user', values),
    projectDomain: domainOf('project', values),
  };
  const common = { authUrl, authVersion: version === '1' ? (1 as const) : (3 as const), ...domains };
  if (id && secret) {
    const applicationCredential = { id, secret };
    return { ...common, user: undefined, password: undefined, project: {}, applicationCredential };
  }
  const [, project, userName] = /^(.*):([^:]*)$/.exec(user ?? '') ?? [];
  if (!project || !userName || !key) {
    const message = 'needs swift_store_user, as project:user, and swift_store_key; in the file user and key.';
    throw refusal(`The account ${name} ${message}`);
  }
  return { ...common, user: userName, password: key, project: { name: project } };
}

function domainOf(of: 'user' | 'project', values: Values): { id?: string; name?: string } {
  const { [`${of}_domain_id`]: id, [`${of}_domain_name`]: name } = values;
  if (id) return { id };
  return name ? { name } : { id: 'default' };
}

const refusal = (message: string, cause?: unknown): ServiceError =>
  new ServiceError('StorageDenied', message, {}, { cause });
