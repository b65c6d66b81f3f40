import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { startCeph } from './ceph.js';
import { startMariadb } from './mariadb.js';
import { listens } from './ports.js';
import { startRabbitmq } from './rabbitmq.js';
import { scratchDirectory } from './scratch-directory.js';
import { startProcess } from './server-process.js';

describe('the servers for tests', { timeout: 120_000 }, () => {
  it('keep what MariaDB has committed when it is killed, and leave nothing when it is closed', async () => {
    const mariadb = await startMariadb();
    const port = Number(new URL(mariadb.url).port);
    const database = new URL(await mariadb.createDatabase()).pathname.slice(1);
    await mariadb.execute(`CREATE TABLE ${database}.t (id INT); INSERT INTO ${database}.t VALUES (7)`);
    await mariadb.kill();
    expect(await listens(port)).toBe(false);
    await mariadb.start();
    expect((await mariadb.execute(`SELECT id FROM ${database}.t`)).trim()).toBe('7');

    await mariadb.close();
    expect(await listens(port)).toBe(false);
    expect(leftBehind()).toEqual([]);
  });

  it('start RabbitMQ again on its port, and leave neither it nor its name server', async () => {
    const rabbitmq = await startRabbitmq();
    const port = Number(new URL(rabbitmq.url).port);
    await rabbitmq.kill();
    expect(await listens(port)).toBe(false);
    await rabbitmq.start();
    expect(await listens(port)).toBe(true);

    await rabbitmq.close();
    expect(await listens(port)).toBe(false);
    expect(leftBehind()).toEqual([]);
  });

  it('keep what Ceph has acknowledged when it is killed, and leave none of its daemons', async () => {
    const ceph = await startCeph();
    await ceph.rbd('create', '--size', '1', 'images/one');
    await ceph.osd.kill();
    await ceph.mon.kill();
    await ceph.mon.start();
    await ceph.osd.start();
    expect((await ceph.rbd('ls', 'images')).trim()).toBe('one');
    await ceph.mgr.start();
    expect(JSON.parse(await ceph.ceph('df', '-f', 'json'))).toMatchObject({
      pools: [{ name: 'images' }, { name: 'bindings' }],
    });

    await ceph.close();
    expect(leftBehind()).toEqual([]);
    expect(existsSync(ceph.conf)).toBe(false);
  });

  it('say what a server wrote that ends instead of becoming ready', async () => {
    const command = { command: 'sh', args: ['-c', 'echo no such disk >&2; exit 3'], ready: async () => false };
    await expect(startProcess(command)).rejects.toThrow(/sh ended before it was ready:\nno such disk/);
  });

  it('end everything that a server has started with it', async () => {
    const directory = scratchDirectory('memory');
    const pidFile = `${directory.path}/pid`;
    const server = await startProcess({
      command: 'sh',
      args: ['-c', `sleep 1000 & echo $! > ${pidFile}; wait`],
      ready: async () => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '',
    });
    const child = readFileSync(pidFile, 'utf8').trim();
    await server.stop();
    directory.remove();
    await expect.poll(() => isRunning(child)).toBe(false);
  });
});

/** Processes whose working directory or arguments lie in a scratch directory of this process. */
function leftBehind(): string[] {
  const mine = `glance-test-${process.pid}-`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ') + read(`/proc/${pid}/environ`))
    .filter((text) => text.includes(mine));
}

function isRunning(pid: string): boolean {
  const state = /^State:\s+(\S)/m.exec(read(`/proc/${pid}/status`))?.[1];
  return state !== undefined && state !== 'Z';
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
