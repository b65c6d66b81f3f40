import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.js';

export interface SampleImage {
  readonly file: string;
  readonly diskFormat: string;
  /** What qemu-img calls its format. */
  readonly qemuFormat: string;
  /** Bytes that a guest sees. */
  readonly virtualSize: number;
}

const installer = '/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64';
const memtest = '/usr/lib/memtest86+/memtest86+x64.iso';

/** What qemu-img makes of the memtest86+ ISO. */
const disks = [
  { name: 'a qcow2', diskFormat: 'qcow2', qemuFormat: 'qcow2', options: [] },
  {
    name: 'a compressed qcow2 of version 2',
    diskFormat: 'qcow2',
    qemuFormat: 'qcow2',
    options: ['-c', '-ocompat=0.10'],
  },
  { name: 'a sparse vmdk', diskFormat: 'vmdk', qemuFormat: 'vmdk', options: [] },
  { name: 'a streamed vmdk', diskFormat: 'vmdk', qemuFormat: 'vmdk', options: ['-osubformat=streamOptimized'] },
  { name: 'a vdi', diskFormat: 'vdi', qemuFormat: 'vdi', options: [] },
  { name: 'a vhdx', diskFormat: 'vhdx', qemuFormat: 'vhdx', options: [] },
  { name: 'a vhd', diskFormat: 'vhd', qemuFormat: 'vpc', options: ['-oforce_size=on'] },
];
const netbootIso = 'the netboot ISO of the Debian installer';
const memtestIso = 'the memtest86+ ISO';

export const sampleImageNames = [netbootIso, memtestIso, ...disks.map(({ name }) => name)];

/** Bootable images from Debian packages, and one of them in every format that qemu-img writes; by name. */
export async function sampleImages(directory: string): Promise<ReadonlyMap<string, SampleImage>> {
  const samples = new Map<string, SampleImage>();
  const add = async (name: string, file: string, diskFormat: string, qemuFormat: string): Promise<void> => {
    const virtualSize = await (diskFormat === 'iso' ? volumeSize(file) : diskSize(file, qemuFormat));
    samples.set(name, { file, diskFormat, qemuFormat, virtualSize });
  };
  const netboot = join(directory, 'netboot.iso');
  await makeNetbootIso(directory, netboot);
  await add(netbootIso, netboot, 'iso', 'raw');
  const memtestCopy = join(directory, 'memtest.iso');
  cpSync(memtest, memtestCopy);
  await add(memtestIso, memtestCopy, 'iso', 'raw');
  for (const [index, { name, diskFormat, qemuFormat, options }] of disks.entries()) {
    const file = join(directory, `disk-${index}.${diskFormat}`);
    await run('qemu-img', ['convert', '-f', 'raw', '-O', qemuFormat, ...options, memtest, file]);
    await add(name, file, diskFormat, qemuFormat);
  }
  return samples;
}

/** What qemu-img, which must know, says of the size that the guest sees. */
async function diskSize(file: string, qemuFormat: string): Promise<number> {
  const { stdout } = await run('qemu-img', ['info', '-f', qemuFormat, '--output', 'json', file]);
  return (JSON.parse(stdout) as { 'virtual-size': number })['virtual-size'];
}

/** The size of the file system on it: the file of an ISO may be larger. */
async function volumeSize(file: string): Promise<number> {
  return Number((await run('isosize', [file])).stdout);
}

/** Debian's packages have the files of the installer's mini.iso, but not the ISO: this puts them together likewise. */
async function makeNetbootIso(directory: string, iso: string): Promise<void> {
  const tree = join(directory, 'netboot');
  mkdirSync(tree);
  for (const name of ['linux', 'initrd.gz']) cpSync(join(installer, name), join(tree, name));
  cpSync(join(installer, 'boot-screens/ldlinux.c32'), join(tree, 'ldlinux.c32'));
  cpSync('/usr/lib/ISOLINUX/isolinux.bin', join(tree, 'isolinux.bin'));
  writeFileSync(
    join(tree, 'isolinux.cfg'),
    'default install\nlabel install\n  kernel linux\n  append initrd=initrd.gz\n',
  );
  await run('xorriso', [
    ...['-as', 'mkisofs', '-quiet', '-r', '-J', '-V', 'ISOIMAGE', '-o', iso],
    ...['-b', 'isolinux.bin', '-c', 'boot.cat', '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table'],
    // Bootable from a USB stick, too: so it has a partition table, as the real one.
    ...['-isohybrid-mbr', '/usr/lib/ISOLINUX/isohdpfx.bin', tree],
  ]);
}
