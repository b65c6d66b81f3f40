import { choice, type Config, declare, flag, integer, number, text, type ValuesOf } from '@glance/config';

const units: Readonly<Record<string, number>> = { B: 0, KB: 1, MB: 2, GB: 3, TB: 4 };

/** Bytes of `10GB` and the like; undefined if it is none. Glance: a KB has 1024 bytes. */
export function storageSize(value: string): number | undefined {
  const [, digits, unit = 'B'] = /^(\d+)\s*(B|KB|MB|GB|TB)?$/.exec(value.trim()) ?? [];
  if (digits === undefined) return undefined;
  const bytes = Number(digits) * 1024 ** units[unit]!;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** What one project may use. */
const quotaOptions = declare('DEFAULT', {
  user_storage_quota: text({
    default: '0',
    help:
      'Bytes that the images of one project may take in all stores together, such as 500GB (B, KB, MB, GB or TB); 0 sets ' +
      'no limit. Not looked at with use_keystone_limits.',
    check: (value) => (storageSize(value) === undefined ? 'a number, with B, KB, MB, GB or TB behind it' : undefined),
  }),
  use_keystone_limits: flag({
    default: false,
    help:
      'Keep to the unified limits that Keystone has for this service: image_size_total and image_stage_total in MiB, ' +
      'image_count_total, image_count_uploading. A limit that is not registered there is 0. Needs [oslo_limit].',
  }),
});

/** How Keystone is asked for limits. */
const limitOptions = declare('oslo_limit', {
  endpoint_id: text({ help: 'Id of the endpoint of this service in Keystone, which says whose limits count.' }),
  endpoint_service_type: text({ help: 'Without endpoint_id: the type of the service, such as image.' }),
  endpoint_service_name: text({ help: 'Without endpoint_id: the name of the service, such as glance.' }),
  endpoint_region_name: text({ help: 'Without endpoint_id: the region of the endpoint.' }),
  endpoint_interface: text({ default: 'publicURL', help: 'Without endpoint_id: public, internal or admin.' }),
  auth_url: text({ help: 'Address of Keystone.' }),
  auth_type: choice(['password', 'v3password', 'v3applicationcredential'], {
    default: 'password',
    help: 'How the service logs in.',
  }),
  username: text({ help: 'User name of the service.', aliases: ['user_name'] }),
  user_id: text({ help: 'User id of the service, instead of its name.' }),
  password: text({ secret: true, help: 'Password of the service.' }),
  user_domain_name: text({ help: 'Domain of the user.' }),
  user_domain_id: text({ help: 'Domain id of the user, instead of its name; “default” if neither is given.' }),
  system_scope: text({ help: 'all: log in for the whole cloud, which reading the limits of all projects needs.' }),
  project_name: text({ help: 'Project of the service, instead of system_scope.', aliases: ['tenant_name'] }),
  project_id: text({ help: 'Project id of the service, instead of its name.' }),
  project_domain_name: text({ help: 'Domain of the project.' }),
  project_domain_id: text({ help: 'Domain id of the project, instead of its name; “default” if neither is given.' }),
  application_credential_id: text({ help: 'Application credential, with auth_type = v3applicationcredential.' }),
  application_credential_secret: text({ secret: true, help: 'Its secret.' }),
  cafile: text({ help: 'PEM file of the authorities that Keystone’s certificate is checked against.' }),
  certfile: text({ help: 'PEM file of the client certificate.' }),
  keyfile: text({ help: 'PEM file of its key.' }),
  insecure: flag({ default: false, help: 'Do not check Keystone’s certificate.' }),
  timeout: number({ default: 10, min: 0.1, help: 'Seconds that Keystone may take to answer.' }),
  connect_retries: integer({ default: 1, min: 0, help: 'How often a request that failed is tried again.' }),
});

export const quotaDeclarations = [quotaOptions, limitOptions] as const;

export type LimitSettings = ValuesOf<typeof limitOptions>;

export interface QuotaSettings {
  /** Bytes; 0 is no limit. */
  readonly userStorageQuota: number;
  /** Present when Keystone's limits count. */
  readonly limits?: LimitSettings;
}

/** What a project may use, as the configuration says. */
export function readQuotaSettings(config: Config): QuotaSettings {
  const { userStorageQuota, useKeystoneLimits } = config.read(quotaOptions);
  return {
    userStorageQuota: storageSize(userStorageQuota) ?? 0,
    ...(useKeystoneLimits && { limits: config.read(limitOptions) }),
  };
}
