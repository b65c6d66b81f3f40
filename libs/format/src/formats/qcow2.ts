import type { Format, Reading } from '../format.js';
import { u64 } from '../u64.js';

const KNOWN_INCOMPATIBLE_FEATURES = 0b11111n;
const EXTERNAL_DATA_FILE = 0b100n;

/** qcow2, by QEMU's docs/interop/qcow2.rst: a big-endian header at 0, 72 bytes in version 2, at least 104 in version 3. */
export const qcow2: Format = {
  name: 'qcow2',
  headerSize: 72,
  recognises: ({ head }) => head.readUInt32BE(0) === 0x514649fb,
  read: ({ head }) => ({ virtualSize: u64(head, 24, 'BE'), unsafe: dangers(head) }),
};

function dangers(head: Buffer): Reading['unsafe'] {
  const version = head.readUInt32BE(4);
  // Version 2 has no feature bits: something else may lie there.
  const features = version === 2 ? 0n : head.readBigUInt64BE(72);
  const unsafe: Reading['unsafe'][number][] = [];
  if (version !== 2 && version !== 3) {
    unsafe.push({
      check: 'version',
      reason: `its version is ${version}; 2 and 3 can be checked`,
      remedy: 'rewrite it with "qemu-img convert -O qcow2"',
    });
  }
  if (head.readBigUInt64BE(8) !== 0n) {
    unsafe.push({
      check: 'backing_file',
      reason: 'it names a backing file, which would be read on whatever host opens the image',
      remedy: 'merge the two with "qemu-img convert -O qcow2" and upload the result',
    });
  }
  if ((features & EXTERNAL_DATA_FILE) !== 0n) {
    unsafe.push({
      check: 'data_file',
      reason: 'its data lies in another file, which would be read on whatever host opens the image',
      remedy: 'bring both into one file with "qemu-img convert -O qcow2" and upload the result',
    });
  }
  if ((features & ~KNOWN_INCOMPATIBLE_FEATURES) !== 0n) {
    unsafe.push({
      check: 'unknown_features',
      reason: `its incompatible features 0x${features.toString(16)} include unknown ones`,
      remedy: 'rewrite it with "qemu-img convert -O qcow2"',
    });
  }
  return unsafe;
}
