import type { Format } from '../format.js';
import { u64 } from '../u64.js';

const VERSION_1 = 'WithoutFreeSpace';
const VERSION_2 = 'WithouFreSpacExt';

/** ploop, by QEMU's docs/interop/parallels.txt: little-endian, the number of sectors at 36 (in 32 bits in its first version). */
export const ploop: Format = {
  name: 'ploop',
  headerSize: 64,
  recognises: ({ head }) => [VERSION_1, VERSION_2].includes(magic(head)),
  read: ({ head }) => {
    const sectors = magic(head) === VERSION_1 ? head.readUInt32LE(36) : u64(head, 36, 'LE');
    const bytes = (sectors ?? Infinity) * 512;
    return { virtualSize: Number.isSafeInteger(bytes) ? bytes : null, unsafe: [] };
  },
};

function magic(head: Buffer): string {
  return head.toString('latin1', 0, 16);
}
