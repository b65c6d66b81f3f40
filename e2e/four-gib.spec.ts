import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ScratchDirectory, scratchDirectory } from '../tools/services/scratch-directory.js';
import { begin } from './http.js';
import { type ImageClient, imageClient } from './image-client.js';
import { type Launcher, startLauncher } from './launcher.js';
import { target } from './service.js';

const MiB = 1024 * 1024;
const size = 4096 * MiB;

/** 4 MiB; the image is this 1,024 times. */
const block = Buffer.alloc(4 * MiB);
for (let index = 0; index < MiB; index += 1) block.writeUInt32LE(Math.imul(index, 2_654_435_761) >>> 0, index * 4);
// What md5sum and sha512sum say of these bytes.
const md5 = '43dca19586b084633f0429103053a14a';
const sha512 =
  'afcbc1e19f0e59299960d8a71bfd2c8310196a062ae003df857102a66b737ade87304931ff52ba868cfdebc157add31fa29d9ae9ac40e8302a811743c6590785';

async function* data(): AsyncGenerator<Buffer> {
  for (let sent = 0; sent < size; sent += block.length) yield block;
}

describe.runIf(target === 'ours')('an image of 4 GiB', { timeout: 600_000 }, () => {
  let directory: ScratchDirectory;
  let launcher: Launcher;
  let images: ImageClient;

  beforeAll(async () => {
    directory = scratchDirectory('disk');
    launcher = await startLauncher(directory.path);
    images = imageClient(launcher.url);
  });
  afterAll(async () => {
    await launcher.process.kill();
    directory.remove();
  });

  it.each([
    ['in chunks', {}],
    ['of announced length', { 'content-length': String(size) }],
  ])('goes up %s and comes back as it was, in less than 400 MiB of memory', async (_, headers) => {
    const id = await images.create();
    expect((await images.upload(id, data(), headers)).status).toBe(204);
    const expected = { status: 'active', size, virtual_size: size, checksum: md5, os_hash_value: sha512 };
    expect(await images.image(id)).toMatchObject(expected);
    expect(await download(`${launcher.url}/v2/images/${id}/file`)).toBe(size);
    expect(peakMemory(launcher.process.pid)).toBeLessThan(400 * MiB);
    expect((await images.remove(id)).status).toBe(204);
  });
});

/** How many bytes came before the first that is not as it was sent. */
async function download(url: string): Promise<number> {
  const { request, replied } = begin('GET', url);
  request.end();
  let right = 0;
  for await (const chunk of (await replied) as AsyncIterable<Buffer>) {
    for (let offset = 0; offset < chunk.length;) {
      const at = right % block.length;
      const length = Math.min(chunk.length - offset, block.length - at);
      if (chunk.compare(block, at, at + length, offset, offset + length) !== 0) return right;
      right += length;
      offset += length;
    }
  }
  return right;
}

/** The most that a process ever had in memory, in bytes. */
function peakMemory(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;
}
