import { type ImportedData, ServiceError } from '@glance/domain';
import { endpointIn, type KeystoneClient } from '@glance/keystone';
import { isDigestAlgorithm } from '@glance/store';
import { type Formats, isAttribute, refuseReserved } from '../../images/attributes.js';
import type { Source, SourceData } from '../source.js';
import { verifiedSource } from '../verified-source.js';
import type { WebDownload } from './web-source.js';

/** The image of another Glance, and whose token may read it there: Keystone must be that of both. */
export interface RemoteImage {
  readonly glance_region: string;
  readonly glance_image_id: string;
  readonly glance_service_interface: string;
  readonly token: string;
}

export interface RemoteParts {
  /** Absent where nobody logs in. */
  readonly keystone: Pick<KeystoneClient, 'catalogueOf'> | undefined;
  readonly web: (download: WebDownload) => Source;
  /** Those that images may have here. */
  readonly formats: Pick<Formats, 'disk' | 'container'>;
  /** Beginnings of the names of properties that are taken over. */
  readonly extraProperties: readonly string[];
}

/** Bytes that a description of an image may have. */
const mostText = 1024 * 1024;

interface Remote {
  readonly url: string;
  readonly size: number;
  readonly digest: { readonly osHashAlgo: string; readonly osHashValue: string } | undefined;
  readonly description: Pick<ImportedData, 'diskFormat' | 'containerFormat' | 'properties'>;
}

/** An image of the Glance of another region, its formats and some of its properties. */
export class GlanceSource implements Source {
  #remote: Promise<Remote> | undefined;

  constructor(
    private readonly parts: RemoteParts,
    private readonly wanted: RemoteImage,
  ) {}

  async describe(signal: AbortSignal): Promise<Remote['description']> {
    return (await this.#find(signal)).description;
  }

  async open(signal: AbortSignal): Promise<SourceData> {
    const { url, size, digest } = await this.#find(signal);
    const source = this.#web(`${url}/file`, digest !== undefined);
    const opened = await (digest ? verifiedSource(source, digest) : source).open(signal);
    if (opened.size === undefined || opened.size === size) return { size, data: opened.data };
    throw failure(`the image has ${size} bytes there, and ${opened.size} are sent.`);
  }

  #find(signal: AbortSignal): Promise<Remote> {
    return (this.#remote ??= this.#ask(signal));
  }

  #web(url: string, verified: boolean): Source {
    return this.parts.web({ url, headers: { 'x-auth-token': this.wanted.token }, verified });
  }

  async #ask(signal: AbortSignal): Promise<Remote> {
    const { glance_image_id: id, glance_region: region } = this.wanted;
    const url = `${await this.#endpoint()}/v2/images/${id}`;
    const image = await json(await this.#web(url, false).open(signal));
    const { status, size } = image;
    if (status !== 'active') {
      throw failure(
        `the image ${id} of the region ${region} is ${String(status)}; only one that is active can be had.`,
      );
    }
    if (typeof size !== 'number') throw failure(`the region ${region} does not say how large the image ${id} is.`);
    return { url, size, digest: digestOf(image), description: this.#description(image) };
  }

  async #endpoint(): Promise<string> {
    const { glance_region: region, glance_service_interface: side, token } = this.wanted;
    const catalogue = (await this.parts.keystone?.catalogueOf(token)) ?? [];
    const endpoint = endpointIn(catalogue, { type: 'image', interface: side, region });
    if (endpoint !== undefined) return endpoint.replace(/\/+$/, '').replace(/\/v2$/, '');
    throw failure(`the catalogue has no image service with the interface ${side} in the region ${region}.`);
  }

  #description(image: Readonly<Record<string, unknown>>): Remote['description'] {
    const { formats, extraProperties } = this.parts;
    const taken = Object.entries(image).filter(
      ([name, value]) =>
        typeof value === 'string' && extraProperties.some((begin) => name.startsWith(begin)) && isProperty(name),
    );
    return {
      diskFormat: known('disk_format', image, formats.disk),
      containerFormat: known('container_format', image, formats.container),
      properties: Object.fromEntries(taken) as Record<string, string>,
    };
  }
}

const failure = (what: string): ServiceError => new ServiceError('Invalid', what, { step: 'download' });

function known(name: string, image: Readonly<Record<string, unknown>>, names: readonly string[]): string {
  const value = names.find((each) => each === image[name]);
  if (value !== undefined) return value;
  throw failure(`the image has the ${name} "${String(image[name])}" there, which is none of ${names.join(', ')}.`);
}

function isProperty(name: string): boolean {
  if (isAttribute(name) || /^(os_hash_(algo|value)|id|tags)$/.test(name)) return false;
  try {
    refuseReserved(name);
    return true;
  } catch {
    return false;
  }
}

function digestOf(image: Readonly<Record<string, unknown>>): Remote['digest'] {
  const { os_hash_algo: algorithm, os_hash_value: value, checksum } = image;
  if (typeof algorithm === 'string' && typeof value === 'string' && isDigestAlgorithm(algorithm)) {
    return { osHashAlgo: algorithm, osHashValue: value };
  }
  return typeof checksum === 'string' ? { osHashAlgo: 'md5', osHashValue: checksum } : undefined;
}

async function json({ data }: SourceData): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of data) {
    size += chunk.length;
    if (size > mostText) throw failure('what the region says of the image is too long.');
    chunks.push(Buffer.from(chunk));
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
  } catch {
    throw failure('what the region says of the image is no JSON.');
  }
}
