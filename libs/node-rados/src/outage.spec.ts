import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type Ceph, startCeph } from '../../../tools/services/ceph.js';
import { freePort } from '../../../tools/services/ports.js';
import { scratchDirectory } from '../../../tools/services/scratch-directory.js';
import { Cluster } from './cluster.js';
import { features } from './pool.js';

const mib = 1024 * 1024;
const timedOut = { name: 'RadosError', code: 'ETIMEDOUT' };

async function longestStall(work: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  await work();
  delay.disable();
  return delay.max / 1e6;
}

async function withCeph(work: (ceph: Ceph) => Promise<void>): Promise<void> {
  const ceph = await startCeph();
  try {
    await work(ceph);
  } finally {
    await ceph.close();
  }
}

describe('a cluster that does not answer', { timeout: 60_000 }, () => {
  it('fails to connect in the time that was set, and holds up nothing meanwhile', async () => {
    const directory = scratchDirectory('memory');
    const conf = join(directory.path, 'ceph.conf');
    await writeFile(conf, `[global]\nmon host = 127.0.0.1:${await freePort()}\nauth client required = none\n`);
    const started = performance.now();
    const stall = await longestStall(() =>
      expect(Cluster.connect({ conf, connectTimeout: 1000 })).rejects.toMatchObject(timedOut),
    );
    expect(performance.now() - started).toBeLessThan(4000);
    expect(stall).toBeLessThan(500);
    directory.remove();
  });

  it('fails its operations in the time that was set, and goes on afterwards', () =>
    withCeph(async ({ conf, osd }) => {
      await using cluster = await Cluster.connect({ conf, operationTimeout: 1000 });
      await using pool = await cluster.pool('images');
      const name = randomUUID();
      await pool.create(name, { size: 64 * mib, features: features.layering });
      await using image = await pool.open({ name });
      osd.signal('SIGSTOP');
      const memory = Buffer.alloc(8 * mib, 7);
      const started = performance.now();
      await Promise.all([
        ...Array.from({ length: 8 }, (_, index) => expect(image.write(index * mib, memory)).rejects.toMatchObject(timedOut)), // prettier-ignore
        expect(image.read(0, Buffer.alloc(mib))).rejects.toMatchObject(timedOut),
        // librbd says EBADMSG here: it takes the answer that did not come for a damaged one.
        expect(image.createSnapshot('snap')).rejects.toMatchObject({ name: 'RadosError' }),
        expect(pool.images()).rejects.toMatchObject(timedOut),
        expect(pool.open({ name })).rejects.toMatchObject(timedOut),
      ]);
      expect(performance.now() - started).toBeLessThan(8000);
      osd.signal('SIGCONT');
      await expect
        .poll(() => image.write(0, memory).then(() => 'written', String), { timeout: 20_000 })
        .toBe('written');
      const back = Buffer.alloc(memory.length);
      await image.read(0, back);
      expect(back.equals(memory)).toBe(true);
    }));

  it('resumes writes that wait for an OSD that is killed and started again', () =>
    withCeph(async ({ conf, osd }) => {
      await using cluster = await Cluster.connect({ conf });
      await using pool = await cluster.pool('images');
      await pool.create('one', { size: 64 * mib, features: features.layering });
      await using image = await pool.open({ name: 'one' });
      const pieces = Array.from({ length: 8 }, (_, index) => Buffer.alloc(8 * mib, index + 1));
      const first = image.write(0, pieces[0]!);
      const killed = osd.kill();
      const rest = pieces.slice(1).map((piece, index) => image.write((index + 1) * 8 * mib, piece));
      await killed;
      await osd.start();
      await Promise.all([first, ...rest]);
      const back = Buffer.alloc(64 * mib);
      await image.read(0, back);
      expect(back.equals(Buffer.concat(pieces))).toBe(true);
    }));
});

describe('a machine without librbd', () => {
  it('is told what to install', async () => {
    const script = `
      import { mock } from 'node:test';
      const { default: koffi } = await import('koffi');
      mock.method(koffi, 'load', (file) => { throw new Error('cannot open ' + file); });
      const { Cluster } = await import(${JSON.stringify(join(import.meta.dirname, 'cluster.ts'))});
      await Cluster.connect().catch((error) => console.log(error.message));
    `;
    const hooks = join(import.meta.dirname, '../../../tools/bench/typescript.mjs');
    const args = ['--import', hooks, '--input-type=module', '--eval', script];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
    expect(stdout).toBe('librados.so.2 cannot be loaded. It is in the Debian package librados2: apt-get install librados2\n'); // prettier-ignore
  });
});
