import { readFileSync } from 'node:fs';
import { declare, flag, integer, multi, text, type ValuesOf } from '@glance/config';
import { ServiceError } from '@glance/domain';
import type { StoreDriver, StoreProperties } from '../driver.js';
import type { ConfiguredDatastore } from './vmware/datastores.js';
import { VmwareDriver } from './vmware/vmware-driver.js';

export const schemes = ['vsphere'];

export const options = declare('glance_store', {
  vmware_server_host: text({ help: 'Host of the vCenter server or of the ESXi host, with a port or without.' }),
  vmware_server_username: text({
    help: 'The user. It needs the privileges Datastore.Browse and Datastore.FileManagement on the datastores.',
  }),
  vmware_server_password: text({ secret: true, help: "The user's password." }),
  vmware_datastores: multi({
    default: [],
    help:
      'A datastore for images, as datacenter:datastore or datacenter:datastore:weight, where the datacenter is a path in ' +
      'the inventory such as Europe/Datacenter. May be given several times: a new image goes to the one with the most ' +
      'room among those of the highest weight that have room for it.',
    check: (values) =>
      values.every((value) => configuredDatastore(value) !== undefined)
        ? undefined
        : 'values such as datacenter:datastore:100',
  }),
  vmware_store_image_dir: text({
    default: '/openstack_glance',
    help: 'Directory of the images in each datastore. Made if it is missing.',
    check: (value) => (/^[^[\]]*[^[\]/][^[\]]*$/.test(value) ? undefined : 'a path such as /openstack_glance'),
  }),
  vmware_insecure: flag({
    default: false,
    help: "Do not look at the server's certificate. Ignored if there is a vmware_ca_file.",
  }),
  vmware_ca_file: text({ help: "Path of certificates of authorities to trust. If absent, Node's are." }),
  vmware_api_retry_count: integer({
    default: 10,
    min: 1,
    help: 'How often a request is repeated that the server does not answer, or for which it has no time.',
  }),
  vmware_task_poll_interval: integer({
    default: 5,
    min: 1,
    help: 'The longest time, in seconds, between two looks at a task of the server. The first ones follow faster.',
  }),
});

export type VmwareSettings = ValuesOf<typeof options>;

/** A store in datastores of vSphere. */
export function create(settings: VmwareSettings): StoreDriver {
  const { vmwareCaFile: authorities, vmwareInsecure: insecure } = settings;
  const datastores = settings.vmwareDatastores.map((value) => configuredDatastore(value)!);
  if (datastores.length === 0) throw missing('vmware_datastores');
  return new VmwareDriver({
    vsphere: {
      host: needed('vmware_server_host', settings.vmwareServerHost),
      user: needed('vmware_server_username', settings.vmwareServerUsername),
      password: needed('vmware_server_password', settings.vmwareServerPassword),
      retries: settings.vmwareApiRetryCount,
      pollInterval: settings.vmwareTaskPollInterval * 1000,
      patience: 60_000,
      tls: {
        ...(authorities === undefined && insecure && { rejectUnauthorized: false }),
        ...(authorities !== undefined && { ca: certificates(authorities) }),
      },
    },
    datastores,
    directory: settings.vmwareStoreImageDir.replace(/^\/+|\/+$/g, ''),
  });
}

export function properties(settings: VmwareSettings): StoreProperties {
  return {
    server_host: settings.vmwareServerHost ?? null,
    datastores: settings.vmwareDatastores.join(','),
    store_image_dir: settings.vmwareStoreImageDir,
  };
}

function configuredDatastore(value: string): ConfiguredDatastore | undefined {
  const [, datacenter, name, weight = '0'] = /^\s*([^:]+):([^:]+)(?::(\d+))?\s*$/.exec(value) ?? [];
  if (datacenter === undefined || name === undefined) return undefined;
  return { datacenter, name, weight: Number(weight) };
}

function needed(name: string, value: string | undefined): string {
  if (value) return value;
  throw missing(name);
}

const missing = (name: string): ServiceError =>
  new ServiceError('StorageDenied', `A store of the kind vmware needs ${name}.`);

function certificates(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new ServiceError('StorageDenied', 'The file that vmware_ca_file names cannot be read.', {}, { cause });
  }
}
