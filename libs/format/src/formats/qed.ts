import type { Format } from '../format.js';
import { u64 } from '../u64.js';

/** QED, by QEMU's docs/interop/qed_spec.rst: little-endian, the image size at 48. Never safe: nothing supports it, and it can name a backing file. */
export const qed: Format = {
  name: 'qed',
  headerSize: 64,
  recognises: ({ head }) => head.toString('latin1', 0, 4) === 'QED\0',
  read: ({ head }) => ({
    virtualSize: u64(head, 48, 'LE'),
    unsafe: [
      {
        check: 'banned',
        reason: 'QED is abandoned and not accepted',
        remedy: 'convert it with "qemu-img convert -f qed -O qcow2"',
      },
    ],
  }),
};
