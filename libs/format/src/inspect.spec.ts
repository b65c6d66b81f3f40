import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import type { Bytes } from '@glance/store';
import type { FormatName } from './format.js';
import { inspectFormat, type FormatReport } from './inspect.js';
import * as images from './testing/images.js';
import { inspect, reusedChunks } from './testing/run.js';

const { KIB, MIB } = images;
const bootDisk = images.disk([{ type: 0x83, status: 0x80, first: 2048 }]);
const noise = Buffer.from(Array.from({ length: 100_003 }, (_, index) => (index * 7919) % 251));

const good: [string, Buffer, FormatName, number | null][] = [
  ['nothing', Buffer.alloc(0), 'raw', 0],
  ['a byte', Buffer.from('x'), 'raw', 1],
  ['zeros', Buffer.alloc(100 * KIB), 'raw', 100 * KIB],
  ['noise', noise, 'raw', noise.length],
  ['text that speaks of createType', Buffer.from('Set the create type.\n'), 'raw', 21],
  ['a qcow2 of version 2', images.qcow2({ version: 2 }), 'qcow2', 10 * MIB],
  [
    'a qcow2 of version 2 with something where features came later',
    images.qcow2({ version: 2, features: 1n << 40n }),
    'qcow2',
    10 * MIB,
  ],
  ['a qcow2 of version 3', images.qcow2({ size: 1_573_376 }), 'qcow2', 1_573_376],
  ['a qcow2 with all known features', images.qcow2({ features: 0b11011n }), 'qcow2', 10 * MIB],
  ['a dynamic VHD', images.dynamicVhd(), 'vhd', 20 * MIB],
  ['a fixed VHD', images.fixedVhd(Buffer.alloc(100 * KIB)), 'vhd', 100 * KIB],
  ['a fixed VHD of a disk with partitions', images.fixedVhd(bootDisk), 'vhd', MIB],
  ['a fixed VHD from before 2004', images.fixedVhd(Buffer.alloc(3 * KIB), 511), 'vhd', 3 * KIB],
  ['a VHDX', images.vhdx(), 'vhdx', 30 * MIB],
  ['a VHDX whose first region table is lost', images.vhdx({ tables: ['second'] }), 'vhdx', 30 * MIB],
  ['a VMDK', images.vmdk(), 'vmdk', 10 * MIB],
  ['a VMDK whose descriptor fills its space', images.vmdk({ descriptorSectors: 1 }), 'vmdk', 10 * MIB],
  ['a stream-optimized VMDK with a footer', images.streamOptimizedVmdk(), 'vmdk', 10 * MIB],
  ['a VDI', images.vdi(), 'vdi', 40 * MIB],
  ['an ISO', images.iso(), 'iso', 80 * KIB],
  ['an ISO with padding', images.iso({ padding: 300 * KIB }), 'iso', 80 * KIB],
  [
    'an ISO that boots from USB sticks',
    images.withBootRecord(images.iso(), [{ type: 0xee }, { type: 0, status: 7 }]),
    'iso',
    80 * KIB,
  ],
  ['a UDF volume', images.iso({ identifier: 'BEA01', type: 0, padding: 2 * KIB }), 'iso', 82 * KIB],
  ['a disk with an MBR', bootDisk, 'gpt', MIB],
  ['a disk with a GPT', images.disk([{ type: 0xee }]), 'gpt', MIB],
  ['a FAT file system', images.fat(), 'raw', MIB],
  ['a LUKS 1 volume', images.luks(), 'luks', 4 * MIB],
  ['a ploop', images.ploop(), 'ploop', 120 * MIB],
  ['a ploop of the first version', images.ploop(1), 'ploop', 120 * MIB],
];

test.each(good)('%s is recognised however it is cut into chunks', async (_, image, format, virtualSize) => {
  const lengths = [...(image.length <= 128 * KIB ? [1] : []), 997, 4096, 64 * KIB, 20 * MIB];
  for (const length of lengths) {
    const report = await inspect(image, length);
    expect({ length, ...report }).toMatchObject({
      length,
      format,
      virtualSize,
      unsafe: [],
      size: image.length,
      complete: true,
    });
  }
});

test('the very same chunks pass', async () => {
  const chunks = [Buffer.from('QFI'), Buffer.alloc(0), Buffer.from([0xfb]), Buffer.alloc(MIB, 7)];
  const passed: Uint8Array[] = [];
  for await (const chunk of inspectFormat().through(from(chunks))) passed.push(chunk);
  expect(passed).toHaveLength(chunks.length);
  passed.forEach((chunk, index) => expect(chunk).toBe(chunks[index]));
});

test('the source is released when the consumer breaks off, and its error reaches the consumer', async () => {
  let released = 0;
  async function* source(): Bytes {
    try {
      yield Buffer.alloc(10);
      throw new Error('the client is gone');
    } finally {
      released += 1;
    }
  }
  for await (const _ of inspectFormat().through(source())) break;
  expect(released).toBe(1);
  const all = async (): Promise<void> => {
    for await (const _ of inspectFormat().through(source()));
  };
  await expect(all()).rejects.toThrow('the client is gone');
  expect(released).toBe(2);
});

test('a refusal after the head ends the stream with its error and releases the source before the rest is pulled', async () => {
  let pulled = 0;
  let released = false;
  async function* source(): Bytes {
    try {
      for await (const chunk of reusedChunks(Buffer.concat([images.qed(), Buffer.alloc(10 * MIB)]), 4 * KIB)) {
        pulled += chunk.length;
        yield chunk;
      }
    } finally {
      released = true;
    }
  }
  const seen: FormatReport[] = [];
  const tap = inspectFormat((report) => {
    seen.push(report);
    throw new Error('no');
  });
  let passed = 0;
  const all = async (): Promise<void> => {
    for await (const chunk of tap.through(source())) passed += chunk.length;
  };
  await expect(all()).rejects.toThrow('no');
  expect({ pulled, passed, released }).toEqual({ pulled: 68 * KIB, passed: 64 * KIB, released: true });
  expect(seen).toMatchObject([{ format: 'qed', complete: false, unsafe: [{ check: 'banned' }] }]);
});

test('the report after the head leaves open what only the end tells', async () => {
  const early = async (image: Buffer): Promise<FormatReport> => {
    const reports: FormatReport[] = [];
    for await (const _ of inspectFormat((report) => reports.push(report)).through(reusedChunks(image, 64 * KIB)));
    expect(reports).toHaveLength(1);
    return reports[0]!;
  };
  expect(await early(Buffer.alloc(MIB))).toMatchObject({ format: 'raw', virtualSize: null, complete: false });
  expect(await early(images.fixedVhd(bootDisk))).toMatchObject({ format: 'gpt', virtualSize: null });
  expect(await early(images.luks())).toMatchObject({ format: 'luks', virtualSize: null });
  expect(await early(images.vhdx())).toMatchObject({ format: 'vhdx', unsafe: [] });
  const passingFooter = Buffer.concat([images.fixedVhd(Buffer.alloc(128 * KIB - 512)), Buffer.alloc(64 * KIB)]);
  expect(await early(passingFooter)).toMatchObject({ format: 'raw', signatures: ['raw'] });
  const streamed = Buffer.concat([images.streamOptimizedVmdk().subarray(0, 64 * KIB), Buffer.alloc(64 * KIB)]);
  expect(await early(streamed)).toMatchObject({ format: 'vmdk', virtualSize: 10 * MIB, unsafe: [] });
});

test('an inspection keeps less than 220 KiB, whatever passes', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const hungry = [
    images.vhdx({ metadataAt: 2 ** 40 }),
    images.vhdx(),
    images.vmdk({ descriptorSectors: 2 ** 40 }),
    Buffer.alloc(MIB),
  ];
  const open: AsyncIterator<Uint8Array>[] = [];
  collect();
  const before = process.memoryUsage().arrayBuffers;
  for (let round = 0; round < 25; round += 1) {
    for (const image of hungry) {
      const stream = inspectFormat()
        .through(from([image, image]))
        [Symbol.asyncIterator]();
      await stream.next();
      open.push(stream);
    }
  }
  collect();
  const each = (process.memoryUsage().arrayBuffers - before) / open.length;
  expect(each).toBeLessThan(220 * KIB);
});

async function* from(chunks: Uint8Array[]): Bytes {
  yield* chunks;
}
