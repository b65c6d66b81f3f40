import { type Image, type LocationRequest, ServiceError } from '@glance/domain';
import type { Rights } from '../authorization/authorization.js';
import { seenTarget } from '../authorization/target.js';
import type { Statements } from '../database/session.js';
import { refuseForeign } from '../images/image-locations.js';

/** The store of the location; fails unless the caller may make what is there the data of `image`, which is locked. */
export async function checkNewLocation(
  tx: Statements,
  image: Image,
  { location, store }: LocationRequest,
  rights: Rights,
): Promise<string> {
  const { caller } = rights;
  if (image.status !== 'queued') {
    throw new ServiceError('Conflict', `A location can be added to a queued image; this one is ${image.status}.`);
  }
  await rights.require('add_image_location', seenTarget(caller, image));
  // Glance: the service role, not what the policy says of services.
  const service = [...caller.roles, ...caller.serviceRoles].includes('service');
  if (!service && !(store !== null && /^https?:/i.test(location.url))) {
    throw new ServiceError('Forbidden', 'Only services may add locations other than those of an http store.');
  }
  if (store === null) throw new ServiceError('BadLocation', 'No store takes locations like this one.');
  if (image.diskFormat === null || image.containerFormat === null) {
    throw new ServiceError('Invalid', 'The disk and container formats of an image must be set before it has data.');
  }
  if (!rights.isAdmin) await refuseForeign(tx, image.id, [location]);
  return store;
}
