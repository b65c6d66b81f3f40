import type { IncomingHttpHeaders } from 'node:http';
import { ServiceError } from '@glance/domain';
import type { Stores } from '@glance/store';

/** Refuses a body that does not claim to be plain bytes. */
export function octetStream(headers: IncomingHttpHeaders): void {
  const type = (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
  if (type === 'application/octet-stream') return;
  throw new ServiceError('UnsupportedMediaType', 'The Content-Type of image data must be application/octet-stream.');
}

/** The bytes that a client means to send, if it says so: clients that send in chunks may use a header of their own. */
export function uploadSize(headers: IncomingHttpHeaders): number | undefined {
  const announced = count('x-openstack-image-size', headers['x-openstack-image-size']);
  const length = count('Content-Length', headers['content-length']);
  if (announced !== undefined && length !== undefined && announced !== length) {
    throw new ServiceError('Invalid', `x-openstack-image-size says ${announced} bytes, Content-Length ${length}.`);
  }
  return announced ?? length;
}

function count(name: string, value: string | string[] | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (typeof value === 'string' && /^\d+$/.test(value) && Number.isSafeInteger(number)) return number;
  throw new ServiceError('Invalid', `${name} must be a number of bytes.`);
}

/** The store that a client wants its data in. */
export function uploadStore(headers: IncomingHttpHeaders, stores: Pick<Stores, 'defaultId' | 'named' | 'ids'>): string {
  const wanted = headers['x-image-meta-store'];
  if (wanted === undefined) return stores.defaultId;
  if (typeof wanted === 'string' && stores.named && stores.ids.includes(wanted)) return wanted;
  throw new ServiceError('Invalid', `There is no store "${String(wanted)}".`);
}

/** The stores that a client wants its data from, in this order; undefined if it does not care. */
export function preferredStores(
  query: URLSearchParams,
  stores: Pick<Stores, 'named' | 'ids'>,
): readonly string[] | undefined {
  if (!query.has('prefer')) return undefined;
  if (!stores.named) throw new ServiceError('Invalid', 'There is only one store, so none can be preferred.');
  const wanted = query
    .getAll('prefer')
    .flatMap((value) => value.split(','))
    .map((id) => id.trim())
    .filter((id) => id !== '');
  const unknown = wanted.find((id) => !stores.ids.includes(id));
  if (unknown === undefined) return wanted;
  throw new ServiceError('Invalid', `There is no store "${unknown}"; there is ${stores.ids.join(', ')}.`);
}
