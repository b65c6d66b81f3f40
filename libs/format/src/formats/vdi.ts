import type { Format } from '../format.js';
import { u64 } from '../u64.js';

/** VDI, by VirtualBox's VDICore.h: 64 bytes of text, the signature, and the little-endian disk size at 0x170. */
export const vdi: Format = {
  name: 'vdi',
  headerSize: 0x178,
  recognises: ({ head }) => head.readUInt32LE(0x40) === 0xbeda107f,
  read: ({ head }) => ({ virtualSize: u64(head, 0x170, 'LE'), unsafe: [] }),
};
