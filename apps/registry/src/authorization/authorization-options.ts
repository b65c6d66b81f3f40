import { choice, type Config, declare, flag, multi, number, text, type ValuesOf } from '@glance/config';

/** Which policy rules hold. */
export const policyOptions = declare('oslo_policy', {
  policy_file: text({
    default: 'policy.yaml',
    help:
      'File of policy rules, YAML or JSON, that win over the defaults. A name that is not absolute is looked for beside ' +
      'the configuration files and in /etc/glance; without the file, the defaults hold. Read again when it changes.',
  }),
  policy_dirs: multi({
    default: ['policy.d'],
    help: 'Directories whose files are read as policy files too, in the order of their names, over policy_file.',
  }),
  policy_default_rule: text({ default: 'default', help: 'The rule that holds for one that does not exist.' }),
  enforce_new_defaults: flag({
    default: true,
    help: 'Use the rules with the personas reader, member and admin only. Off, what the older rules allow is allowed too.',
  }),
  enforce_scope: flag({
    default: true,
    help: 'Refuse tokens that are for the whole cloud or for a domain instead of a project.',
  }),
  remote_content_type: choice(['application/x-www-form-urlencoded', 'application/json'], {
    default: 'application/x-www-form-urlencoded',
    help: 'How http: and https: checks send what they ask.',
  }),
  remote_ssl_verify_server_crt: flag({ default: false, help: 'Check the certificate of the server of https: checks.' }),
  remote_ssl_ca_crt_file: text({ help: 'PEM file of the authorities that it is checked against.' }),
  remote_ssl_client_crt_file: text({ help: 'PEM file of the client certificate for https: checks.' }),
  remote_ssl_client_key_file: text({ help: 'PEM file of its key.' }),
  remote_timeout: number({
    default: 60,
    min: 0,
    help: 'Seconds that a server may take to answer an http: or https: check before it counts as refusing.',
  }),
});

/** Which custom properties are not everybody's. */
export const protectionOptions = declare('DEFAULT', {
  property_protection_file: text({ help: 'File that says who may create, read, update and delete which properties.' }),
  property_protection_rule_format: choice(['roles', 'policies'], {
    default: 'roles',
    help: 'Whether the property protection file names roles or policy rules.',
  }),
});

/** Who may do what. Names of files are absolute. */
export type AuthorizationSettings = ValuesOf<typeof policyOptions> & ValuesOf<typeof protectionOptions>;

/** Reads both groups, and finds the files that they name. */
export function readAuthorizationSettings(config: Config): AuthorizationSettings {
  const policy = config.read(policyOptions);
  const protection = config.read(protectionOptions);
  const { propertyProtectionFile: file } = protection;
  return {
    ...policy,
    ...protection,
    policyFile: config.locate(policy.policyFile),
    policyDirs: policy.policyDirs.map((directory) => config.locate(directory)),
    propertyProtectionFile: file ? config.locate(file) : undefined,
  };
}
