import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ScratchDirectory, scratchDirectory } from '../tools/services/scratch-directory.js';
import { data, expectOrder, importOf, names, type Scene, scene } from './import-scene.js';
import { target } from './service.js';
import { until } from './until.js';

/** A web server that stops in the middle of its data until it is let go. */
interface GatedServer {
  readonly uri: string;
  /** The middle of the data is reached. */
  readonly half: Promise<void>;
  open(): void;
  close(): Promise<void>;
}

async function gatedServer(bytes: Buffer): Promise<GatedServer> {
  const half = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    const middle = bytes.length >> 1;
    response.setHeader('content-length', bytes.length).setHeader('etag', '"v1"');
    response.write(bytes.subarray(0, middle), () => half.resolve());
    void gate.promise.then(() => response.end(bytes.subarray(middle)));
    request.on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/disk`,
    half: half.promise,
    open: () => gate.resolve(),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** As `until`, for moments that pass quickly. */
async function soon(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`A minute was not enough until ${what}.`);
    await turn();
  }
}

describe.runIf(target === 'ours').each(['shared', 'own'] as const)(
  'a replica with %s staging that is killed in the step',
  { timeout: 600_000 },
  (kind) => {
    let it1: Scene;
    let disk: ScratchDirectory;
    let packed: Buffer;
    beforeAll(async () => {
      it1 = await scene(kind);
      disk = scratchDirectory('disk');
      writeFileSync(join(disk.path, 'raw'), data);
      execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', 'raw', 'qcow2'], { cwd: disk.path });
      packed = readFileSync(join(disk.path, 'qcow2'));
    });
    afterAll(async () => {
      await it1.close();
      disk.remove();
    });

    const inStore = (id: string) => names(it1.installation.storeDirectory).filter((name) => name.includes(id));
    /** Bytes in the store that have no name yet. */
    const sizeInStore = (id: string): number => {
      const part = join(it1.installation.storeDirectory, `.${id}.part`);
      const files = globSync('**', { cwd: part, withFileTypes: true }).filter((entry) => entry.isFile());
      return files.reduce((sum, { parentPath, name }) => {
        // It may be gone by now.
        return sum + (statSync(join(parentPath, name), { throwIfNoEntry: false })?.size ?? 0);
      }, 0);
    };
    const scratch = (): string[] =>
      it1.staging.flatMap((place) => {
        const path = join(place, '.scratch');
        return existsSync(path) ? readdirSync(path) : [];
      });

    /** Nobody changes the image for some seconds; resolves when that holds. */
    const lockImage = async (id: string): Promise<void> => {
      const database = new URL(it1.installation.databaseUrl).pathname.slice(1);
      const { mariadb } = it1.installation;
      const locked = mariadb.execute(
        `USE ${database}; BEGIN; SELECT id FROM images WHERE id = '${id}' FOR UPDATE; SELECT SLEEP(10); COMMIT;`,
      );
      await until('the image is locked', async () =>
        (await mariadb.execute('SHOW PROCESSLIST')).includes('SELECT SLEEP'),
      );
      locked.catch(() => undefined);
    };

    const steps: readonly (readonly [string, 'raw' | 'qcow2', (id: string, server: GatedServer) => Promise<void>])[] = [
      ['download, which is written as it comes', 'raw', (_, { half }) => half],
      [
        'download, before a conversion',
        'qcow2',
        async (_, { half }) => {
          await half;
          await until('it is copied', () => scratch().length > 0);
        },
      ],
      [
        'conversion',
        'qcow2',
        async (id, server) => {
          server.open();
          await soon('it is written', () => sizeInStore(id) > 0);
        },
      ],
      [
        'write, when all is read and nobody can say that it is done',
        'raw',
        async (id, server) => {
          await server.half;
          it1.registry.process.signal('SIGSTOP');
          server.open();
          // The last bytes go with the end.
          await soon('it is written', () => sizeInStore(id) > 0.9 * data.length);
        },
      ],
      [
        'finish, when the data is in its place and the image does not know',
        'raw',
        async (id, server) => {
          await server.half;
          await lockImage(id);
          server.open();
          await soon('it has its name', () => inStore(id).includes(id));
        },
      ],
    ];

    it.each(steps)('%s, is followed by another, which finishes it', async (_, format, moment) => {
      const [first] = it1.replicas;
      const server = await gatedServer(format === 'raw' ? data : packed);
      const id = await it1.images.create({ disk_format: format });
      expect((await importOf(first, id, { name: 'web-download', uri: server.uri })).status).toBe(202);
      await moment(id, server);
      await first.kill();
      it1.registry.process.signal('SIGCONT');
      server.open();
      expect(await expectOrder(it1, id)).toBe('active');
      expect(await it1.images.image(id)).toMatchObject({ disk_format: 'raw', size: data.length });
      await first.start();
      await until('nothing is left of its work', () => scratch().length === 0);
      await server.close();
    });
  },
);
