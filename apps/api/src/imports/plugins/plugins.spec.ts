import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { silentLogger } from '@glance/domain';
import type { Bytes } from '@glance/store';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectImage } from '../../images/inspect-image.js';
import type { ImportPlugin, PluginWork, ReadableData } from '../import-plugin.js';
import { runPlugins } from '../run-plugins.js';
import { imageConversion } from './image-conversion.js';
import { imageDecompression } from './image-decompression.js';
import { injectImageMetadata } from './inject-image-metadata.js';

const MIB = 1024 ** 2;
let directory: string;
let disk: Buffer;
const at = (name: string): string => join(directory, name);
const qemu = (...args: string[]): Buffer => execFileSync('qemu-img', args, { cwd: directory });

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'glance-plugins-'));
  // Data, a long hole, data that ends in the middle of a sector's neighbour.
  disk = Buffer.concat([randomBytes(3 * MIB), Buffer.alloc(20 * MIB), randomBytes(MIB + 512)]);
  writeFileSync(at('disk.raw'), disk);
});
afterAll(() => rmSync(directory, { recursive: true }));

const ofFile = (name: string): ReadableData => ({
  size: statSync(at(name)).size,
  file: at(name),
  open: async (signal) => createReadStream(at(name), { signal, highWaterMark: MIB }),
});

/** As from a store that has no files. */
const ofBytes = (bytes: Buffer, chunk = 70_000): ReadableData => ({
  size: bytes.length,
  async open() {
    return (async function* () {
      for (let start = 0; start < bytes.length; start += chunk) yield bytes.subarray(start, start + chunk);
    })();
  },
});

async function collect(data: Bytes): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const chunk of data) pieces.push(Buffer.from(chunk));
  return Buffer.concat(pieces);
}

const signal = new AbortController().signal;

function workOn(data: ReadableData, changes: Partial<PluginWork['image']> = {}, maxSize = 1024 ** 3): PluginWork {
  const scratch = async (): Promise<string> => mkdtempSync(at('scratch-'));
  const image = { id: 'an-image', diskFormat: 'raw', containerFormat: 'bare', properties: {}, ...changes };
  return { image, roles: ['member', 'reader'], data, scratch, maxSize, signal, progress: () => undefined };
}

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('image_decompression', () => {
  const plugin = imageDecompression(0);
  const unpacked = async (data: ReadableData, changes = {}): Promise<Buffer> => {
    const prepared = await runPlugins([plugin], workOn(data, changes));
    return collect(await prepared.data.open(signal));
  };
  /** Only a length: whoever prints what was not to be there should not print megabytes. */
  const refused = async (bytes: Buffer): Promise<number> => (await unpacked(ofBytes(bytes))).length;
  const packed: Record<string, () => Buffer> = {
    gzip: () => gzipSync(disk),
    'gzip of several members': () => Buffer.concat([gzipSync(disk.subarray(0, MIB)), gzipSync(disk.subarray(MIB))]),
    zstd: () => zstdCompressSync(disk, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
    xz: () => execFileSync('xz', ['-0', '--stdout'], { input: disk, maxBuffer: 64 * MIB }),
    bzip2: () => execFileSync('bzip2', ['-1', '--stdout'], { input: disk, maxBuffer: 64 * MIB }),
    zip: () => zip(['disk.raw']),
  };

  it.each(Object.keys(packed))('unpacks %s, from files and from elsewhere', async (kind) => {
    const bytes = packed[kind]!();
    writeFileSync(at('packed'), bytes);
    expect(sha(await unpacked(ofFile('packed')))).toBe(sha(disk));
    expect(sha(await unpacked(ofBytes(bytes)))).toBe(sha(disk));
  });

  it('leaves alone what is not packed, and what is to stay packed', async () => {
    expect(sha(await unpacked(ofFile('disk.raw')))).toBe(sha(disk));
    expect((await unpacked(ofBytes(Buffer.from('BZh is no archive')))).toString()).toBe('BZh is no archive');
    expect(await unpacked(ofBytes(Buffer.alloc(0)))).toHaveLength(0);
    const bytes = gzipSync('data');
    expect(await unpacked(ofBytes(bytes), { containerFormat: 'compressed' })).toEqual(bytes);
  });

  it.each(Object.keys(packed))('refuses %s that is cut off or damaged', async (kind) => {
    const bytes = packed[kind]!();
    await expect(refused(bytes.subarray(0, bytes.length / 2))).rejects.toMatchObject({ code: 'UnsafeImage' });
    const broken = Buffer.from(bytes);
    randomBytes(4096).copy(broken, broken.length / 2);
    await expect(refused(broken)).rejects.toMatchObject({ code: 'UnsafeImage' });
  });

  it.each(['gzip', 'xz', 'zstd', 'bzip2', 'zip'])('stops a bomb in %s at the limit', async (kind) => {
    writeFileSync(at('zeros'), '');
    truncateSync(at('zeros'), 300 * MIB);
    const bomb =
      kind === 'zip'
        ? zip(['zeros'])
        : execFileSync(kind, ['-1', '--stdout', 'zeros'], { cwd: directory, maxBuffer: 9 * MIB });
    expect(bomb.length).toBeLessThan(3 * MIB);
    const bounded = imageDecompression(8 * MIB);
    let size = 0;
    const read = async (): Promise<void> => {
      const prepared = await runPlugins([bounded], workOn(ofBytes(bomb)));
      for await (const chunk of await prepared.data.open(signal)) size += chunk.length;
    };
    await expect(read()).rejects.toMatchObject({ code: 'LimitExceeded' });
    expect(size).toBeLessThanOrEqual(8 * MIB);
  });

  it('refuses archives of several files, of none, and LHA', async () => {
    writeFileSync(at('other'), 'x');
    await expect(unpacked(ofBytes(zip(['disk.raw', 'other'])))).rejects.toThrow(/2 entries/);
    const empty = Buffer.concat([Buffer.from('PK\x05\x06', 'latin1'), Buffer.alloc(18)]);
    await expect(unpacked(ofBytes(empty))).rejects.toThrow(/no file/);
    await expect(unpacked(ofBytes(Buffer.from('..-lh5-....')))).rejects.toThrow(/LHA/);
  });

  function zip(names: readonly string[]): Buffer {
    rmSync(at('packed.zip'), { force: true });
    const script =
      'import sys, zipfile\nwith zipfile.ZipFile("packed.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:\n  [z.write(n) for n in sys.argv[1:]]';
    execFileSync('/usr/bin/python3', ['-c', script, ...names], { cwd: directory });
    return readFileSync(at('packed.zip'));
  }
});

describe('image_conversion', () => {
  const inspect = inspectImage({ requireImageFormatMatch: true, gptSafetyChecksNonfatal: [] }, silentLogger);
  const to = (outputFormat: 'raw' | 'qcow2' | 'vmdk'): ImportPlugin =>
    imageConversion({ outputFormat, conversions: 1, inspect });
  const formats = { qcow2: 'qcow2', vhd: 'vpc', vhdx: 'vhdx', vmdk: 'vmdk', vdi: 'vdi' };
  const options: Record<string, string[]> = {
    vmdk: ['-o', 'subformat=streamOptimized'],
    vhd: ['-o', 'subformat=dynamic,force_size=on'],
  };

  it.each(Object.entries(formats))('turns %s into raw while it is read', async (diskFormat, qemuFormat) => {
    qemu('convert', '-f', 'raw', '-O', qemuFormat, ...(options[diskFormat] ?? []), 'disk.raw', `disk.${diskFormat}`);
    const { image, data } = await runPlugins([to('raw')], workOn(ofFile(`disk.${diskFormat}`), { diskFormat }));
    expect(image).toMatchObject({ diskFormat: 'raw', containerFormat: 'bare' });
    const raw = await collect(await data.open(signal));
    expect(raw).toHaveLength(data.size!);
    // Some formats have whole cylinders or mebibytes only.
    expect(sha(raw.subarray(0, disk.length))).toBe(sha(disk));
    expect(raw.subarray(disk.length).every((byte) => byte === 0)).toBe(true);
  });

  it('turns raw into qcow2, which has the same disk', async () => {
    const heard: number[] = [];
    const work = { ...workOn(ofBytes(disk)), progress: (done: number) => heard.push(done) };
    const { image, data } = await runPlugins([to('qcow2')], work);
    expect(image.diskFormat).toBe('qcow2');
    expect(heard.at(-1)).toBe(disk.length);
    writeFileSync(at('made.qcow2'), await collect(await data.open(signal)));
    expect(qemu('compare', '-f', 'qcow2', '-F', 'raw', 'made.qcow2', 'disk.raw').toString()).toContain('identical');
  });

  it('leaves alone what has the format already, CDs, and what is in a container', async () => {
    const untouched = [
      {},
      { diskFormat: 'iso' },
      { diskFormat: 'ami' },
      { diskFormat: 'qcow2', containerFormat: 'ovf' },
    ];
    for (const changes of untouched) {
      const work = workOn(ofFile('disk.raw'), changes);
      const { data, image } = await runPlugins([to('raw')], work);
      expect(data).toBe(work.data);
      expect(image).toEqual(work.image);
    }
  });

  it('refuses images that lead to other files, or are not what they are said to be', async () => {
    qemu('create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', at('disk.raw'), 'overlay.qcow2');
    qemu('create', '-q', '-f', 'qcow2', '-o', `data_file=${at('data')},data_file_raw=on`, 'outside.qcow2', '1M');
    const hostile: [string, string][] = [
      ['overlay.qcow2', 'qcow2'],
      ['outside.qcow2', 'qcow2'],
      ['disk.raw', 'qcow2'],
      ['disk.raw', 'vmdk'],
      ['overlay.qcow2', 'vdi'],
    ];
    for (const [name, diskFormat] of hostile) {
      const attempt = runPlugins([to('raw')], workOn(ofFile(name), { diskFormat }));
      await expect(attempt, `${name} as ${diskFormat}`).rejects.toMatchObject({ code: 'UnsafeImage' });
    }
  });

  it('ends at once, and leaves no process, when it is stopped', async () => {
    qemu('convert', '-f', 'raw', '-O', 'qcow2', 'disk.raw', 'stopped.qcow2');
    const stop = new AbortController();
    const { data } = await runPlugins([to('raw')], workOn(ofFile('stopped.qcow2'), { diskFormat: 'qcow2' }));
    const read = async (): Promise<void> => {
      for await (const chunk of await data.open(stop.signal)) if (chunk.length > 0) stop.abort(new Error('enough'));
    };
    await expect(read()).rejects.toThrow();
    const running = execFileSync('ps', ['-eo', 'args']).toString();
    expect(running).not.toContain(at('stopped.qcow2'));
  });
});

describe('inject_image_metadata', () => {
  const plugin = injectImageMetadata({ ignoreUserRoles: ['Admin'], inject: { a: '1', os_glance_x: '2' } });
  it('gives properties to images of ordinary people, and no name of the service', async () => {
    const work = workOn(ofBytes(Buffer.alloc(1)), { properties: { a: 'mine', b: '3' } });
    expect((await runPlugins([plugin], work)).image.properties).toEqual({ a: '1', b: '3' });
    const { image } = await runPlugins([plugin], { ...work, roles: ['admin'] });
    expect(image.properties).toEqual({ a: 'mine', b: '3' });
  });
});
