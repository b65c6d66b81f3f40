import { declare, flag, integer, text, type ValuesOf } from '@glance/config';
import type { Finding } from '@glance/domain';
import type { StoreDriver, StoreProperties } from '../driver.js';
import { examineCeph } from './rbd/examine-ceph.js';
import { RbdDriver, type RbdDriverSettings } from './rbd/rbd-driver.js';

export const schemes = ['rbd'];

export const options = declare('glance_store', {
  rbd_store_chunk_size: integer({
    default: 8,
    min: 1,
    max: 64,
    help:
      'Mebibytes of the objects that an image consists of; a power of two, or the next smaller one is used. Clones that ' +
      'Nova and Cinder make have objects of the same size.',
  }),
  rbd_store_pool: text({
    default: 'images',
    help: 'Pool that takes new images. Make it with `ceph osd pool create` and `rbd pool init`.',
  }),
  rbd_store_user: text({
    help:
      'Name of the Ceph user, without the `client.` before it; admin if absent. The ceph.conf says where its key is. ' +
      'It needs the rights `mon "profile rbd" osd "profile rbd pool=images"`.',
  }),
  rbd_store_ceph_conf: text({
    default: '',
    help: 'Path of the ceph.conf. If empty, it is looked for where Ceph looks, first in /etc/ceph/ceph.conf.',
  }),
  rados_connect_timeout: integer({
    default: -1,
    min: -1,
    help:
      'Seconds until a cluster that does not let the service in counts as unavailable; 15 with 0 or -1, where Ceph itself ' +
      'would wait for five minutes. An operation may take so long, too, but always 60 seconds, during which an OSD may ' +
      'fail and another take its place.',
  }),
  rbd_thin_provisioning: flag({
    default: true,
    help:
      'Leave zeros out when an image is written: they take no room in the pool, and read the same. Set to false to have ' +
      'them written, as Glance does by default.',
  }),
});

/** Milliseconds: a client may need half a minute to learn of the OSD that has taken the place of another. */
const shortestOperation = 60_000;

export type RbdSettings = ValuesOf<typeof options>;

/** A store in a pool of a Ceph cluster: images that Nova and Cinder can clone. */
export function create(settings: RbdSettings): StoreDriver {
  return new RbdDriver(driverSettings(settings));
}

export function examine(settings: RbdSettings): AsyncIterable<Finding> {
  return examineCeph(driverSettings(settings));
}

function driverSettings(settings: RbdSettings): RbdDriverSettings {
  const timeout = settings.radosConnectTimeout > 0 ? settings.radosConnectTimeout * 1000 : undefined;
  return {
    cluster: {
      conf: settings.rbdStoreCephConf || undefined,
      user: settings.rbdStoreUser,
      connectTimeout: timeout,
      operationTimeout: timeout && Math.max(timeout, shortestOperation),
    },
    pool: settings.rbdStorePool,
    order: 20 + Math.floor(Math.log2(settings.rbdStoreChunkSize)),
    sparse: settings.rbdThinProvisioning,
  };
}

/** Glance: the names that its clients read; Cinder looks for the pool and for the cluster's id. */
export function properties(settings: RbdSettings): StoreProperties {
  return {
    chunk_size: settings.rbdStoreChunkSize,
    pool: settings.rbdStorePool,
    thin_provisioning: settings.rbdThinProvisioning,
  };
}
