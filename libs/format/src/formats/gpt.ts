import type { Format } from '../format.js';

const TABLE = 446;
const ENTRY = 16;
const FIXED_DISK = 0xf8;

/**
 * A disk with a boot record: an MBR, or the protective one of a GPT (UEFI specification 2.10, chapter 5). The boot
 * sector of a file system on a disk without partitions ends with the same two bytes and is not one.
 *
 * Glance: also refuses hybrid records (an EE entry beside others), records without a partition, and EE entries with an
 * unusual start. Nobody is hurt by those: no host interprets them, and a guest sees what its owner wrote. What is left
 * of the check, under its old name `mbr`, asks for a partition table at all: boot indicators of 00 or 80.
 */
export const gpt: Format = {
  name: 'gpt',
  headerSize: 512,
  recognises: ({ head }) => head.readUInt16LE(510) === 0xaa55 && !isFileSystem(head),
  read: ({ head, size, complete }) => ({
    virtualSize: complete ? size : null,
    unsafe: hasPartitionTable(head)
      ? []
      : [
          {
            check: 'mbr',
            reason: 'its first sector is marked as a boot record, but holds no valid partition table',
            remedy:
              'partition the disk, or clear the last two bytes of its first sector; an operator can accept such disks with gpt_safety_checks_nonfatal = mbr',
          },
        ],
  }),
};

function hasPartitionTable(head: Buffer): boolean {
  return [0, 1, 2, 3].every((index) => ((head[TABLE + index * ENTRY] ?? 0) & 0x7f) === 0);
}

function isFileSystem(head: Buffer): boolean {
  const text = (offset: number): string => head.toString('latin1', offset, offset + 8);
  const isFat = head[0x10] === 2 && head[0x15] === FIXED_DISK;
  return (
    isFat || text(0x36).startsWith('FAT') || text(0x52) === 'FAT32   ' || ['NTFS    ', 'EXFAT   '].includes(text(3))
  );
}
