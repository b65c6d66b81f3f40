import { type Image, type ImageChange, ServiceError } from '@glance/domain';
import { withLocations } from './image-locations.js';
import { checkAttributes, checkProperty, checkTag } from './image-rules.js';

type PropertyChange = Extract<ImageChange, { kind: 'property' }>;

const conflict = (message: string): ServiceError => new ServiceError('Conflict', message);

/**
 * The image after all `changes`, in their order; `image` stays as it is. Knows the rules that follow from the image
 * alone; who may do this, and quotas, are for others to ask. Fails with `Invalid`, `Forbidden` or `Conflict`.
 */
export function applyChanges(image: Image, changes: readonly ImageChange[]): Image {
  let { tags } = image;
  let located = image;
  const attributes: Partial<Image> = {};
  const properties = new Map(Object.entries(image.properties));
  for (const change of changes) {
    switch (change.kind) {
      case 'attribute':
        checkAttributes(change.set);
        checkFormats(image, change.set);
        Object.assign(attributes, change.set);
        break;
      case 'tags':
        change.tags.forEach(checkTag);
        tags = [...new Set(change.tags)].sort();
        break;
      case 'property':
        changeProperty(properties, change);
        break;
      case 'locations':
        located = withLocations({ ...located, ...attributes }, change);
    }
  }
  return { ...located, ...attributes, tags, properties: Object.fromEntries(properties) };
}

/** What the bytes are is decided before they arrive. */
function checkFormats(image: Image, set: object): void {
  if (!('diskFormat' in set || 'containerFormat' in set)) return;
  if (image.status === 'queued' || image.status === 'importing') return;
  throw new ServiceError(
    'Forbidden',
    `The formats of an image can be changed while it is queued, not ${image.status}.`,
  );
}

function changeProperty(
  properties: Map<string, string | null>,
  { op, name, value, mustNotExist }: PropertyChange,
): void {
  checkProperty(name, value);
  const exists = properties.has(name);
  if (op === 'add' && mustNotExist && exists) throw conflict(`The image has a property "${name}" already.`);
  if (op !== 'add' && !exists) throw conflict(`The image has no property "${name}".`);
  if (op === 'remove') properties.delete(name);
  else if (value === undefined) throw new ServiceError('Invalid', `The property "${name}" needs a value.`);
  else properties.set(name, value);
}
