import { type Config, declare, flag, integer, list, text, type ValuesOf } from '@glance/config';
import { cacheOptions } from './cache/cache-options.js';
import { corsOptions, type CorsSettings } from './http/cors-options.js';
import { keystoneOptions, type KeystoneSettings } from './identity/keystone-options.js';
import { importMethods } from '@glance/domain';
import { downloadOptions, glanceDownloadOptions, importFilterOptions } from './imports/download/download-options.js';
import { pluginDeclarations, type PluginSettings } from './imports/plugins/plugin-options.js';
import type { JsonSchema } from './discovery/schemas/json-schema.js';
import { readImageProperties } from './images/read-image-properties.js';
import { barbicanOptions, keyManagerOptions, type KeyManagerSettings } from './signatures/signature-options.js';
import { isDigestAlgorithm } from '@glance/store';

/** Options of the HTTP front door. */
const apiOptions = declare('DEFAULT', {
  bind_host: text({ default: '0.0.0.0', help: 'Address to listen on.' }),
  bind_port: integer({ default: 9292, min: 0, max: 65535, help: 'Port to listen on; 0 lets the system choose one.' }),
  backlog: integer({ default: 4096, min: 1, help: 'How many connections may wait to be accepted.' }),
  http_keepalive: flag({ default: true, help: 'Keep a connection open for further requests.' }),
  client_socket_timeout: integer({
    default: 900,
    min: 0,
    help: 'Seconds without a byte in either direction after which a connection is closed; 0 waits for ever.',
  }),
  max_header_line: integer({ default: 16384, min: 1024, help: 'Bytes that the header of a request may have.' }),
  public_endpoint: text({
    help: 'Base URL in version documents, for a service behind a proxy. The URL of the request is used otherwise.',
  }),
  max_request_id_length: integer({
    default: 64,
    min: 0,
    help: 'Characters that a request id sent by a client may have.',
  }),
  allow_anonymous_access: flag({
    default: false,
    help: 'Let whoever has no token, or one that is not valid, see public images. Only with a keystone flavor.',
  }),
  limit_param_default: integer({ default: 25, min: 1, help: 'Images on a page when a client asks for no number.' }),
  api_limit_max: integer({ default: 1000, min: 1, help: 'Images on a page at most.' }),
  hashing_algorithm: text({
    default: 'sha512',
    help: 'The digest that os_hash_value is computed by, beside the md5 in checksum.',
    check: (name) => (isDigestAlgorithm(name) ? undefined : 'a digest such as sha256 or sha512'),
  }),
  do_secure_hash: flag({
    default: true,
    help:
      'Read data that is registered by the locations API, to know its digests, or to check those that it is said to ' +
      'have. Otherwise what is said is believed.',
  }),
  http_retries: integer({
    default: 3,
    min: 0,
    help: 'How often data that is registered by the locations API, and cannot be read, is tried again.',
  }),
  show_image_direct_url: flag({
    default: false,
    help: 'Show where the data of an image lies (direct_url). Nova and Cinder clone RBD images by it.',
  }),
  show_multiple_locations: flag({
    default: false,
    deprecated: 'since Newton; use the locations API',
    help: 'Show all locations of an image, and let them be changed by PATCH.',
  }),
  shutdown_notice: integer({
    default: 0,
    min: 0,
    ours: true,
    help:
      'Seconds for which the service goes on when it is told to stop, while its health check already fails: a proxy ' +
      'in front of it must have noticed by then. Without a proxy nobody gains by it.',
  }),
  shutdown_grace: integer({
    default: 60,
    min: 0,
    ours: true,
    help: 'Seconds that running transfers have to finish when the service is told to stop.',
  }),
});

/** How images are imported. */
const importOptions = declare('DEFAULT', {
  enabled_import_methods: list({
    default: ['glance-direct', 'web-download', 'copy-image'],
    help: 'Import methods that clients may use. An empty list ([]) switches imports off.',
    check: (names) => {
      const known: readonly string[] = importMethods;
      return names.every((name) => known.includes(name)) ? undefined : `some of ${known.join(', ')}`;
    },
  }),
  worker_self_reference_url: text({
    help:
      'URL of this host, as other hosts reach it. Says whose staged data is whose when the staging area is not shared; ' +
      'without it, and without public_endpoint, it is taken to be shared by all.',
  }),
});

/** How many imports run. */
const taskPoolOptions = declare('wsgi', {
  task_pool_threads: integer({ default: 16, min: 1, help: 'Imports that run in one process at the same time.' }),
});

/** What formats an image may have, and how far its bytes are believed. */
const imageFormatOptions = declare('image_format', {
  container_formats: list({
    default: ['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed'],
    help: 'Accepted values of container_format.',
  }),
  disk_formats: list({
    default: ['ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'iso', 'ploop'],
    help: 'Accepted values of disk_format.',
  }),
  require_image_format_match: flag({
    default: true,
    help: 'Refuse data whose recognised format is not the disk_format of the image.',
  }),
  gpt_safety_checks_nonfatal: list({
    default: [],
    help: 'Names of GPT and MBR checks that only cause a line in the log.',
  }),
});

/** How much of what a proxy says is believed. */
const proxyOptions = declare('oslo_middleware', {
  enable_proxy_headers_parsing: flag({
    default: false,
    help: 'Take scheme, host and path prefix of links from Forwarded and X-Forwarded-* headers.',
  }),
});

/** Which checks stand before a request. */
const pipelineOptions = declare('paste_deploy', {
  flavor: text({
    help:
      'Who has to log in: with keystone, keystone+caching or keystone+cachemanagement everybody does; with caching, ' +
      'cachemanagement or none, nobody has to, and everybody is an administrator.',
  }),
});

const healthOptions = declare('healthcheck', {
  disable_by_file_path: text({
    default: '/etc/glance/healthcheck_disable',
    help: 'While this file exists, /healthcheck answers 503.',
  }),
});

const merged = [
  apiOptions,
  cacheOptions,
  importOptions,
  importFilterOptions,
  downloadOptions,
  glanceDownloadOptions,
  ...pluginDeclarations,
  taskPoolOptions,
  imageFormatOptions,
  proxyOptions,
  pipelineOptions,
  healthOptions,
] as const;

/** The declarations that `ApiSettings` is made of. */
export const apiDeclarations = [...merged, keystoneOptions, corsOptions, keyManagerOptions, barbicanOptions] as const;

/** What says under which URL this host is known, by which staged data is told apart. */
export const hostDeclarations = [apiOptions, importOptions] as const;

/** All that can be set about the api. */
export type ApiSettings = ValuesOf<typeof apiOptions> &
  ValuesOf<typeof cacheOptions> &
  ValuesOf<typeof importOptions> &
  ValuesOf<typeof importFilterOptions> &
  ValuesOf<typeof downloadOptions> &
  ValuesOf<typeof glanceDownloadOptions> &
  PluginSettings &
  ValuesOf<typeof taskPoolOptions> &
  ValuesOf<typeof imageFormatOptions> &
  ValuesOf<typeof proxyOptions> &
  ValuesOf<typeof pipelineOptions> &
  ValuesOf<typeof healthOptions> & {
    readonly cors: CorsSettings;
    readonly keyManager: KeyManagerSettings;
    /** What `schema-image.json` says of properties; undefined without that file. */
    readonly imageProperties: Readonly<Record<string, JsonSchema>> | undefined;
    /** Needed for the flavors with Keystone only. */
    readonly keystone?: KeystoneSettings;
  };

/** The api's settings, which stand in several groups. */
export function readApiSettings(config: Config): ApiSettings {
  const values = merged.map((declaration) => config.read(declaration));
  return Object.assign(
    {
      keystone: config.read(keystoneOptions),
      cors: config.read(corsOptions),
      keyManager: { ...config.read(keyManagerOptions), ...config.read(barbicanOptions) },
      imageProperties: readImageProperties(config.locate('schema-image.json')),
    },
    ...values,
  ) as ApiSettings;
}
