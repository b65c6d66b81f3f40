import * as images from './images.js';

/** Images that begin as what they are. */
export const starts: [string, Buffer][] = [
  ['qcow2', images.qcow2()],
  ['vhd', images.dynamicVhd()],
  ['vhdx', images.vhdx()],
  ['vmdk', images.vmdk()],
  ['luks', images.luks()],
  ['ploop', images.ploop()],
];

/** One of every kind, to be mutated and cut. */
export const seeds: Buffer[] = [
  ...starts.map(([, image]) => image),
  images.streamOptimizedVmdk(),
  images.fixedVhd(images.disk([{ type: 0xee }])),
  images.vdi(),
  images.qed(),
  images.withBootRecord(images.iso(), [{ type: 0xee }]),
  Buffer.from(images.descriptor()),
];
