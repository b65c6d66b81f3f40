import { TAIL_SIZE, type Ends, type Format } from '../format.js';
import { u64 } from '../u64.js';

const COOKIE = 'conectix';

/**
 * VHD, by Microsoft's "Virtual Hard Disk Image Format Specification" 1.0: a big-endian footer of 512 bytes ends the file
 * (511 from writers before 2004), and a copy of it begins a dynamic disk. The virtual size is the footer's current size.
 *
 * Glance: looks at the start only, so it takes a fixed VHD for raw, and reports the original size, which is another
 * once a disk was resized. `qemu-img info` may report the size by cylinders, heads and sectors instead.
 */
export const vhd: Format = {
  name: 'vhd',
  headerSize: 511,
  recognises: (ends) => footer(ends) !== undefined,
  read: (ends) => ({ virtualSize: u64(footer(ends) ?? ends.head, 48, 'BE'), unsafe: [] }),
  // In a fixed disk the first sector is the guest's own.
  ownsBootRecord: ({ head }) => !hasCookie(head),
};

function footer({ head, tail }: Ends): Buffer | undefined {
  return [head, tail.subarray(TAIL_SIZE - 512), tail.subarray(TAIL_SIZE - 511)].find(hasCookie);
}

function hasCookie(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, COOKIE.length) === COOKIE;
}
