import { type Image, isRadosError, type Opening, type Pool } from '@glance/node-rados';
import type { Held, Holder } from '../../held.js';
import { snapshotName } from './rbd-location.js';

/** The image of this name, and those in the trash that had it, each with what holds it. */
export async function heldImages(pool: Pool, poolName: string, name: string): Promise<Held[]> {
  const deleted = (await pool.trash()).filter((entry) => entry.name === name);
  const all = [
    { opening: { name }, name: `${poolName}/${name}`, trash: false, image: `${poolName}/${name}` },
    ...deleted.map(({ id }) => ({
      opening: { id },
      name: `${poolName}/${name} (${id})`,
      trash: true,
      image: `--pool ${poolName} --image-id ${id}`,
    })),
  ];
  const held = await Promise.all(
    all.map(async ({ opening, image, ...about }) => {
      const holders = await holdersOf(pool, opening);
      return holders && { ...about, holders, command: `rbd children --all ${image}` };
    }),
  );
  return held.filter((each) => each !== undefined);
}

/** Undefined if there is no such image. */
async function holdersOf(pool: Pool, opening: Opening): Promise<Holder[] | undefined> {
  let image: Image;
  try {
    image = await pool.open({ ...opening, readOnly: true });
  } catch (error) {
    if (isRadosError(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const snapshots = (await image.snapshots()).filter(({ kind, name }) => kind !== 'trash' && name !== snapshotName);
    return [
      ...(await clones(image)),
      ...snapshots.map(({ name }): Holder => ({ kind: 'snapshot', name })),
      ...(await image.watchers()).map(({ address }): Holder => ({ kind: 'client', name: address })),
    ];
  } finally {
    await image.close();
  }
}

async function clones(image: Image): Promise<Holder[]> {
  try {
    return (await image.children()).map(({ pool, namespace, name, trash }) => ({
      kind: 'clone',
      name: [pool, namespace, name].filter((part) => part !== '').join('/'),
      trash,
    }));
  } catch (error) {
    if (!isRadosError(error, 'EPERM')) throw error;
    return [{ kind: 'clone', name: undefined }];
  }
}
