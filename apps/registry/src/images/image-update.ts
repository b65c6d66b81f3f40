import { type Image, type ImageChange, type ImageAttributes, ServiceError, type Visibility } from '@glance/domain';
import type { Authorization, Rights, Rule } from '../authorization/authorization.js';
import { imageTarget, seenTarget } from '../authorization/target.js';
import type { Statements } from '../database/session.js';
import { checkDefinedProperties } from '../metadefs/defined-properties.js';
import { applyChanges } from './image-changes.js';
import { refuseForeign } from './image-locations.js';
import { checkLocationQuota, checkPropertyQuota, checkTagQuota, type Quotas } from './image-rules.js';

interface UpdateSettings extends Quotas {
  readonly checkDefinedProperties: boolean;
}

export interface UpdateParts {
  readonly rights: Rights;
  readonly settings: UpdateSettings;
  readonly authorization: Authorization;
}

/** The image after all changes, each of them allowed to the caller, who may modify the image. Nothing is written. */
export async function updatedImage(
  tx: Statements,
  image: Image,
  changes: readonly ImageChange[],
  { rights, settings, authorization }: UpdateParts,
): Promise<Image> {
  await authorization.properties.checkChanges(rights, image, changes);
  const moved = changes.flatMap((change) => (change.kind === 'locations' ? change.locations : []));
  if (changes.some(({ kind }) => kind === 'locations')) {
    await rights.require('set_image_location', seenTarget(rights.caller, image));
  }
  const after = applyChanges(image, changes);
  for (const change of changes) {
    if (change.kind === 'tags') checkTagQuota(new Set(change.tags).size, settings);
    if (change.kind !== 'attribute') continue;
    await checkVisibilityChange(rights, image, change.set);
    if ('owner' in change.set && !rights.isAdmin) throw ownerIsFixed();
  }
  checkPropertyQuota(image.properties, after.properties, settings);
  if (settings.checkDefinedProperties) await checkDefinedProperties(tx, image.properties, after.properties);
  if (after.locations.length > image.locations.length) {
    checkLocationQuota(after.locations.length, settings);
    if (!rights.isAdmin) await refuseForeign(tx, image.id, moved);
  }
  return after;
}

/** Fails with `Forbidden` unless the caller may let the image be seen that widely. */
export async function checkVisibilityChange(
  rights: Rights,
  image: Image,
  { visibility }: Partial<ImageAttributes>,
): Promise<void> {
  const rules: Partial<Record<Visibility, Rule>> = { public: 'publicize_image', community: 'communitize_image' };
  const rule = visibility && rules[visibility];
  if (rule) await rights.require(rule, imageTarget(image));
}

export const ownerIsFixed = (): ServiceError =>
  new ServiceError('Forbidden', 'Only an administrator may give an image to another project.');
