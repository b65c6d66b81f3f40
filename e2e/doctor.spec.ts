import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ceph, startCeph } from '../tools/services/ceph.js';
import { freePort } from '../tools/services/ports.js';
import { type Rabbitmq, startRabbitmq } from '../tools/services/rabbitmq.js';
import { type CommandResult, run } from './command.js';
import { root, target } from './service.js';

describe.runIf(target === 'ours')('glance doctor', { timeout: 60_000 }, () => {
  let directory: string;
  let ceph: Ceph;
  let rabbitmq: Rabbitmq;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'glance-doctor-'));
    [ceph, rabbitmq] = await Promise.all([startCeph(), startRabbitmq()]);
  });
  afterAll(async () => {
    await Promise.all([ceph.close(), rabbitmq.close()]);
    rmSync(directory, { recursive: true });
  });

  async function doctor(
    what: string,
    settings: Readonly<Record<string, string>> = {},
    ofService: Readonly<Record<string, string>> = {},
  ): Promise<CommandResult> {
    const file = join(directory, 'glance-api.conf');
    const options = {
      stores: 'rbd',
      default_store: 'rbd',
      rbd_store_user: ceph.user,
      rbd_store_ceph_conf: ceph.conf,
      rados_connect_timeout: '3',
      ...settings,
    };
    const toLines = (values: object): string[] => Object.entries(values).map(([name, value]) => `${name} = ${value}`);
    const staging = { node_staging_uri: `file://${directory}/staging` };
    const database = ['[database]', `connection = sqlite:///${join(directory, 'glance.sqlite')}`];
    const service = ['[DEFAULT]', ...toLines({ ...staging, ...ofService })];
    writeFileSync(file, [...service, '[glance_store]', ...toLines(options), ...database, ''].join('\n'));
    return run(join(root, 'bin/glance'), ['--config-file', file, 'doctor', what], { failure: 'answer' });
  }

  for (const user of ['glance', 'glance-old']) {
    it(`finds nothing wrong with the rights of ${user}, and leaves nothing`, async () => {
      const { code, stdout, stderr } = await doctor('ceph', { rbd_store_user: user });
      expect(stdout + stderr).not.toContain('WRONG');
      expect(stdout).toContain(`ok    store rbd: client.${user} can make, write, snapshot, protect and remove`);
      expect(stdout.match(/a monitor answers at 127\.0\.0\.1:\d+/g)).toHaveLength(2);
      expect(code).toBe(0);
      expect(await ceph.rbd('ls', ceph.pool)).toBe('');
    });
  }

  it('says that x is needed, and which command gives it', async () => {
    const { code, stdout } = await doctor('ceph', { rbd_store_user: 'glance-rw' });
    expect(code).toBe(1);
    expect(stdout).toMatch(/WRONG store rbd: client\.glance-rw cannot .*needs rwx/);
    expect(stdout).toContain(
      "mend it: ceph auth caps client.glance-rw mon 'profile rbd' osd 'profile rbd pool=images'",
    );
    expect(await ceph.rbd('ls', ceph.pool)).toBe('');
  });

  it('says which file, keyring or pool is missing', async () => {
    const noConf = await doctor('ceph', { rbd_store_ceph_conf: '/no/ceph.conf' });
    expect(noConf.stdout).toContain('mend it: ceph config generate-minimal-conf > /no/ceph.conf');
    const noUser = await doctor('ceph', { rbd_store_user: 'nobody' });
    expect(noUser.stdout).toContain('mend it: ceph auth get-or-create client.nobody mon');
    const noPool = await doctor('ceph', { rbd_store_pool: 'no-pool' });
    expect(noPool.stdout).toContain('mend it: ceph osd pool create no-pool');
    expect([noConf, noUser, noPool].map(({ code }) => code)).toEqual([1, 1, 1]);
  });

  it('says that a pool is not initialised', async () => {
    await ceph.ceph('osd', 'pool', 'create', 'raw', '8');
    const { code, stdout } = await doctor('ceph', { rbd_store_pool: 'raw', rbd_store_user: 'admin' });
    expect(stdout).toContain('mend it: rbd pool init raw');
    expect(code).toBe(1);
  });

  it('names the monitors that do not answer', async () => {
    const port = await freePort();
    const conf = join(directory, 'ceph.conf');
    writeFileSync(conf, `[global]\nmon_host = [v1:127.0.0.1:${port}]\n`);
    const { code, stdout } = await doctor('ceph', { rbd_store_ceph_conf: conf });
    expect(stdout).toContain(`WRONG store rbd: nothing answers at 127.0.0.1:${port}`);
    expect(code).toBe(1);
  });

  it('says which rights at the message broker are missing, and shows no password', async () => {
    await rabbitmq.control('add_user', 'reader', 'hunter2');
    await rabbitmq.control('set_permissions', 'reader', '^$', '^$', '.*');
    const url = rabbitmq.url.replace('guest:guest', 'reader:hunter2');
    const { code, stdout, stderr } = await doctor('broker', {}, { transport_url: url });
    expect(stdout).toMatch(/ok {4}broker: 127\.0\.0\.1:\d+ lets reader into the virtual host \/\n/);
    expect(stdout).toMatch(/WRONG broker: reader lacks rights .*access to exchange/);
    expect(stdout).toContain("mend it: rabbitmqctl set_permissions --vhost / reader '.*' '.*' '.*'");
    expect(code).toBe(1);
    expect(stdout + stderr).not.toContain('hunter2');
  });

  it('says that data cannot wait for its import', async () => {
    writeFileSync(join(directory, 'file'), '');
    const { code, stdout } = await doctor('staging', {}, { node_staging_uri: `file://${directory}/file/staging` });
    expect(stdout).toMatch(/WRONG staging: \[DEFAULT\] node_staging_uri: .* is no directory/);
    expect(stdout).toContain(
      `mend it: install --directory --owner glance --group glance --mode 0750 ${directory}/file`,
    );
    expect(code).toBe(1);
  });

  it('looks at everything, and names the command that makes the database', async () => {
    const { code, stdout } = await doctor('all', {}, { transport_url: rabbitmq.url });
    expect(stdout).toContain('ok    broker: guest can declare exchanges and queues, publish and read');
    expect(stdout).toContain('ok    keystone: [paste_deploy] flavor: it is not asked');
    expect(stdout).toMatch(/ok {4}staging: data can wait in .*, where .* GiB .* are free/);
    expect(stdout).toMatch(/WRONG database: [\s\S]*glance-manage db/);
    expect(stdout).toContain('ok    store rbd: client.glance can make');
    expect(code).toBe(1);
  });
});
