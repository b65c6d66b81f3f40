import type { Ends, Format } from '../format.js';

const FIRST_DESCRIPTOR = 0x8000;
const PRIMARY = 1;
const identifiers = new Set(['CD001', 'BEA01', 'NSR02', 'NSR03']);

/** ISO 9660 (ECMA-119) and UDF (ECMA-167): volume descriptors from sector 16 on; the first of an ISO 9660 volume is the primary one. */
export const iso: Format = {
  name: 'iso',
  headerSize: FIRST_DESCRIPTOR + 2048,
  recognises: ({ head }) => identifiers.has(head.toString('latin1', FIRST_DESCRIPTOR + 1, FIRST_DESCRIPTOR + 6)),
  read: (ends) => ({ virtualSize: volumeSize(ends), unsafe: [] }),
  // An image that can also be written to a USB stick has one in its unused first 32 KiB.
  ownsBootRecord: () => true,
};

// Glance: the size of the volume, not of the file, which may be padded or carry more sessions.
function volumeSize({ head, size }: Ends): number {
  if (head[FIRST_DESCRIPTOR] !== PRIMARY) return size;
  return head.readUInt32LE(FIRST_DESCRIPTOR + 80) * head.readUInt16LE(FIRST_DESCRIPTOR + 128);
}
