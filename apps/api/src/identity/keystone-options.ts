import { choice, declare, flag, integer, list, number, text, type ValuesOf } from '@glance/config';

/** How the api asks Keystone who a token belongs to. */
export const keystoneOptions = declare('keystone_authtoken', {
  www_authenticate_uri: text({
    help: 'Where clients that are not logged in are sent: the public address of Keystone.',
  }),
  auth_url: text({ help: 'Address of Keystone that the service itself uses.' }),
  auth_type: choice(['password', 'v3password', 'v3applicationcredential'], {
    default: 'password',
    help: 'How the service logs in.',
  }),
  username: text({ help: 'User name of the service.', aliases: ['admin_user', 'user_name'] }),
  user_id: text({ help: 'User id of the service, instead of its name.' }),
  password: text({ secret: true, help: 'Password of the service.', aliases: ['admin_password'] }),
  project_name: text({ help: 'Project of the service.', aliases: ['admin_tenant_name', 'tenant_name'] }),
  project_id: text({ help: 'Project id of the service, instead of its name.' }),
  user_domain_name: text({ help: 'Domain of the user.' }),
  user_domain_id: text({ help: 'Domain id of the user, instead of its name; “default” if neither is given.' }),
  project_domain_name: text({ help: 'Domain of the project.' }),
  project_domain_id: text({ help: 'Domain id of the project, instead of its name; “default” if neither is given.' }),
  application_credential_id: text({ help: 'Application credential, with auth_type = v3applicationcredential.' }),
  application_credential_secret: text({ secret: true, help: 'Its secret.' }),
  region_name: text({ help: 'Region of Keystone; accepted, as auth_url says where it is.' }),
  interface: text({ default: 'internal', help: 'Interface of Keystone; accepted, as auth_url says where it is.' }),
  cafile: text({ help: 'PEM file of the authorities that Keystone’s certificate is checked against.' }),
  certfile: text({ help: 'PEM file of the client certificate.' }),
  keyfile: text({ help: 'PEM file of its key.' }),
  insecure: flag({ default: false, help: 'Do not check Keystone’s certificate.' }),
  http_connect_timeout: number({ default: 10, min: 0.1, help: 'Seconds that Keystone may take to answer.' }),
  http_request_max_retries: integer({ default: 3, min: 0, help: 'How often a request that failed is tried again.' }),
  token_cache_time: integer({
    default: 300,
    min: -1,
    help: 'Seconds that a token counts as valid without asking again; -1 asks every time.',
  }),
  memcached_servers: list({
    default: [],
    aliases: ['memcache_servers'],
    help:
      'memcached servers in which all processes share what Keystone said of tokens: host:port, [address]:port or ' +
      'unix:/path. Without them each process asks for itself.',
  }),
  memcache_security_strategy: choice(['None', 'MAC', 'ENCRYPT', 'none', 'mac', 'encrypt'], {
    default: 'None',
    help: 'Whether what is kept in memcached is signed (MAC), or signed and encrypted (ENCRYPT).',
  }),
  memcache_secret_key: text({
    secret: true,
    help: 'What the keys for memcache_security_strategy are derived from; the same for all processes.',
  }),
  memcache_pool_socket_timeout: number({ default: 3, min: 0.01, help: 'Seconds that memcached may take to answer.' }),
  memcache_pool_dead_retry: number({
    default: 300,
    min: 0,
    help: 'Seconds that a memcached which failed is left alone.',
  }),
  service_token_roles: list({
    default: ['service'],
    help: 'Roles of which a service must have one to act for a user whose token has expired.',
  }),
  service_token_roles_required: flag({
    default: false,
    help: 'Refuse service tokens without one of service_token_roles; otherwise they count as a service’s all the same.',
  }),
  service_type: text({
    default: 'image',
    help: 'The name by which access rules of application credentials call this service.',
  }),
});

export type KeystoneSettings = ValuesOf<typeof keystoneOptions>;
