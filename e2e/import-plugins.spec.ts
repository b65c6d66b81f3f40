import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ScratchDirectory, scratchDirectory } from '../tools/services/scratch-directory.js';
import { imageClient } from './image-client.js';
import { type Service, startService } from './service.js';
import { until } from './until.js';

const MIB = 1024 ** 2;
let service: Service;
let scratch: ScratchDirectory;
const at = (name: string): string => join(scratch.path, name);

beforeAll(async () => {
  scratch = scratchDirectory('disk');
  service = await startService({
    groups: {
      image_import_opts: { image_import_plugins: '[image_decompression,image_conversion,inject_image_metadata]' },
      image_conversion: { output_format: 'raw' },
      inject_metadata_properties: { ignore_user_roles: 'nobody', inject: '"imported_by": "the cloud"' },
    },
  });
});
afterAll(async () => {
  await service.close();
  scratch.remove();
});

/** Stages `data`, imports it, and answers with the image when its import is over. */
async function imported(data: Buffer, diskFormat: string): Promise<Record<string, unknown>> {
  const client = imageClient(service.url);
  const id = await client.create({ disk_format: diskFormat, container_format: 'bare' });
  const path = `${service.url}/v2/images/${id}`;
  const staged = await fetch(`${path}/stage`, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: new Uint8Array(data),
  });
  expect(staged.status).toBe(204);
  const accepted = await fetch(`${path}/import`, { method: 'POST', body: '{"method": {"name": "glance-direct"}}' });
  expect(accepted.status).toBe(202);
  const show = async () => (await (await fetch(path)).json()) as Record<string, unknown>;
  await until('the import is over', async () => (await show())['status'] !== 'importing');
  return show();
}

describe('plugins of imports', () => {
  it('unpack a disk, convert it, and give it properties', async () => {
    const disk = Buffer.concat([randomBytes(2 * MIB), Buffer.alloc(10 * MIB), randomBytes(MIB)]);
    writeFileSync(at('disk'), disk);
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', at('disk'), at('disk.qcow2')]);
    const image = await imported(gzipSync(readFileSync(at('disk.qcow2'))), 'qcow2');
    expect(image).toMatchObject({
      status: 'active',
      disk_format: 'raw',
      container_format: 'bare',
      size: disk.length,
      virtual_size: disk.length,
      imported_by: 'the cloud',
    });
    const download = await fetch(`${service.url}/v2/images/${String(image['id'])}/file`);
    expect(Buffer.from(await download.arrayBuffer()).equals(disk)).toBe(true);
  });

  it('refuse what leads to other files, say so, and leave nothing', async () => {
    writeFileSync(at('base'), Buffer.alloc(MIB));
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', '/etc/passwd', at('hostile.qcow2')]);
    const before = readdirSync(service.storeDirectory);
    const image = await imported(gzipSync(readFileSync(at('hostile.qcow2'))), 'qcow2');
    expect(image).toMatchObject({ status: 'queued', size: null });
    const { tasks } = (await (await fetch(`${service.url}/v2/images/${String(image['id'])}/tasks`)).json()) as {
      tasks: { status: string; message: string }[];
    };
    expect(tasks[0]).toMatchObject({ status: 'failure' });
    expect(tasks[0]!.message).toMatch(/backing/);
    expect(readdirSync(service.storeDirectory)).toEqual(before);
    const staging = join(service.storeDirectory, '../staging');
    await until('nothing is staged', async () => !existsSync(staging) || filesIn(staging).length === 0);
  });
});

function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}
