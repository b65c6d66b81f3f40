import type { IncomingHttpHeaders } from 'node:http';
import { type ImportMethod, importMethods, type ImportRequest, type JsonObject, ServiceError } from '@glance/domain';
import type { Stores } from '@glance/store';
import { isObject } from '../http/json-body.js';
import { addedDigests } from '../images/new-location.js';
import type { UrlFilter } from './download/url-filter.js';

const invalid = (message: string): ServiceError => new ServiceError('Invalid', message);

export interface ImportOffer {
  readonly stores: Pick<Stores, 'named' | 'ids' | 'defaultId' | 'facts'>;
  /** Methods. */
  readonly enabled: readonly string[];
  readonly filter: Pick<UrlFilter, 'check'>;
}

/** Reads what POST …/import asks for. `Invalid` for what makes no sense, `Conflict` for a store that there is not. */
export function importRequest(
  body: JsonObject,
  { headers, token }: { readonly headers: IncomingHttpHeaders; readonly token: string | undefined },
  { stores, enabled, filter }: ImportOffer,
): ImportRequest {
  const { method } = body;
  if (!isObject(method)) throw invalid('The request must have a "method", an object with a "name".');
  const name = methodOf(method['name'], enabled);
  const source = sourceOf(name, method, { filter, token });
  const allStores = flag(body, 'all_stores', false);
  const mustSucceed = flag(body, 'all_stores_must_succeed', true);
  if (!mustSucceed && !stores.named) {
    throw invalid('all_stores_must_succeed can be false only where there are several stores.');
  }
  const targets = targetsOf(body['stores'], headers['x-image-meta-store'], allStores, stores);
  const shown = { method: withoutSecrets(method), stores: targets, all_stores_must_succeed: mustSucceed };
  return {
    type: 'api_image_import',
    method: name,
    stores: targets,
    allStores,
    named: stores.named,
    mustSucceed,
    source,
    input: { import_req: shown, backend: stores.named ? targets : [null] },
  };
}

function methodOf(name: unknown, enabled: readonly string[]): ImportMethod {
  if (typeof name !== 'string') throw invalid('The method of the import must have a "name".');
  const known = importMethods.find((method) => method === name);
  if (known && enabled.includes(known)) return known;
  throw invalid(
    `The import method "${name}" is not known or not enabled here. Enabled: ${enabled.join(', ') || 'none'}.`,
  );
}

/** What a method needs besides its name. */
function sourceOf(
  name: ImportMethod,
  method: JsonObject,
  { filter, token }: { readonly filter: ImportOffer['filter']; readonly token: string | undefined },
): JsonObject {
  if (name === 'web-download') {
    const uri = webAddress(method['uri'], 'The method web-download needs a "uri"', filter);
    return { uri, digests: addedDigests(method['validation_data']) };
  }
  if (name !== 'glance-download') return method;
  const { glance_region: region, glance_image_id: id, glance_service_interface: service = 'public' } = method;
  if (typeof region !== 'string') throw invalid('The method glance-download needs a "glance_region".');
  if (typeof id !== 'string') throw invalid('The method glance-download needs a "glance_image_id".');
  // Glance: Tempest looks for these words.
  if (!uuid.test(id)) throw invalid(`Remote image id does not look like a UUID: ${id}`);
  if (typeof service !== 'string') throw invalid('"glance_service_interface" must be a text such as "public".');
  if (token === undefined) throw invalid('The method glance-download needs a token, which the other region accepts.');
  return { ...method, glance_service_interface: service, token };
}

const uuid = /^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i;

/** A URL that passes `filter`; `missing` begins the sentence about one that is not there. */
export function webAddress(value: unknown, missing: string, filter: ImportOffer['filter']): string {
  if (typeof value !== 'string') throw invalid(`${missing}: a URL that begins with http:// or https://.`);
  return filter.check(value).href;
}

function flag(body: JsonObject, name: string, otherwise: boolean): boolean {
  const value = body[name] ?? otherwise;
  if (typeof value === 'boolean') return value;
  throw invalid(`"${name}" must be true or false.`);
}

function targetsOf(
  wanted: unknown,
  header: string | string[] | undefined,
  all: boolean,
  stores: Pick<Stores, 'named' | 'ids' | 'defaultId' | 'facts'>,
): string[] {
  // Glance: with a single store nobody looks at which ones are asked for.
  if (!stores.named) return [stores.defaultId];
  if (wanted !== undefined && !isListOfText(wanted)) throw invalid('"stores" must be a list of ids of stores.');
  const asked = wanted ?? [];
  if (all && (asked.length > 0 || header !== undefined)) {
    throw invalid('"all_stores" and a choice of stores exclude each other.');
  }
  if (asked.length > 0 && header !== undefined) throw invalid('Either "stores" or x-image-meta-store, not both.');
  const writable = stores.facts().filter(({ readOnly }) => !readOnly);
  if (all) return writable.map(({ id }) => id);
  const chosen = header === undefined ? asked : [String(header)];
  if (chosen.length === 0) return [stores.defaultId];
  const unknown = chosen.find((id) => !writable.some((store) => store.id === id));
  if (unknown === undefined) return [...new Set(chosen)];
  const what = stores.ids.includes(unknown)
    ? `The store "${unknown}" takes no images`
    : `There is no store "${unknown}"`;
  throw new ServiceError('Conflict', `${what}; there is ${writable.map(({ id }) => id).join(', ')}.`);
}

function isListOfText(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** What a task may show of it: a URL may have a password in front of its host. */
function withoutSecrets(method: JsonObject): JsonObject {
  const { uri } = method;
  return typeof uri === 'string' ? { ...method, uri: withoutPassword(uri) } : method;
}

/** The URL without what stands in front of its host. */
export function withoutPassword(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1***@');
}
