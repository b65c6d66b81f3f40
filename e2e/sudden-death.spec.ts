import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, watch } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type ImageClient, imageClient } from './image-client.js';
import { type Service, startService, target } from './service.js';
import { until } from './until.js';

const MiB = 1024 * 1024;
const size = 16 * MiB;
const piece = 256 * 1024;

/** A service that is killed at some moment, and what was asked of it. */
interface Scene {
  readonly service: Service;
  readonly images: ImageClient;
  /** The data that was sent for an image. */
  readonly sent: Map<string, Buffer>;
  /** Images whose upload was confirmed, and which nobody asked to delete. */
  readonly kept: Set<string>;
  /** Images whose deletion was confirmed. */
  readonly deleted: Set<string>;
}

async function withService(play: (scene: Scene) => Promise<void>): Promise<void> {
  // What a dead process leaves is cleaned up when its lease has run out: so let that not take a minute.
  const service = await startService({ settings: { upload_lease_time: 3, recovery_interval: 1 } });
  const images = imageClient(service.url);
  try {
    await play({ service, images, sent: new Map(), kept: new Set(), deleted: new Set() });
  } finally {
    await service.close();
  }
}

/** Uploads to a new image; `before` is called with the number of bytes that were sent, before the next are. */
async function upload(
  { images, sent, kept }: Scene,
  length: number,
  before: (bytes: number, id: string) => unknown = () => undefined,
): Promise<string> {
  const id = await images.create();
  const data = randomBytes(length);
  sent.set(id, data);
  async function* body(): AsyncGenerator<Buffer> {
    for (let offset = 0; offset < length; offset += piece) {
      await before(offset, id);
      yield data.subarray(offset, offset + piece);
    }
    await before(length, id);
  }
  const reply = await images.upload(id, body()).catch(() => undefined);
  if (reply?.status === 204) kept.add(id);
  return id;
}

async function remove({ images, kept, deleted }: Scene, id: string): Promise<void> {
  kept.delete(id);
  const reply = await images.remove(id).catch(() => undefined);
  if (reply?.status === 204) deleted.add(id);
}

/** Resolves as soon as the names in the store are as wanted. */
function storeShows({ service }: Scene, wanted: (names: string[]) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(service.storeDirectory, look);
    function look(): void {
      if (!wanted(readdirSync(service.storeDirectory))) return;
      watcher.close();
      resolve();
    }
    look();
  });
}

/** No image is stuck, none has lost its data, no data has lost its image, and what was confirmed holds. */
async function expectOrder({ service, images, sent, kept, deleted }: Scene): Promise<void> {
  const settled = ['active', 'queued'];
  await until('no image is stuck', async () => (await images.list()).every(({ status }) => settled.includes(status)));
  const list = await images.list();
  const active = list.filter(({ status }) => status === 'active').map(({ id }) => id);
  const stored = (): string[] => readdirSync(service.storeDirectory).toSorted();
  await until('nothing is left in the store', () => stored().length <= active.length);
  expect(stored()).toEqual(active.toSorted());
  expect(active).toEqual(expect.arrayContaining([...kept]));
  for (const id of deleted) expect((await images.show(id)).status).toBe(404);
  for (const id of active) {
    const data = sent.get(id)!;
    expect((await images.download(id)).body.equals(data)).toBe(true);
    expect((await images.image(id)).os_hash_value).toBe(createHash('sha512').update(data).digest('hex'));
  }
  for (const { id } of list.filter(({ status }) => status === 'queued')) {
    expect((await images.upload(id, Buffer.from('retry'))).status).toBe(204);
    expect((await images.download(id)).body.toString()).toBe('retry');
  }
}

type Moment = [string, (scene: Scene) => Promise<unknown>];

const uploads: Moment[] = [
  [
    'before an upload has sent anything',
    (scene) =>
      upload(scene, size, async (bytes, id) => {
        if (bytes > 0) return;
        await until('the image is saving', async () => (await scene.images.image(id)).status === 'saving');
        await scene.service.kill();
      }),
  ],
  [
    'as soon as the store has anything of an upload',
    async (scene) => {
      const names = readdirSync(scene.service.storeDirectory).length;
      const arriving = storeShows(scene, ({ length }) => length > names);
      await Promise.all([upload(scene, size), arriving.then(() => scene.service.kill())]);
    },
  ],
  [
    'half-way through an upload',
    (scene) => upload(scene, size, (bytes) => (bytes === size / 2 ? scene.service.kill() : undefined)),
  ],
  [
    'as soon as an upload has sent everything',
    async (scene) => {
      const killed = Promise.withResolvers<void>();
      await upload(scene, size, (bytes) => {
        if (bytes === size) setImmediate(() => void scene.service.kill().then(killed.resolve, killed.reject));
      });
      await killed.promise;
    },
  ],
  [
    'as soon as the data of an upload is in its place',
    async (scene) => {
      const before = scene.sent.size;
      const placed = storeShows(scene, (names) =>
        [...scene.sent.keys()].slice(before).some((id) => names.includes(id)),
      );
      await Promise.all([upload(scene, size), placed.then(() => scene.service.kill())]);
    },
  ],
  [
    'as soon as an upload is confirmed',
    async (scene) => {
      const id = await upload(scene, size);
      await scene.service.kill();
      expect(scene.kept).toContain(id);
    },
  ],
];

const deletions: Moment[] = [
  [
    'as soon as a deletion is sent',
    async (scene) => {
      const removed = remove(scene, [...scene.sent.keys()][0]!);
      await delay(1);
      await Promise.all([scene.service.kill(), removed]);
    },
  ],
  [
    'as soon as deleted data is gone',
    async (scene) => {
      const id = [...scene.sent.keys()][0]!;
      const gone = storeShows(scene, (names) => !names.includes(id));
      await Promise.all([remove(scene, id), gone.then(() => scene.service.kill())]);
    },
  ],
  [
    'as soon as a deletion is confirmed',
    async (scene) => {
      await remove(scene, [...scene.sent.keys()][0]!);
      await scene.service.kill();
      expect(scene.deleted.size).toBe(1);
    },
  ],
  [
    'when an image is deleted during its upload',
    (scene) =>
      upload(scene, size, async (bytes, id) => {
        if (bytes !== size / 2) return;
        await remove(scene, id);
        await scene.service.kill();
        expect(scene.deleted.size).toBe(1);
      }),
  ],
];

// Glance does not recover: an image stays `saving` for ever.
describe.runIf(target === 'ours')('a service that is killed', { concurrent: true, timeout: 600_000 }, () => {
  it.each([...uploads, ...deletions])('%s has everything in order after its next start', (_, killDuring) =>
    withService(async (scene) => {
      await upload(scene, 8 * MiB);
      await upload(scene, MiB);
      await killDuring(scene);
      await scene.service.start();
      await expectOrder(scene);
    }),
  );

  it.each([1, 2, 3])('ten times while it is busy has everything in order in the end (run %i)', () =>
    withService(async (scene) => {
      for (let round = 0; round < 10; round += 1) {
        const victims = [...scene.kept].slice(0, 2);
        const work = [
          ...[1, 4, 16].map((mebibytes) => upload(scene, mebibytes * MiB).catch(() => undefined)),
          ...victims.map((id) => remove(scene, id)),
        ];
        await delay(Math.random() * 600);
        await scene.service.kill();
        await Promise.all(work);
        await scene.service.start();
      }
      await expectOrder(scene);
    }),
  );
});
