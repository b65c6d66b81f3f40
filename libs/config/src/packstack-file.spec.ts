import { expect, test } from 'vitest';
import { declare } from './declaration.js';
import { logOptions } from './log-options.js';
import { choice, flag, integer, list, text } from './option.js';
import { packstackFile } from './testing/packstack-file.js';
import { Scratch } from './testing/scratch.js';

const apiOptions = declare('DEFAULT', {
  bind_host: text({ default: '0.0.0.0', help: '' }),
  bind_port: integer({ default: 9292, help: '' }),
  workers: integer({ default: 1, help: '' }),
  image_cache_dir: text({ help: '' }),
  transport_url: text({ secret: true, help: '' }),
});
const databaseOptions = declare('database', { connection: text({ secret: true, help: '' }) });
const storeOptions = declare('glance_store', {
  stores: list({ default: ['file', 'http'], deprecated: 'since Rocky; use [DEFAULT] enabled_backends', help: '' }),
  default_store: text({ default: 'file', help: '' }),
  rbd_store_pool: text({ default: 'images', help: '' }),
  rbd_store_user: text({ help: '' }),
  rbd_store_ceph_conf: text({ default: '', help: '' }),
  rbd_store_chunk_size: integer({ default: 4, help: '' }),
});
const identityOptions = declare('keystone_authtoken', {
  www_authenticate_uri: text({ help: '' }),
  auth_type: text({ default: 'password', help: '' }),
  auth_url: text({ help: '' }),
  username: text({ help: '' }),
  password: text({ secret: true, help: '' }),
  user_domain_name: text({ help: '' }),
  project_name: text({ help: '' }),
  project_domain_name: text({ help: '' }),
});
const notificationOptions = declare('oslo_messaging_notifications', {
  driver: list({ default: [], help: '' }),
  topics: list({ default: ['notifications'], help: '' }),
});
const rabbitOptions = declare('oslo_messaging_rabbit', { ssl: flag({ default: true, help: '' }) });
const policyOptions = declare('oslo_policy', { policy_file: text({ default: 'policy.yaml', help: '' }) });
const deployOptions = declare('paste_deploy', { flavor: choice(['keystone', 'caching'], { help: '' }) });

const declarations = [
  ...[apiOptions, logOptions, databaseOptions, storeOptions, identityOptions, notificationOptions, rabbitOptions],
  ...[policyOptions, deployOptions],
];

test('the file of a packstack deployment loads with all its values', async () => {
  using scratch = new Scratch({ 'glance-api.conf': packstackFile });
  const config = await scratch.load(declarations);

  expect(config.read(apiOptions)).toEqual({
    bindHost: '0.0.0.0',
    bindPort: 9292,
    workers: 4,
    imageCacheDir: '/var/lib/glance/image-cache',
    transportUrl: 'rabbit://someone:something@198.51.100.7:5672/',
  });
  expect(config.read(logOptions)).toEqual({
    debug: false,
    defaultLogLevels: [],
    logFile: '/var/log/glance/api.log',
    logDir: '/var/log/glance',
    useJson: false,
  });
  expect(config.read(databaseOptions).connection).toBe('mysql+pymysql://glance:not-a-password@198.51.100.7/glance');
  expect(config.read(storeOptions)).toEqual({
    stores: ['rbd'],
    defaultStore: 'rbd',
    rbdStorePool: 'images',
    rbdStoreUser: 'glance',
    rbdStoreCephConf: '/etc/ceph/ceph.conf',
    rbdStoreChunkSize: 8,
  });
  expect(config.read(identityOptions)).toEqual({
    wwwAuthenticateUri: 'http://198.51.100.7:5000/v3',
    authType: 'password',
    authUrl: 'http://198.51.100.7:5000',
    username: 'glance',
    password: 'not-a-password-either',
    userDomainName: 'Default',
    projectName: 'services',
    projectDomainName: 'Default',
  });
  expect(config.read(notificationOptions)).toEqual({ driver: ['messagingv2'], topics: ['notifications'] });
  expect(config.read(rabbitOptions)).toEqual({ ssl: false });
  expect(config.read(policyOptions)).toEqual({ policyFile: '/etc/glance/policy.json' });
  expect(config.read(deployOptions)).toEqual({ flavor: 'keystone' });
});

test('the file of a packstack deployment causes a warning for each key without effect and no other', async () => {
  using scratch = new Scratch({ 'glance-api.conf': packstackFile });
  expect(await scratch.warnings(declarations)).toEqual([
    'glance-api.conf:23: [glance_store] stores is deprecated since Rocky; use [DEFAULT] enabled_backends',
    'glance-api.conf:6: [DEFAULT] registry_host: has no effect any more (removed in Ussuri): the api reaches the registry by [DEFAULT] transport_url, and needs no user for it',
    'glance-api.conf:11: [DEFAULT] enable_v1_api: has no effect any more (removed in Rocky): version 1 of the API is never served',
    'glance-api.conf:29: [glance_store] os_region_name: known to glance_store, but without effect here',
    'glance-api.conf:48: [oslo_messaging_rabbit] default_notification_exchange: has no effect any more: use [DEFAULT] control_exchange',
  ]);
});

test('a program that declares nothing says once for each group that it is not read', async () => {
  using scratch = new Scratch({ 'glance-api.conf': packstackFile });
  const warnings = await scratch.warnings([]);
  expect(warnings.filter((warning) => /unknown/.test(warning))).toEqual([]);
  expect(warnings.filter((warning) => /without effect here/.test(warning))).toHaveLength(10);
});
