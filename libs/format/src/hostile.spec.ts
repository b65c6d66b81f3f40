import { expect, test } from 'vitest';
import { formatNames, HEAD_SIZE } from './format.js';
import { judgeFormat } from './judge.js';
import * as images from './testing/images.js';
import { inspect } from './testing/run.js';
import { seeds, starts } from './testing/seeds.js';
import { accepts, expected, mustBeSound } from './testing/verdicts.js';

const { KIB, MIB, descriptor } = images;
const sparse = (o: Parameters<typeof descriptor>[0]): Buffer => images.vmdk({ text: descriptor(o) });
const longLine = `ddb.comment = "${'x'.repeat(80 * KIB)}"`;

function withParentOutsideDescriptor(): Buffer {
  const image = images.vmdk({ descriptorSectors: 1 });
  image.write('parentFileNameHint="/etc/passwd"', 3 * 512, 'latin1');
  return image;
}

function grownVmdk(text: string, sectors: number): Buffer {
  const image = Buffer.alloc(MIB);
  images.vmdk({ descriptorSectors: sectors }).copy(image, 0, 0, 512);
  image.write(text, 512, 'latin1');
  return image;
}

function cowd(): Buffer {
  const image = Buffer.alloc(8 * KIB);
  image.write('COWD', 0, 'latin1');
  return image;
}

test.each<[string, Buffer, string]>([
  ['a qcow2 with a backing file', images.qcow2({ backingFile: '/etc/passwd' }), 'backing_file'],
  [
    'a qcow2 of version 2 with a backing file',
    images.qcow2({ version: 2, backingFile: '/etc/passwd' }),
    'backing_file',
  ],
  ['a qcow2 with an external data file', images.qcow2({ features: 0b100n }), 'data_file'],
  ['a qcow2 with an unknown feature', images.qcow2({ features: 1n << 5n }), 'unknown_features'],
  ['a qcow2 with the last feature bit', images.qcow2({ features: 1n << 63n }), 'unknown_features'],
  ['a qcow of version 1', images.qcow2({ version: 1 }), 'version'],
  ['a qcow2 of a version to come', images.qcow2({ version: 4 }), 'version'],
  [
    'a qcow2 with a backing file, cut off inside its header',
    images.qcow2({ version: 2, backingFile: 'x' }).subarray(0, 60),
    'backing_file',
  ],
  [
    'a VMDK with its data in another file',
    sparse({ createType: 'monolithicFlat', extents: ['RW 1 FLAT "passwd" 0'] }),
    'descriptor',
  ],
  ['a VMDK with an extent at a path', sparse({ extents: ['RW 1 SPARSE "/etc/passwd"'] }), 'descriptor'],
  [
    'a VMDK with a second extent at a path',
    sparse({ extents: ['RW 1 SPARSE "a.vmdk"', 'RDONLY 1 FLAT "../b"'] }),
    'descriptor',
  ],
  ['a VMDK without an extent', sparse({ extents: [] }), 'descriptor'],
  ['a VMDK with a second create type', sparse({ extra: ['createType="vmfs"'] }), 'descriptor'],
  [
    'a VMDK with a create type in a comment',
    sparse({ createType: 'vmfs', extra: ['# createType="monolithicSparse"'] }),
    'descriptor',
  ],
  ['a VMDK whose create type only begins well', sparse({ createType: 'monolithicSparse2' }), 'descriptor'],
  ['a VMDK with a line that nobody understands', sparse({ extra: ['RW1 FLAT "/etc/passwd"'] }), 'descriptor'],
  ['a VMDK with a parent', sparse({ extra: ['parentFileNameHint="/etc/passwd"'] }), 'backing_file'],
  ['a VMDK with a parent behind its descriptor', withParentOutsideDescriptor(), 'backing_file'],
  ['a VMDK with an endless descriptor', grownVmdk(descriptor() + longLine, 2 ** 40), 'descriptor'],
  ['a VMDK with its descriptor elsewhere', images.vmdk({ descriptorAt: 3n }), 'descriptor'],
  ['a VMDK without a descriptor', images.vmdk({ text: '' }), 'descriptor'],
  ['a VMDK without capacity', images.vmdk({ capacity: 0n }), 'descriptor'],
  ['a VMDK of version 4', images.vmdk({ version: 4 }), 'version'],
  ['a VMDK extent of ESX', cowd(), 'descriptor'],
  ['a VMDK descriptor alone', Buffer.from(descriptor()), 'descriptor'],
  [
    'a VMDK descriptor that only QEMU takes for one',
    Buffer.from('#\r\n  \nversion=1\nRW 1 FLAT "/etc/passwd" 0\n'),
    'descriptor',
  ],
  ['a VMDK descriptor that begins with other text', Buffer.from('hello\ncreateType="monolithicFlat"\n'), 'descriptor'],
  ['a VMDK without the footer it announces', images.streamOptimizedVmdk().subarray(0, 64 * KIB), 'footer'],
  ['a VMDK whose footer has another descriptor', images.streamOptimizedVmdk({ descriptorAt: 9n }), 'footer'],
  [
    'a VMDK whose footer has another length of descriptor',
    images.streamOptimizedVmdk({ descriptorSectors: 90 }),
    'footer',
  ],
  ['a VMDK whose footer has another capacity', images.streamOptimizedVmdk({ capacity: 0n }), 'footer'],
  ['a VMDK whose footer announces a footer', images.streamOptimizedVmdk({ grainDirectory: 2n ** 64n - 1n }), 'footer'],
  ['a VMDK whose footer has no marker before it', withUInt32(images.streamOptimizedVmdk(), 64 * KIB + 12, 2), 'footer'],
  ['a VMDK whose footer is not the end', withUInt32(images.streamOptimizedVmdk(), 65 * KIB + 8, 1), 'footer'],
  ['a VMDK with bytes after its footer', Buffer.concat([images.streamOptimizedVmdk(), Buffer.alloc(512, 1)]), 'footer'],
  ['a QED', images.qed(), 'banned'],
  ['a LUKS 2 volume', images.luks(2), 'version'],
  ['a VHDX cut off', images.vhdx().subarray(0, 300 * KIB), 'header'],
  ['a VDI cut off', images.vdi().subarray(0, 100), 'header'],
])('%s is refused, also when it is declared raw', async (_, image, check) => {
  for (const length of [509, MIB]) {
    const report = await inspect(image, length);
    expect(report.unsafe.map((danger) => danger.check)).toContain(check);
    expect(accepts(report, 'raw')).toBe(false);
    expect(accepts(report, report.signatures[0]!)).toBe(false);
  }
});

test.each<[string, Buffer]>([
  ['whose entry count is a lie', withUInt32(images.vhdx(), 192 * KIB + 8, 0xffff_ffff)],
  [
    'whose entry count is a lie and that has no entry',
    withUInt32(withUInt32(images.vhdx({ tables: ['first'] }), 192 * KIB + 8, 0xffff_ffff), 192 * KIB + 48, 0),
  ],
  ['whose metadata lies behind the end', images.vhdx({ metadataAt: 2 ** 45 })],
  ['whose metadata lies in its own header', images.vhdx({ metadataAt: 128 * KIB })],
  ['whose size lies in front of the metadata table', images.vhdx({ itemAt: 0 })],
  ['whose size lies behind the end', images.vhdx({ itemAt: 0xffff_fff0 })],
  ['without region tables', images.vhdx({ tables: [] })],
  ['of zero bytes', images.vhdx({ size: 0n })],
  ['of more bytes than there are', images.vhdx({ size: 2n ** 64n - 1n })],
])('a VHDX %s is read without harm, in bounded space', async (_, image) => {
  for (const length of [4099, 20 * MIB]) {
    const report = await inspect(image, length);
    expect(report).toMatchObject({ format: 'vhdx', unsafe: [] });
    expect([null, 30 * MIB]).toContain(report.virtualSize);
  }
});

test('a qcow2 with huge tables is read by its header alone', async () => {
  const image = withUInt32(withUInt32(images.qcow2(), 36, 0xffff_ffff), 56, 0xffff_ffff);
  expect(await inspect(image)).toMatchObject({ format: 'qcow2', virtualSize: 10 * MIB });
});

test('an ISO of no blocks and a LUKS volume whose data begins behind its end have no virtual size', async () => {
  const emptyIso = withUInt32(images.iso(), 0x8000 + 80, 0);
  expect(judgeFormat(await inspect(emptyIso), expected('iso')).virtualSize).toBeNull();
  const shortLuks = withUInt32BE(images.luks(), 104, 0xffff_ffff);
  expect(judgeFormat(await inspect(shortLuks), expected('luks')).virtualSize).toBeNull();
});

test.each(starts)('a %s that is something else as well is refused under every name', async (name, image) => {
  const large = Buffer.concat([image, Buffer.alloc(Math.max(0, 128 * KIB - image.length))]);
  const faces: [string, Buffer][] = [
    ['iso', overlay(large, images.iso(), 0x8000, 0x8800)],
    ['gpt', images.withBootRecord(large, [{ type: 0x83 }])],
    ['vdi', overlay(large, images.vdi(), 0x40, 0x44)],
    ['vhd', images.fixedVhd(large)],
    ['iso', images.withBootRecord(overlay(large, images.iso(), 0x8000, 0x8800), [{ type: 0xee }])],
  ];
  for (const [other, polyglot] of faces.filter(([other]) => other !== name)) {
    const report = await inspect(polyglot);
    expect(report.signatures).toEqual(expect.arrayContaining([name, other]));
    expect(report.format).toBeNull();
    expect([...formatNames, 'ami'].filter((declared) => accepts(report, declared))).toEqual([]);
  }
});

test('a dynamic VHD with a boot record is no fixed VHD', async () => {
  const image = images.withBootRecord(images.dynamicVhd(), [{ type: 0x83 }]);
  expect(await inspect(image)).toMatchObject({ format: null, signatures: ['vhd', 'gpt'] });
});

test('an image cut off anywhere in its headers is harmless', async () => {
  const cuts = [
    1,
    4,
    7,
    8,
    40,
    47,
    48,
    56,
    63,
    64,
    71,
    100,
    104,
    376,
    510,
    511,
    512,
    591,
    700,
    0x8005,
    0x8006,
    0x8400,
    HEAD_SIZE - 1,
    HEAD_SIZE,
    192 * KIB + 20,
    1.2 * MIB,
  ];
  for (const seed of seeds) {
    for (const cut of cuts) mustBeSound(await inspect(seed.subarray(0, Math.floor(cut))));
  }
});

function overlay(image: Buffer, other: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.from(image);
  other.copy(copy, start, start, end);
  return copy;
}

function withUInt32(image: Buffer, at: number, value: number): Buffer {
  image.writeUInt32LE(value, at);
  return image;
}

function withUInt32BE(image: Buffer, at: number, value: number): Buffer {
  image.writeUInt32BE(value, at);
  return image;
}
