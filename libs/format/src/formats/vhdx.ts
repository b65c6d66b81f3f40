import type { Format, Region } from '../format.js';
import { u64 } from '../u64.js';

const KIB = 1024;
const TABLE_LENGTH = 64 * KIB;
const METADATA_REGION = guid('8B7CA206-4790-4B9A-B8FE-575F050F886E');
const VIRTUAL_DISK_SIZE = guid('2FA54224-CD1B-4876-B211-5DBED83BF4B8');

/**
 * VHDX, by [MS-VHDX]: little-endian. One of two region tables, at 192 and 256 KiB, leads to the metadata table, whose
 * "virtual disk size" item has the size.
 */
export const vhdx: Format = {
  name: 'vhdx',
  headerSize: 320 * KIB,
  recognises: ({ head }) => head.toString('latin1', 0, 8) === 'vhdxfile',
  read: () => ({ virtualSize: null, unsafe: [] }),
  *findVirtualSize(): Generator<Region, number | null, Buffer> {
    const first = metadataRegion(yield { offset: 192 * KIB, length: TABLE_LENGTH });
    const metadata = first ?? metadataRegion(yield { offset: 256 * KIB, length: TABLE_LENGTH });
    if (metadata === null) return null;
    const item = virtualDiskSizeItem(yield { offset: metadata, length: TABLE_LENGTH });
    if (item === null) return null;
    // Zero is no size of a disk, and what a region reads as that lies behind or after the stream.
    return u64(yield { offset: metadata + item, length: 8 }, 0, 'LE') || null;
  },
};

function metadataRegion(table: Buffer): number | null {
  if (table.toString('latin1', 0, 4) !== 'regi') return null;
  const entry = findEntry(table, 16, table.readUInt32LE(8), METADATA_REGION);
  return entry === undefined ? null : u64(table, entry + 16, 'LE');
}

function virtualDiskSizeItem(table: Buffer): number | null {
  if (table.toString('latin1', 0, 8) !== 'metadata') return null;
  const entry = findEntry(table, 32, table.readUInt16LE(10), VIRTUAL_DISK_SIZE);
  return entry === undefined ? null : table.readUInt32LE(entry + 16);
}

/** Both tables have entries of 32 bytes that begin with a GUID. */
function findEntry(table: Buffer, start: number, count: number, wanted: Buffer): number | undefined {
  const end = Math.min(start + 32 * count, table.length - 31);
  for (let at = start; at < end; at += 32) {
    if (wanted.equals(table.subarray(at, at + 16))) return at;
  }
  return undefined;
}

/** A GUID's first three fields are stored with the low byte first. */
function guid(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
