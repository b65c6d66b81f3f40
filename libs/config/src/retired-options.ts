/** Options that Glance or its libraries once had, and what does their work now. */
export interface Retirement {
  readonly group: string;
  /** A trailing `*` stands for any ending. */
  readonly names: readonly string[];
  /** The Glance release without them, where one is known. */
  readonly since: string;
  readonly instead: string;
}

const registry = 'the api reaches the registry by [DEFAULT] transport_url, and needs no user for it';
const broker = 'use [DEFAULT] transport_url';
const weights = 'use weight in the group of each store';

type Row = readonly [names: string, since: string, instead: string];

const rows: Readonly<Record<string, readonly Row[]>> = {
  DEFAULT: [
    ['registry_host registry_port registry_client_* use_user_token', 'Ussuri', registry],
    ['auth_strategy auth_region auth_url admin_user admin_password admin_tenant_name', 'Ussuri', registry],
    ['enable_v1_api enable_v1_registry', 'Rocky', 'version 1 of the API is never served'],
    ['enable_v2_api enable_v2_registry', 'Rocky', 'version 2 of the API is always served'],
    ['owner_is_tenant', 'Wallaby', 'images always belong to projects'],
    ['admin_role', '', 'use the policy rule context_is_admin'],
    ['allow_additional_image_properties', 'Ussuri', 'always allowed; image_property_quota limits them'],
    ['enable_image_import', '', 'imports are on unless enabled_import_methods is empty'],
    ['enforce_secure_rbac', '2023.1', 'use [oslo_policy] enforce_scope and enforce_new_defaults'],
    ['location_strategy', '2024.2', weights],
    ['cache_prefetcher_interval', '', 'queueing an image by PUT /v2/cache/{image_id} fetches it at once'],
    ['cert_file key_file ca_file', '2023', 'let a proxy end TLS'],
    ['secure_proxy_ssl_header', '', 'use [oslo_middleware] enable_proxy_headers_parsing'],
    ['data_api sql_*', '', 'use [database] connection'],
    ['verbose', '', 'messages of level INFO are always logged; see debug'],
    ['rpc_backend rabbit_* qpid_*', '', broker],
  ],
  database: [
    ['sql_connection', '', 'use connection'],
    ['idle_timeout sql_idle_timeout', '', 'use connection_recycle_time'],
  ],
  glance_store: [['sheepdog_store_*', 'Ussuri', 'Sheepdog is gone']],
  keystone_authtoken: [
    ['auth_uri', '', 'use www_authenticate_uri'],
    ['auth_host auth_port auth_protocol identity_uri', '', 'use auth_url'],
    ['admin_user admin_password admin_token', '', 'use username and password'],
    ['admin_tenant_name', '', 'use project_name'],
  ],
  oslo_messaging_rabbit: [
    ['rabbit_host rabbit_hosts rabbit_port rabbit_userid rabbit_password rabbit_virtual_host', '', broker],
    // Glance: never had an effect in this group; packstack and its kin write it all the same.
    ['default_notification_exchange', '', 'use [DEFAULT] control_exchange'],
  ],
  store_type_location_strategy: [['*', '2024.2', weights]],
};

/** Options that no Glance reads any more, though files still have them. */
export const retiredOptions: readonly Retirement[] = Object.entries(rows).flatMap(([group, options]) =>
  options.map(([names, since, instead]) => ({ group, names: names.split(' '), since, instead })),
);
