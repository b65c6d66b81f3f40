import type { Ends, Format } from '../format.js';

const SECTOR = 512;

/** LUKS, by "LUKS1 On-Disk Format Specification" 1.2.3 (big-endian; the data begins after the payload offset, in sectors) and its successor for version 2. */
export const luks: Format = {
  name: 'luks',
  headerSize: 592,
  recognises: ({ head }) => head.toString('latin1', 0, 6) === 'LUKS\xba\xbe',
  read: (ends) => {
    const version = ends.head.readUInt16BE(6);
    if (version === 1) return { virtualSize: payloadSize(ends), unsafe: [] };
    return {
      virtualSize: null,
      unsafe: [
        {
          check: 'version',
          reason: `its LUKS version is ${version}; only 1 is supported by those who use the image`,
          remedy: 'create it with "cryptsetup luksFormat --type luks1" or convert it with "qemu-img convert -O luks"',
        },
      ],
    };
  },
};

function payloadSize({ head, size, complete }: Ends): number | null {
  const payload = size - head.readUInt32BE(104) * SECTOR;
  return complete && payload >= 0 ? payload : null;
}
