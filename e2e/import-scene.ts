import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { json, send } from './http.js';
import { type ImageClient, imageClient } from './image-client.js';
import { install, type Installation, type Part } from './installation.js';
import { until } from './until.js';

/** Bytes of the images that are imported. */
export const data = randomBytes(48 * 1024 * 1024);

interface TaskView {
  readonly status: string;
  readonly message: string;
}

/** Two replicas of the api, of which one is killed, and the staging areas that they use. */
export interface Scene {
  readonly installation: Installation;
  readonly registry: Part;
  readonly replicas: readonly [Part, Part];
  readonly staging: readonly string[];
  /** Talks to the second replica, which is never killed. */
  readonly images: ImageClient;
  close(): Promise<void>;
}

/**
 * Starts it: with one staging area for both replicas, or one for each. They import from this machine, and convert
 * disks to raw.
 */
export async function scene(kind: 'shared' | 'own'): Promise<Scene> {
  const directory = scratchDirectory('disk');
  const installation = await install();
  const staging = kind === 'shared' ? ['all'] : ['one', 'two'];
  const places = staging.map((name) => join(directory.path, name));
  for (const place of places) mkdirSync(place);
  const replica = (index: number): Promise<Part> =>
    installation.part(
      'glance-api',
      {
        node_staging_uri: `file://${places[index] ?? places[0]!}`,
        ...(kind === 'own' && { worker_self_reference_url: `http://replica-${index}` }),
      },
      {
        OS_IMPORT_FILTERING_OPTS__ALLOWED_PORTS: '[]',
        OS_IMPORT_FILTERING_OPTS__ALLOWED_NETWORKS: '127.0.0.0/8',
        OS_IMAGE_IMPORT_OPTS__IMAGE_IMPORT_PLUGINS: '[image_conversion]',
      },
    );
  const registry = await installation.part('glance-registry');
  const replicas = [await replica(0), await replica(1)] as const;
  await Promise.all([registry.start(), ...replicas.map((each) => each.start())]);
  return {
    installation,
    registry,
    replicas,
    staging: places,
    images: imageClient(replicas[1].url),
    async close() {
      await installation.close();
      directory.remove();
    },
  };
}

/** Asks for an import, by glance-direct if nothing else is said. */
export const importOf = (part: Part, id: string, method: object = { name: 'glance-direct' }) =>
  send('POST', `${part.url}/v2/images/${id}/import`, { body: JSON.stringify({ method }) });

export const stage = (part: Part, id: string, body: Buffer | AsyncIterable<Uint8Array> = data) =>
  send('PUT', `${part.url}/v2/images/${id}/stage`, { headers: { 'content-type': 'application/octet-stream' }, body });

export async function newestTask({ replicas }: Scene, id: string): Promise<TaskView | undefined> {
  const reply = await send('GET', `${replicas[1].url}/v2/images/${id}/tasks`);
  return (json(reply) as { tasks: TaskView[] }).tasks[0];
}

/** What lies there, but for what imports make on their way. */
export const names = (directory: string): string[] =>
  existsSync(directory) ? readdirSync(directory).filter((name) => name !== '.scratch') : [];

/** Before `until` gives up, the image is active or queued with a cause, and nothing lies where nobody knows of it. */
export async function expectOrder(it: Scene, id: string, places = it.staging): Promise<string> {
  await until('the import is over', async () =>
    ['success', 'failure'].includes((await newestTask(it, id))?.status ?? ''),
  );
  const { status } = await it.images.image(id);
  const task = await newestTask(it, id);
  if (status === 'active') expect((await it.images.download(id)).body.equals(data)).toBe(true);
  else {
    expect([status, task?.status]).toEqual(['queued', 'failure']);
    expect(task?.message).toMatch(/\.$/);
  }
  const active = (await it.images.list()).filter((image) => image.status === 'active').map((image) => image.id);
  expect(names(it.installation.storeDirectory).toSorted()).toEqual(active.toSorted());
  for (const place of places) await until('nothing is staged', () => names(place).length === 0);
  return status;
}
