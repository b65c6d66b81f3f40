import { randomBytes } from 'node:crypto';
import { begin } from './http.js';
import type { ImageClient } from './image-client.js';
import { until } from './until.js';

const MiB = 1024 * 1024;

export interface HeldTransfers {
  /** Lets them go on to their end; answers for each of them whether it was whole. */
  finish(): Promise<boolean[]>;
}

/** Begins `count` uploads and as many downloads of the image `id`, which is `data`, and holds them half way. */
export async function holdTransfers(
  images: ImageClient,
  { url, id, data, count }: { url: string; id: string; data: Buffer; count: number },
): Promise<HeldTransfers> {
  const held = Promise.withResolvers<void>();
  const transfers = Array.from({ length: count }, () => [
    upload(images, held.promise),
    download(`${url}/v2/images/${id}/file`, data, held.promise),
  ]).flat();
  await until('the transfers have begun', async () => {
    const list = await images.list();
    return list.filter(({ status }) => status === 'saving').length >= count;
  });
  return {
    finish() {
      held.resolve();
      return Promise.all(transfers);
    },
  };
}

async function upload(images: ImageClient, held: Promise<void>): Promise<boolean> {
  const id = await images.create();
  const data = randomBytes(2 * MiB);
  async function* body(): AsyncGenerator<Buffer> {
    yield data.subarray(0, MiB);
    await held;
    yield data.subarray(MiB);
  }
  const reply = await images.upload(id, body());
  return reply.status === 204 && (await images.download(id)).body.equals(data);
}

async function download(url: string, data: Buffer, held: Promise<void>): Promise<boolean> {
  const { request, replied } = begin('GET', url);
  request.end();
  const chunks: Buffer[] = [];
  for await (const chunk of await replied) {
    if (chunks.length === 0) await held;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).equals(data);
}
