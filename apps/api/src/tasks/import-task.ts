import { type ImportRequest, type JsonObject, type NewImage, ServiceError } from '@glance/domain';
import type { Stores } from '@glance/store';
import { isObject } from '../http/json-body.js';
import type { Formats } from '../images/attributes.js';
import { newImage } from '../images/new-image.js';
import type { UrlFilter } from '../imports/download/url-filter.js';
import { webAddress, withoutPassword } from '../imports/import-request.js';

const invalid = (message: string): ServiceError => new ServiceError('Invalid', message);

/** Reads what POST /v2/tasks asks for: an image, and what is imported into it. */
export function importTask(
  body: JsonObject,
  stores: Pick<Stores, 'named' | 'defaultId'>,
  formats: Formats,
  filter: Pick<UrlFilter, 'check'>,
): { readonly image: NewImage; readonly request: ImportRequest } {
  const { type, input } = body;
  if (type !== 'import') throw invalid('The "type" of a task must be "import": there is no other.');
  if (!isObject(input)) throw invalid('A task must have an "input", an object.');
  const { import_from: uri, import_from_format: format, image_properties: properties } = input;
  const from = webAddress(uri, 'The input of the task must have "import_from"', filter);
  if (typeof format !== 'string') throw invalid('The input of the task must have "import_from_format".');
  if (!isObject(properties)) throw invalid('The input of the task must have "image_properties", an object.');
  const image = newImage({ disk_format: format, container_format: 'bare', ...properties }, formats);
  return {
    image,
    request: {
      type: 'import',
      method: 'web-download',
      stores: [stores.defaultId],
      allStores: false,
      named: stores.named,
      mustSucceed: true,
      source: { uri: from },
      input: { ...input, import_from: withoutPassword(from) },
    },
  };
}
