import type { Image, ImageQuery } from '@glance/domain';
import type { Authorization, Rights } from '../authorization/authorization.js';
import { seenTarget } from '../authorization/target.js';
import type { Database } from '../database/database.js';
import { listImages } from './image-list.js';

/** One page of images, as `listImages`, of which the rules let the caller see all; goes on until the page is full. */
export async function listReadable(
  database: Database,
  authorization: Authorization,
  rights: Rights,
  query: ImageQuery,
): Promise<Image[]> {
  const { properties } = authorization;
  const filtered = query.filters.filter((filter) => filter.kind === 'property').map(({ name }) => name);
  const shows = async (image: Image): Promise<boolean> => {
    if (!(await rights.allows('get_image', seenTarget(rights.caller, image)))) return false;
    // Who may not read a property does not find out by asking for its values either.
    for (const name of filtered) if (!(await properties.allows(rights, 'read', image, name))) return false;
    return true;
  };
  const images: Image[] = [];
  for (let { marker } = query; ;) {
    const page = await listImages(database, rights, { ...query, ...(marker !== undefined && { marker }) });
    for (const image of page) if (await shows(image)) images.push(await authorization.shown(rights, image));
    if (page.length < query.limit || images.length >= query.limit) return images.slice(0, query.limit);
    marker = page.at(-1)!.id;
  }
}
