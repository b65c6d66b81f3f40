import { expect, test } from 'vitest';
import { isServiceError } from '@glance/domain';
import { inspectFormat, type FormatReport } from './inspect.js';
import { judgeFormat, type FormatExpectation, type FormatVerdict } from './judge.js';
import * as images from './testing/images.js';
import { inspect, reusedChunks } from './testing/run.js';

const { KIB, MIB } = images;
const zeros = Buffer.alloc(MIB);
const mbrDisk = images.disk([{ type: 0x83, status: 0x80, first: 2048 }]);
const unsafeQcow2 = images.qcow2({ backingFile: '/etc/passwd' });
const bootCode = images.disk([{ type: 0x90, status: 0xeb }]);
const isoWithQcow2 = images.qcow2();
images.iso().copy(isoWithQcow2, 0x8000, 0x8000, 0x8800);

async function judge(
  image: Buffer,
  diskFormat: string,
  options: Partial<FormatExpectation> = {},
): Promise<FormatVerdict> {
  return judgeFormat(await inspect(image), { diskFormat, requireMatch: true, gptNonfatal: [], ...options });
}

async function refusal(
  image: Buffer,
  diskFormat: string,
  options: Partial<FormatExpectation> = {},
): Promise<{ message: string; details: object }> {
  try {
    await judge(image, diskFormat, options);
  } catch (error) {
    if (isServiceError(error, 'UnsafeImage')) return { message: error.message, details: error.details };
    throw error;
  }
  throw new Error('The image was accepted.');
}

test.each<[string, Buffer, string, number | null]>([
  ['raw', zeros, 'raw', MIB],
  ['an empty raw', Buffer.alloc(0), 'raw', null],
  ['a qcow2', images.qcow2(), 'qcow2', 10 * MIB],
  ['a fixed VHD', images.fixedVhd(zeros), 'vhd', MIB],
  ['a dynamic VHD', images.dynamicVhd(), 'vhd', 20 * MIB],
  ['a VHDX', images.vhdx(), 'vhdx', 30 * MIB],
  ['a VMDK', images.vmdk(), 'vmdk', 10 * MIB],
  ['a VDI', images.vdi(), 'vdi', 40 * MIB],
  ['an ISO with a boot record', images.withBootRecord(images.iso(), [{ type: 0x17, status: 0x80 }]), 'iso', 80 * KIB],
  ['a GPT disk', images.disk([{ type: 0xee }]), 'gpt', MIB],
  ['a LUKS 1 volume', images.luks(), 'luks', 4 * MIB],
  ['a ploop', images.ploop(), 'ploop', 120 * MIB],
])('%s is accepted as what it is, with its virtual size', async (_, image, declared, virtualSize) => {
  expect(await judge(image, declared)).toEqual({ virtualSize, warnings: [] });
});

test.each<[string, Buffer]>([
  ['a clean qcow2', images.qcow2()],
  ['a disk with an MBR', mbrDisk],
  ['a disk with a GPT', images.disk([{ type: 0xee }])],
  ['an ISO', images.iso()],
  ['a LUKS 1 volume', images.luks()],
  ['a fixed VHD', images.fixedVhd(mbrDisk)],
])('%s declared raw is accepted with a warning, its virtual size the number of its bytes', async (_, image) => {
  const verdict = await judge(image, 'raw');
  expect(verdict.virtualSize).toBe(image.length);
  expect(verdict.warnings).toEqual([expect.stringMatching(/disk_format is raw and its data is/)]);
});

test.each<[string, Buffer]>([
  ['a hybrid MBR', images.disk([{ type: 0xee }, { type: 0x83, first: 2048 }])],
  ['an MBR without partitions', images.disk([])],
  ['a protective entry with an unusual start', images.disk([{ type: 0xee, startHead: 1, startSector: 1, first: 63 }])],
])('a raw disk with %s hurts nobody and is accepted', async (_, image) => {
  expect((await judge(image, 'raw')).virtualSize).toBe(MIB);
  expect((await judge(image, 'gpt')).virtualSize).toBe(MIB);
});

test('a file system without partitions is raw', async () => {
  const ntfs = Buffer.from(bootCode);
  ntfs.write('NTFS    ', 3, 'latin1');
  expect(await judge(ntfs, 'raw')).toEqual({ virtualSize: MIB, warnings: [] });
  expect(await judge(images.fat(), 'raw')).toEqual({ virtualSize: MIB, warnings: [] });
});

test.each(['ami', 'aki', 'ari', 'ploop', 'custom'])(
  'data that looks like nothing is accepted as %s, without a virtual size',
  async (declared) => {
    expect(await judge(zeros, declared)).toEqual({ virtualSize: null, warnings: [] });
  },
);

test('a ploop is raw to formats that nobody can recognise', async () => {
  expect(await judge(images.ploop(), 'custom')).toEqual({ virtualSize: null, warnings: [] });
});

test.each<[string, Buffer, string]>([
  ['qcow2', zeros, 'raw'],
  ['qcow2', Buffer.alloc(0), 'raw'],
  ['qcow2', images.vmdk(), 'vmdk'],
  ['vmdk', images.qcow2(), 'qcow2'],
  ['vhd', zeros, 'raw'],
  ['vhd', images.vhdx(), 'vhdx'],
  ['iso', mbrDisk, 'gpt'],
  ['ami', mbrDisk, 'gpt'],
  ['custom', images.qcow2(), 'qcow2'],
  ['ploop', images.qcow2(), 'qcow2'],
  ['raw2', images.iso(), 'iso'],
  ['qcow2', images.ploop(), 'ploop'],
])(
  'declared %s with other data is refused, or accepted without a virtual size when no match is required',
  async (declared, image, detected) => {
    const mismatch = `Image disk_format ${declared} does not match stream data ${detected}: set disk_format to ${detected}, or upload data that is ${declared}.`;
    const details = { check: 'format_match', disk_format: declared, detected };
    expect(await refusal(image, declared)).toEqual({ message: mismatch, details });
    expect(await judge(image, declared, { requireMatch: false })).toEqual({ virtualSize: null, warnings: [mismatch] });
  },
);

test('several formats in one file are refused, whichever is declared', async () => {
  for (const declared of ['raw', 'qcow2', 'iso', 'ami']) {
    const { message, details } = await refusal(isoWithQcow2, declared);
    expect(message).toMatch(
      `Image disk_format ${declared} does not match stream data, in which multiple formats were detected (qcow2, iso)`,
    );
    expect(details).toEqual({ check: 'format_match', disk_format: declared, detected: 'qcow2, iso' });
  }
  expect((await judge(isoWithQcow2, 'iso', { requireMatch: false })).virtualSize).toBeNull();
});

test('an unsafe image is refused whatever it is declared as and whether or not a match is required', async () => {
  for (const declared of ['qcow2', 'raw', 'vmdk', 'ami']) {
    for (const requireMatch of [true, false]) {
      const { message, details } = await refusal(unsafeQcow2, declared, { requireMatch });
      expect(message).toBe(
        'Image failed safety checks: qcow2 backing_file: it names a backing file, which would be read on whatever host opens the image ' +
          '(merge the two with "qemu-img convert -O qcow2" and upload the result).',
      );
      expect(details).toEqual({ check: 'backing_file', disk_format: declared, detected: 'qcow2' });
    }
  }
});

test('a danger in one of several formats is refused even when no match is required', async () => {
  const image = Buffer.from(isoWithQcow2);
  image.writeBigUInt64BE(1n, 8);
  expect((await refusal(image, 'iso', { requireMatch: false })).details).toMatchObject({ check: 'backing_file' });
});

test('a boot record without a partition table is refused, unless the operator listed the check as not fatal', async () => {
  const { message, details } = await refusal(bootCode, 'raw');
  expect(message).toMatch(/^Image failed safety checks: gpt mbr: .*gpt_safety_checks_nonfatal = mbr\)\.$/);
  expect(details).toEqual({ check: 'mbr', disk_format: 'raw', detected: 'gpt' });
  const verdict = await judge(bootCode, 'raw', { gptNonfatal: ['mbr'] });
  expect(verdict).toEqual({
    virtualSize: MIB,
    warnings: [
      expect.stringMatching(/^Accepted in spite of a failed check: gpt mbr: /),
      expect.stringMatching(/its data is gpt/),
    ],
  });
});

test('only checks of boot records can be made not fatal', async () => {
  const gptNonfatal = ['mbr', 'backing_file', 'version', 'banned'];
  expect((await refusal(unsafeQcow2, 'qcow2', { gptNonfatal })).details).toMatchObject({ check: 'backing_file' });
  expect((await refusal(images.luks(2), 'luks', { gptNonfatal })).details).toMatchObject({ check: 'version' });
});

test('a virtual size that no number can hold stays unknown', async () => {
  const huge = images.qcow2();
  huge.writeBigUInt64BE(2n ** 63n, 24);
  expect(await judge(huge, 'qcow2')).toEqual({ virtualSize: null, warnings: [] });
  expect((await judge(images.vmdk({ capacity: 2n ** 60n }), 'vmdk')).virtualSize).toBeNull();
});

test('before the last byte only what cannot be mended any more is refused', async () => {
  const early = async (image: Buffer, diskFormat: string): Promise<FormatVerdict> => {
    const reports: FormatReport[] = [];
    for await (const _ of inspectFormat((report) => reports.push(report)).through(reusedChunks(image, 8 * KIB)));
    return judgeFormat(reports[0]!, { diskFormat, requireMatch: true, gptNonfatal: [] });
  };
  await expect(early(images.fixedVhd(mbrDisk), 'vhd')).resolves.toBeDefined();
  await expect(early(images.fixedVhd(zeros), 'vhd')).resolves.toBeDefined();
  await expect(early(images.vhdx(), 'vhdx')).resolves.toBeDefined();
  await expect(early(mbrDisk, 'raw')).resolves.toBeDefined();
  await expect(early(images.qcow2(), 'vhd')).rejects.toThrow('does not match stream data qcow2');
  await expect(early(zeros, 'qcow2')).rejects.toThrow('does not match stream data raw');
  await expect(early(unsafeQcow2, 'qcow2')).rejects.toThrow('backing_file');
});
