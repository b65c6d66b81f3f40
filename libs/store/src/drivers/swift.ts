import { readFileSync } from 'node:fs';
import { choice, declare, flag, integer, list, text, type ValuesOf } from '@glance/config';
import { ServiceError } from '@glance/domain';
import type { StoreDriver, StoreProperties } from '../driver.js';
import { swiftAccounts } from './swift/swift-accounts.js';
import { SwiftDriver } from './swift/swift-driver.js';

export const schemes = ['swift', 'swift+http', 'swift+https', 'swift+config'];

const inFile = 'use the file of swift_store_config_file';
const mib = 1024 * 1024;

export const options = declare('glance_store', {
  default_swift_reference: text({
    default: 'ref1',
    help: 'The account that takes new images: a group of swift_store_config_file, or a name for the one of the options.',
  }),
  swift_store_config_file: text({
    help:
      'Path of a file with a group for each Swift account: auth_address, user (as project:user) and key, or ' +
      'application_credential_id and application_credential_secret; user_domain_id, user_domain_name, project_domain_id, ' +
      'project_domain_name (the domain of the id default if absent), auth_version.',
  }),
  swift_store_auth_version: choice(['1', '3'], {
    default: '3',
    help: 'How to log in: 3 is that of Keystone, 1 that of Swift itself. Keystone has had no version 2 since Queens.',
  }),
  swift_store_auth_address: text({
    deprecated: `since Kilo; ${inFile}`,
    help: 'URL of Keystone, such as https://keystone.example:5000/v3. It is also in the URLs of old locations.',
  }),
  swift_store_user: text({ deprecated: `since Kilo; ${inFile}`, help: 'The user, as project:user.' }),
  swift_store_key: text({ secret: true, deprecated: `since Kilo; ${inFile}`, help: "The user's password." }),
  swift_store_application_credential_id: text({ help: 'Id of an application credential, instead of user and key.' }),
  swift_store_application_credential_secret: text({ secret: true, help: 'Secret of the application credential.' }),
  swift_store_project_name: text({ help: 'Accepted; an application credential knows its project.' }),
  swift_store_project_id: text({ help: 'Accepted; an application credential knows its project.' }),
  swift_store_auth_insecure: flag({ default: false, help: 'Do not look at the certificates of Keystone and Swift.' }),
  swift_store_cacert: text({ help: "Path of certificates of authorities to trust. If absent, Node's are." }),
  swift_store_region: text({ help: 'Region of the Swift service in the catalogue; the first one if absent.' }),
  swift_store_endpoint: text({
    help: 'URL of the account, or its part before the account with swift_store_multi_tenant. The catalogue says it if absent.',
  }),
  swift_store_endpoint_type: choice(['publicURL', 'adminURL', 'internalURL'], {
    default: 'publicURL',
    help: 'Which of the URLs in the catalogue is used.',
  }),
  swift_store_service_type: text({ default: 'object-store', help: 'Type of the Swift service in the catalogue.' }),
  swift_store_container: text({
    default: 'glance',
    help:
      'Container that takes new images, as objects of their ids. Also the beginning of the names of containers where ' +
      'there are several.',
  }),
  swift_store_create_container_on_put: flag({ default: false, help: 'Make the container when it is missing.' }),
  swift_store_multiple_containers_seed: integer({
    default: 0,
    min: 0,
    max: 32,
    help: 'How many of the first digits of an id name the container of the image; with 0 there is one for all.',
  }),
  swift_store_multi_tenant: flag({
    default: false,
    help:
      'Images lie in the account of their project, each in a container of its own. The user of the service must be a ' +
      'reseller administrator of Swift (role ResellerAdmin): no tokens of users are passed on, so that uploads may take ' +
      'longer than these last, and data can be erased when nobody asks for it.',
  }),
  swift_store_admin_tenants: list({
    default: [],
    help: 'Projects that may write to all containers, with swift_store_multi_tenant.',
  }),
  swift_store_large_object_size: integer({
    default: 5120,
    min: 1,
    help:
      'Mebibytes from which on Glance cuts an image into segments. Here every image is, since only then can an upload ' +
      'of a dead process be undone for certain; the value is only shown by info/stores/detail.',
  }),
  swift_store_large_object_chunk_size: integer({
    default: 200,
    min: 1,
    max: 5000,
    help: 'Mebibytes of a segment. Images that would have more segments than Swift allows get larger ones.',
  }),
  swift_store_retry_get_count: integer({
    default: 5,
    min: 0,
    help: 'How often in a row a download may break off and be continued. Glance does not continue any by default.',
  }),
  swift_store_expire_soon_interval: integer({
    default: 60,
    min: 0,
    help: 'Seconds before its end from which on a token is not used for a new request.',
  }),
  swift_buffer_on_upload: flag({
    default: false,
    help: 'Write each segment to swift_upload_buffer_dir first, so that it can be sent again when a connection breaks.',
  }),
  swift_upload_buffer_dir: text({ help: 'Directory with room for a segment of each upload.' }),
  swift_store_ssl_compression: flag({ default: true, help: 'Accepted; nothing is compressed.' }),
  swift_store_use_trusts: flag({ default: true, help: 'Accepted; see swift_store_multi_tenant.' }),
});

export type SwiftSettings = ValuesOf<typeof options>;

/** A store in OpenStack Swift, or in what speaks its protocol. */
export function create(settings: SwiftSettings): StoreDriver {
  const { swiftStoreCacert: authorities, swiftUploadBufferDir: bufferDirectory } = settings;
  if (settings.swiftBufferOnUpload && bufferDirectory === undefined) {
    throw new ServiceError('StorageDenied', 'swift_buffer_on_upload needs swift_upload_buffer_dir.');
  }
  const types: Readonly<Record<string, string>> = { publicURL: 'public', adminURL: 'admin', internalURL: 'internal' };
  return new SwiftDriver({
    accounts: swiftAccounts(settings),
    reference: settings.defaultSwiftReference,
    wanted: {
      types: [settings.swiftStoreServiceType],
      interface: types[settings.swiftStoreEndpointType]!,
      region: settings.swiftStoreRegion,
    },
    endpoint: settings.swiftStoreEndpoint?.replace(/\/+$/, ''),
    container: settings.swiftStoreContainer,
    createContainer: settings.swiftStoreCreateContainerOnPut,
    shardDigits: settings.swiftStoreMultipleContainersSeed,
    multiTenant: settings.swiftStoreMultiTenant,
    writers: settings.swiftStoreAdminTenants,
    segmentSize: settings.swiftStoreLargeObjectChunkSize * mib,
    retries: settings.swiftStoreRetryGetCount,
    spare: settings.swiftStoreExpireSoonInterval * 1000,
    bufferDirectory: settings.swiftBufferOnUpload ? bufferDirectory : undefined,
    patience: 60_000,
    tls: {
      ...(settings.swiftStoreAuthInsecure && { rejectUnauthorized: false }),
      ...(authorities !== undefined && { ca: certificates(authorities) }),
    },
  });
}

/** Glance: the names that its clients read. */
export function properties(settings: SwiftSettings): StoreProperties {
  return {
    container: settings.swiftStoreContainer,
    large_object_size: settings.swiftStoreLargeObjectSize,
    large_object_chunk_size: settings.swiftStoreLargeObjectChunkSize,
  };
}

function certificates(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new ServiceError('StorageDenied', 'The file that swift_store_cacert names cannot be read.', {}, { cause });
  }
}
