import { describeDriver } from '../testing/describe-driver.js';
import { Cluster } from '@glance/node-rados';
import { create } from './rbd.js';

const conf = process.env['GLANCE_TEST_CEPH']!;

describeDriver('rbd', async () => {
  const cluster = await Cluster.connect({ conf, user: 'glance' });
  const pool = await cluster.pool('images');
  return {
    driver: create({
      rbdStoreChunkSize: 8,
      rbdStorePool: 'images',
      rbdStoreUser: 'glance',
      rbdStoreCephConf: conf,
      radosConnectTimeout: -1,
      rbdThinProvisioning: true,
    }),
    list: async () => (await pool.images()).sort(),
    dispose: () => cluster.close(),
  };
});
