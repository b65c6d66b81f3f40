/** Small images written by hand, each field where its specification says. For tests only. */

export const KIB = 1024;
export const MIB = 1024 * KIB;
const SECTOR = 512;

export function qcow2(o: { version?: number; size?: number; backingFile?: string; features?: bigint } = {}): Buffer {
  const image = Buffer.alloc(4 * 64 * KIB);
  image.write('QFI\xfb', 0, 'latin1');
  image.writeUInt32BE(o.version ?? 3, 4);
  if (o.backingFile !== undefined) {
    image.writeBigUInt64BE(1024n, 8);
    image.writeUInt32BE(o.backingFile.length, 16);
    image.write(o.backingFile, 1024, 'latin1');
  }
  image.writeUInt32BE(16, 20);
  image.writeBigUInt64BE(BigInt(o.size ?? 10 * MIB), 24);
  image.writeUInt32BE(1, 36);
  image.writeBigUInt64BE(3n * 65536n, 40);
  image.writeBigUInt64BE(65536n, 48);
  image.writeUInt32BE(1, 56);
  image.writeBigUInt64BE(o.features ?? 0n, 72);
  image.writeUInt32BE(4, 96);
  image.writeUInt32BE(104, 100);
  return image;
}

function vhdFooter(size: number, type: number): Buffer {
  const footer = Buffer.alloc(SECTOR);
  footer.write('conectix', 0, 'latin1');
  footer.writeUInt32BE(2, 8);
  footer.writeUInt32BE(0x10000, 12);
  footer.writeBigUInt64BE(type === 2 ? 0xffff_ffff_ffff_ffffn : 512n, 16);
  // The original size: the disk has grown since.
  footer.writeBigUInt64BE(BigInt(size / 2), 40);
  footer.writeBigUInt64BE(BigInt(size), 48);
  footer.writeUInt32BE(type, 60);
  return footer;
}

export function dynamicVhd(size = 20 * MIB): Buffer {
  const header = Buffer.alloc(2 * SECTOR);
  header.write('cxsparse', 0, 'latin1');
  return Buffer.concat([vhdFooter(size, 3), header, Buffer.alloc(SECTOR), vhdFooter(size, 3)]);
}

/** With `footerLength` 511 as Virtual PC wrote it before 2004. */
export function fixedVhd(disk: Buffer, footerLength = 512): Buffer {
  return Buffer.concat([disk, vhdFooter(disk.length, 2).subarray(0, footerLength)]);
}

function guid(text: string): Buffer {
  const [a = '', b = '', c = '', ...rest] = text.split('-');
  const swapped = [a, b, c].map((part) => Buffer.from(part, 'hex').reverse());
  return Buffer.concat([...swapped, Buffer.from(rest.join(''), 'hex')]);
}

/** `tables`: which of the two region tables are intact. */
export function vhdx(
  o: { size?: bigint; tables?: ('first' | 'second')[]; metadataAt?: number; itemAt?: number } = {},
): Buffer {
  const { size = BigInt(30 * MIB), tables = ['first', 'second'], metadataAt = MIB, itemAt = 64 * KIB + 8 } = o;
  const image = Buffer.alloc(2 * MIB);
  image.write('vhdxfile', 0, 'latin1');
  for (const name of tables) {
    const at = name === 'first' ? 192 * KIB : 256 * KIB;
    image.write('regi', at, 'latin1');
    image.writeUInt32LE(2, at + 8);
    guid('2DC27766-F623-4200-9D64-115E9BFD4A08').copy(image, at + 16);
    guid('8B7CA206-4790-4B9A-B8FE-575F050F886E').copy(image, at + 48);
    image.writeBigUInt64LE(BigInt(metadataAt), at + 64);
    image.writeUInt32LE(MIB, at + 72);
  }
  if (metadataAt + 128 > image.length) return image;
  image.write('metadata', metadataAt, 'latin1');
  image.writeUInt16LE(2, metadataAt + 10);
  guid('CAA16737-FA36-4D43-B3B6-33F0AA44E76B').copy(image, metadataAt + 32);
  guid('2FA54224-CD1B-4876-B211-5DBED83BF4B8').copy(image, metadataAt + 64);
  image.writeUInt32LE(itemAt, metadataAt + 80);
  image.writeUInt32LE(8, metadataAt + 84);
  if (metadataAt + itemAt + 8 <= image.length) image.writeBigUInt64LE(size, metadataAt + itemAt);
  return image;
}

export function descriptor(o: { createType?: string; extents?: string[]; extra?: string[] } = {}): string {
  const { createType = 'monolithicSparse', extents = ['RW 20480 SPARSE "disk.vmdk"'], extra = [] } = o;
  return [
    '# Disk DescriptorFile',
    'version=1',
    'CID=dc2b1f9c',
    'parentCID=ffffffff',
    `createType="${createType}"`,
    ...extra,
    '',
    '# Extent description',
    ...extents,
    '',
    '# The Disk Data Base',
    'ddb.virtualHWVersion = "4"',
    '',
  ].join('\n');
}

interface SparseOptions {
  text?: string;
  version?: number;
  capacity?: bigint;
  descriptorAt?: bigint;
  descriptorSectors?: number;
  grainDirectory?: bigint;
}

function sparseHeader(o: SparseOptions): Buffer {
  const header = Buffer.alloc(SECTOR);
  header.write('KDMV', 0, 'latin1');
  header.writeUInt32LE(o.version ?? 1, 4);
  header.writeUInt32LE(3, 8);
  header.writeBigUInt64LE(o.capacity ?? 20480n, 12);
  header.writeBigUInt64LE(128n, 20);
  header.writeBigUInt64LE(o.descriptorAt ?? 1n, 28);
  header.writeBigUInt64LE(BigInt(o.descriptorSectors ?? 20), 36);
  header.writeUInt32LE(512, 44);
  header.writeBigUInt64LE(21n, 48);
  header.writeBigUInt64LE(o.grainDirectory ?? 26n, 56);
  return header;
}

export function vmdk(o: SparseOptions = {}): Buffer {
  const image = Buffer.alloc(64 * KIB);
  sparseHeader(o).copy(image);
  image.write(o.text ?? descriptor(), Number(o.descriptorAt ?? 1n) * SECTOR, 'latin1');
  return image;
}

function marker(type: number): Buffer {
  const sector = Buffer.alloc(SECTOR);
  sector.writeUInt32LE(type, 12);
  return sector;
}

/** `footer` overrides fields of the copy of the header at the end. */
export function streamOptimizedVmdk(footer: SparseOptions = {}, o: SparseOptions = {}): Buffer {
  const header = { version: 3, text: descriptor({ createType: 'streamOptimized' }), ...o };
  return Buffer.concat([
    vmdk({ ...header, grainDirectory: 0xffff_ffff_ffff_ffffn }),
    marker(3),
    sparseHeader({ ...header, grainDirectory: 130n, ...footer }),
    marker(0),
  ]);
}

export function vdi(size = 40 * MIB): Buffer {
  const image = Buffer.alloc(2 * MIB);
  image.write('<<< QEMU VM Virtual Disk Image >>>\n', 0, 'latin1');
  image.writeUInt32LE(0xbeda107f, 0x40);
  image.writeUInt32LE(0x10001, 0x44);
  image.writeBigUInt64LE(BigInt(size), 0x170);
  return image;
}

export function qed(size = 50 * MIB): Buffer {
  const image = Buffer.alloc(128 * KIB);
  image.write('QED\0', 0, 'latin1');
  image.writeUInt32LE(65536, 4);
  image.writeBigUInt64LE(BigInt(size), 48);
  return image;
}

/** A volume of `blocks` blocks of 2 KiB, with `padding` bytes after it. */
export function iso(o: { blocks?: number; padding?: number; identifier?: string; type?: number } = {}): Buffer {
  const { blocks = 40, padding = 0, identifier = 'CD001', type = 1 } = o;
  const image = Buffer.alloc(blocks * 2048 + padding);
  image[0x8000] = type;
  image.write(identifier, 0x8001, 'latin1');
  image.writeUInt32LE(blocks, 0x8000 + 80);
  image.writeUInt32BE(blocks, 0x8000 + 84);
  image.writeUInt16LE(2048, 0x8000 + 128);
  image.writeUInt16BE(2048, 0x8000 + 130);
  return image;
}

interface Partition {
  status?: number;
  type: number;
  startHead?: number;
  startSector?: number;
  first?: number;
}

/** Writes a boot record into the first sector. */
export function withBootRecord(image: Buffer, partitions: Partition[]): Buffer {
  const copy = Buffer.from(image);
  partitions.forEach(({ status = 0, type, startHead = 0, startSector = 2, first = 1 }, index) => {
    const at = 446 + 16 * index;
    copy[at] = status;
    copy[at + 1] = startHead;
    copy[at + 2] = startSector;
    copy[at + 4] = type;
    copy.writeUInt32LE(first, at + 8);
    copy.writeUInt32LE(2048, at + 12);
  });
  copy.writeUInt16LE(0xaa55, 510);
  return copy;
}

export function disk(partitions: Partition[], size = MIB): Buffer {
  return withBootRecord(Buffer.alloc(size), partitions);
}

export function fat(size = MIB): Buffer {
  const image = withBootRecord(Buffer.alloc(size), [{ type: 0x6e, status: 0x65 }]);
  image.write('mkfs.fat', 3, 'latin1');
  image[0x10] = 2;
  image[0x15] = 0xf8;
  return image;
}

export function luks(version = 1, payload = 4 * MIB): Buffer {
  const image = Buffer.alloc(2 * MIB + payload);
  image.write('LUKS\xba\xbe', 0, 'latin1');
  image.writeUInt16BE(version, 6);
  image.write('aes', 8, 'latin1');
  image.writeUInt32BE((2 * MIB) / SECTOR, 104);
  return image;
}

export function ploop(version: 1 | 2 = 2, sectors = 120 * 2048): Buffer {
  const image = Buffer.alloc(64 * KIB);
  image.write(version === 1 ? 'WithoutFreeSpace' : 'WithouFreSpacExt', 0, 'latin1');
  image.writeUInt32LE(2, 16);
  image.writeBigUInt64LE(BigInt(sectors), 36);
  // In the first version these 4 bytes are not part of the size.
  if (version === 1) image.writeUInt32LE(7, 40);
  return image;
}
