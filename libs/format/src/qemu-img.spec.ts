import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FormatName } from './format.js';
import { inspectFormat, type FormatReport } from './inspect.js';
import { judgeFormat } from './judge.js';

// A second opinion on what the fixtures in testing/images.ts claim: images that QEMU wrote, and what QEMU says of them.

const run = promisify(execFile);
const MIB = 2 ** 20;
const GIB = 2 ** 30;
let folder: string;
let content: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'format-'));
  await run('qemu-img', ['--version']).catch((cause: unknown) => {
    throw new Error('These tests need qemu-img: install the package qemu-utils.', { cause });
  });
  content = join(folder, 'content.raw');
  const bytes = Buffer.from(Array.from({ length: 1.5 * MIB + 512 }, (_, index) => (index >> 9) * 31 + index));
  await writeFile(content, bytes);
});

afterAll(async () => rm(folder, { recursive: true, force: true }));

interface Variant {
  readonly driver: string;
  readonly options: string;
  readonly format: FormatName;
  /** The file is as large as the disk. */
  readonly full?: boolean;
}

const variants: Variant[] = [
  { driver: 'raw', options: 'preallocation=off', format: 'raw', full: true },
  { driver: 'qcow2', options: 'compat=0.10', format: 'qcow2' },
  { driver: 'qcow2', options: 'compat=1.1', format: 'qcow2' },
  { driver: 'qcow2', options: 'cluster_size=4k', format: 'qcow2' },
  { driver: 'qcow2', options: 'cluster_size=2M,refcount_bits=1', format: 'qcow2' },
  { driver: 'qcow2', options: 'lazy_refcounts=on,preallocation=metadata', format: 'qcow2', full: true },
  { driver: 'qcow2', options: 'compression_type=zstd', format: 'qcow2' },
  { driver: 'qcow2', options: 'extended_l2=on,cluster_size=128k', format: 'qcow2' },
  { driver: 'vmdk', options: 'subformat=monolithicSparse', format: 'vmdk' },
  { driver: 'vmdk', options: 'subformat=monolithicSparse,compat6=on', format: 'vmdk' },
  { driver: 'vmdk', options: 'subformat=monolithicSparse,zeroed_grain=on', format: 'vmdk' },
  { driver: 'vmdk', options: 'subformat=streamOptimized', format: 'vmdk' },
  { driver: 'vdi', options: 'static=off', format: 'vdi' },
  { driver: 'vdi', options: 'static=on', format: 'vdi', full: true },
  { driver: 'vhdx', options: 'subformat=dynamic', format: 'vhdx' },
  { driver: 'vhdx', options: 'subformat=dynamic,block_size=1M', format: 'vhdx' },
  { driver: 'vhdx', options: 'subformat=fixed', format: 'vhdx', full: true },
  { driver: 'vpc', options: 'subformat=dynamic', format: 'vhd' },
  { driver: 'vpc', options: 'subformat=dynamic,force_size=on', format: 'vhd' },
  { driver: 'vpc', options: 'subformat=fixed', format: 'vhd', full: true },
  { driver: 'vpc', options: 'subformat=fixed,force_size=on', format: 'vhd', full: true },
  { driver: 'parallels', options: 'cluster_size=1M', format: 'ploop' },
];
const sizes = [
  512,
  65_536,
  MIB,
  1.5 * MIB + 512,
  3 * MIB + 17 * 512,
  16 * MIB,
  127 * MIB + 512,
  2 * GIB,
  10 * GIB,
  300 * GIB + 512,
];
const largestFull = 16 * MIB;

test.each(variants)(
  '$driver $options has the size that qemu-img tells, empty in all sizes',
  { timeout: 120_000 },
  async (variant) => {
    for (const size of sizes.filter((size) => size <= largestFull || variant.full !== true)) {
      const file = join(folder, `${crypto.randomUUID()}.${variant.driver}`);
      await run('qemu-img', ['create', '-q', '-f', variant.driver, '-o', variant.options, file, String(size)]);
      await mustAgree(file, variant);
      await unlink(file);
    }
  },
);

test.each(variants)(
  '$driver $options has the size that qemu-img tells, with content',
  { timeout: 30_000 },
  async (variant) => {
    const file = await convert(variant.driver, variant.options);
    await mustAgree(file, variant);
  },
);

test.each<[FormatName, string]>([
  ['qcow2', 'encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10'],
  ['luks', 'key-secret=key,iter-time=10'],
])('an encrypted %s has the size that qemu-img tells', { timeout: 120_000, retry: 3 }, async (driver, options) => {
  // Again when it fails: qemu-img measures how fast it can derive keys, and gives up on a machine that is busy.
  const file = join(folder, `encrypted.${driver}`);
  const secret = ['--object', 'secret,id=key,data=not-a-secret'];
  await run('qemu-img', ['convert', ...secret, '-f', 'raw', '-O', driver, '-o', options, content, file]);
  await mustAgree(file, { driver, format: driver });
});

test('a fixed VHD of a bootable disk is a VHD', async () => {
  const disk = Buffer.alloc(MIB);
  disk.set([0x80, 0, 2, 0, 0x83], 446);
  disk.writeUInt16LE(0xaa55, 510);
  const source = join(folder, 'bootable.raw');
  await writeFile(source, disk);
  const file = join(folder, 'bootable.vhd');
  await run('qemu-img', ['convert', '-f', 'raw', '-O', 'vpc', '-o', 'subformat=fixed,force_size=on', source, file]);
  const report = await inspect(file);
  expect(report).toMatchObject({ format: 'vhd', signatures: ['vhd', 'gpt'], unsafe: [], virtualSize: MIB });
});

test.each(['monolithicFlat', 'twoGbMaxExtentSparse', 'twoGbMaxExtentFlat'])(
  'a VMDK in several files (%s) is refused, each of them that is one',
  async (subformat) => {
    const file = await convert('vmdk', `subformat=${subformat}`);
    await mustRefuse(file, 'descriptor');
    if (subformat === 'twoGbMaxExtentSparse') await mustRefuse(file.replace(/\.vmdk$/, '-s001.vmdk'), 'descriptor');
  },
);

test('images that name other files are refused', async () => {
  const create = async (name: string, driver: string, ...rest: string[]): Promise<string> => {
    const file = join(folder, name);
    await run('qemu-img', ['create', '-q', '-f', driver, ...rest, file, String(1.5 * MIB + 512)]);
    return file;
  };
  const base = await convert('vmdk');
  await mustRefuse(await create('child.qcow2', 'qcow2', '-b', content, '-F', 'raw'), 'backing_file');
  await mustRefuse(
    await create('child2.qcow2', 'qcow2', '-o', 'compat=0.10', '-b', content, '-F', 'raw'),
    'backing_file',
  );
  await mustRefuse(await create('outside.qcow2', 'qcow2', '-o', `data_file=${join(folder, 'data.raw')}`), 'data_file');
  await mustRefuse(
    await create('outside2.qcow2', 'qcow2', '-o', `data_file=${join(folder, 'data2.raw')},data_file_raw=on`),
    'data_file',
  );
  await mustRefuse(await create('child.vmdk', 'vmdk', '-b', base, '-F', 'vmdk'), 'backing_file');
});

test('a QED is recognised and refused', async () => {
  const file = await convert('qed');
  expect((await inspect(file)).virtualSize).toBe(1.5 * MIB + 512);
  await mustRefuse(file, 'banned');
});

async function convert(driver: string, options = ''): Promise<string> {
  const file = join(folder, `${crypto.randomUUID()}.${driver}`);
  const settings = options === '' ? [] : ['-o', options];
  await run('qemu-img', ['convert', '-f', 'raw', '-O', driver, ...settings, content, file]);
  return file;
}

async function inspect(file: string): Promise<FormatReport> {
  const tap = inspectFormat();
  for await (const _ of tap.through(createReadStream(file)));
  return tap.result();
}

async function mustAgree(file: string, { driver, format }: Pick<Variant, 'driver' | 'format'>): Promise<void> {
  const report = await inspect(file);
  const { stdout } = await run('qemu-img', ['info', '-f', driver, '--output=json', file]);
  const told = JSON.parse(stdout) as { 'virtual-size': number };
  expect(report).toMatchObject({ format, unsafe: [], virtualSize: told['virtual-size'] });
  const verdict = judgeFormat(report, { diskFormat: format, requireMatch: true, gptNonfatal: [] });
  expect(verdict).toEqual({ virtualSize: told['virtual-size'], warnings: [] });
}

async function mustRefuse(file: string, check: string): Promise<void> {
  const report = await inspect(file);
  for (const diskFormat of ['raw', ...report.signatures]) {
    const judged = (): unknown => judgeFormat(report, { diskFormat, requireMatch: false, gptNonfatal: ['mbr'] });
    expect(judged).toThrow(
      expect.objectContaining({ code: 'UnsafeImage', details: expect.objectContaining({ check }) as unknown }) as Error,
    );
  }
}
