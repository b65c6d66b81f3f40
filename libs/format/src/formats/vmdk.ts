import { HEAD_SIZE, TAIL_SIZE, type Ends, type Format, type Reading } from '../format.js';
import { u64 } from '../u64.js';

const SECTOR = 512;
const DESCRIPTOR = SECTOR;
/** What QEMU reads as the descriptor, whatever length the header gives. */
const LEAST_DESCRIPTOR = 20 * SECTOR;
const AT_END = 0xffff_ffff_ffff_ffffn;
const FOOTER_MARKER = 3;
const END_OF_STREAM = 0;
const SELF_CONTAINED =
  'it must be one self-contained file: convert it with "qemu-img convert -O vmdk -o subformat=streamOptimized"';

type Danger = Reading['unsafe'][number];

/**
 * VMDK, by VMware's "Virtual Disk Format 5.0": a sparse extent ('KDMV', little-endian) with an embedded descriptor and,
 * when the grain directory is at the end, a footer that replaces the header; or a descriptor alone, as text. 'COWD' is
 * the older sparse extent of ESX.
 */
export const vmdk: Format = {
  name: 'vmdk',
  headerSize: 0,
  recognises: ({ head }) => isSparse(head) || head.toString('latin1', 0, 4) === 'COWD' || isTextDescriptor(head),
  read: (ends) => {
    if (!isSparse(ends.head)) {
      return {
        virtualSize: null,
        unsafe: [danger('its data lies in other files, or in an extent without a descriptor')],
      };
    }
    const bytes = (u64(ends.head, 12, 'LE') ?? Infinity) * SECTOR;
    const unsafe = [...headerDangers(ends.head), ...(ends.complete ? footerDangers(ends) : [])];
    return { virtualSize: Number.isSafeInteger(bytes) ? bytes : null, unsafe };
  },
};

function isSparse(head: Buffer): boolean {
  return head.toString('latin1', 0, 4) === 'KDMV';
}

/** What QEMU takes for a descriptor (comments and blank lines, then a version), and any text with a create type, as Glance does. */
function isTextDescriptor(head: Buffer): boolean {
  const start = head.toString('latin1', 0, SECTOR);
  if (/^(?:#[^\n]*\n| *\r?\n)*version=[1-3]\r?\n/.test(start)) return true;
  return /^[\t-\r\x20-\x7e]+\0*$/.test(start) && /createtype\s*=/i.test(head.toString('latin1'));
}

function headerDangers(head: Buffer): Danger[] {
  const version = head.readUInt32LE(4);
  if (version < 1 || version > 3) return [danger(`its version is ${version}; 1 to 3 can be checked`, 'version')];
  // QEMU opens a disk without capacity by its descriptor, and so the files that it names.
  if (head.readBigUInt64LE(12) === 0n) return [danger('its header says that the disk has no capacity')];
  if (head.readBigUInt64LE(28) !== 1n) return [danger('its descriptor is not in the second sector')];
  const length = (u64(head, 36, 'LE') ?? Infinity) * SECTOR;
  const read = head.subarray(DESCRIPTOR, Math.min(DESCRIPTOR + length, HEAD_SIZE));
  const padding = read.indexOf(0);
  if (padding < 0 && length > read.length) return [danger('its descriptor is larger than any real one')];
  const text = read.toString('latin1', 0, padding < 0 ? read.length : padding).toLowerCase();
  const dangers = descriptorDangers(text);
  const asQemuReads = head.toString('latin1', DESCRIPTOR, DESCRIPTOR + Math.max(LEAST_DESCRIPTOR, read.length));
  if (/parentfilenamehint/i.test(asQemuReads)) {
    dangers.push(
      danger('it names a parent disk, which would be read on whatever host opens the image', 'backing_file'),
    );
  }
  return dangers;
}

/** `text` is in lower case. Readers differ in which of two entries they believe, so all must be harmless, and each line understood. */
function descriptorDangers(text: string): Danger[] {
  const mentions = text.split('createtype').slice(1);
  if (mentions.length === 0 || !mentions.every((rest) => /^="(?:monolithicsparse|streamoptimized)"/.test(rest))) {
    return [danger('its create type is neither monolithicSparse nor streamOptimized')];
  }
  const lines = text.split('\n').map((line) => line.trim());
  const extents = lines.filter((line) => /^(?:rw|rdonly|noaccess) /.test(line));
  const strange = lines.some((line) => !/^(?:$|#|ddb|[^ =]+=|(?:rw|rdonly|noaccess) )/.test(line));
  if (strange) return [danger('its descriptor has lines that are not understood')];
  if (extents.length === 0) return [danger('its descriptor has no extent')];
  if (extents.some((line) => line.includes('/'))) return [danger('the descriptor names an extent by a path')];
  return [];
}

/** A marker, the footer and an end marker, a sector each. Readers take the footer for the header, so it must say the same. */
function footerDangers({ head, tail }: Ends): Danger[] {
  if (head.readBigUInt64LE(56) !== AT_END) return [];
  const footer = tail.subarray(SECTOR, 2 * SECTOR);
  // Up to the end of the descriptor's length: signature, version, flags, capacity, grain size, descriptor.
  const agrees = head.subarray(0, 44).equals(footer.subarray(0, 44));
  const framed =
    isMarker(tail.subarray(0, SECTOR), FOOTER_MARKER) && isMarker(tail.subarray(2 * SECTOR, TAIL_SIZE), END_OF_STREAM);
  if (agrees && framed && footer.readBigUInt64LE(56) !== AT_END) return [];
  return [danger('its footer is missing or differs from its header', 'footer')];
}

function isMarker(sector: Buffer, type: number): boolean {
  return (
    sector.readUInt32LE(8) === 0 && sector.readUInt32LE(12) === type && sector.subarray(16).every((byte) => byte === 0)
  );
}

function danger(reason: string, check = 'descriptor'): Danger {
  return { check, reason, remedy: SELF_CONTAINED };
}
