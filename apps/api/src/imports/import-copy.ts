import { type ClaimedTask, type Image, type ImportedData, ServiceError } from '@glance/domain';
import { digests, type Stores } from '@glance/store';
import { atTheEnd } from '../images/at-the-end.js';
import type { Inspection } from '../images/inspect-image.js';
import { assertSigned, claimOf, type Signatures } from '../signatures/signatures.js';
import type { Meter } from './meter.js';
import { type Poured, pour } from './pour.js';
import { type Arrival, arrive } from './arrive.js';
import type { ImportPlugin } from './import-plugin.js';
import type { Scratch } from './scratch.js';
import type { Source } from './source.js';

export interface CopyParts {
  readonly stores: Stores;
  /** Computes `os_hash_value`. */
  readonly hashAlgorithm: string;
  readonly inspect: (image: Image) => Inspection;
  readonly signatures: Pick<Signatures, 'certificateFor'>;
  /** Where the bytes of a task come from. */
  readonly sourceOf: (task: ClaimedTask, image: Image) => Source;
  /** In the order in which they run. */
  readonly plugins: readonly ImportPlugin[];
  readonly scratch: Scratch;
}

export interface CopyWork {
  readonly task: ClaimedTask;
  readonly image: Image;
  readonly targets: readonly string[];
  readonly meter: Meter;
  readonly signal: AbortSignal;
  /** Called after the last byte, before any store publishes it. */
  readonly confirm: (size: number) => Promise<void>;
}

export interface Copied {
  readonly poured: readonly Poured[];
  /** Known if at least one store has it all. */
  readonly data: Omit<ImportedData, 'location'> | undefined;
}

/** From the source of a task, through the plugins, into all of its stores, as one stream. */
export async function importCopy(parts: CopyParts, work: CopyWork): Promise<Copied> {
  const { task, image, meter } = work;
  meter.step = 'read';
  const source = parts.sourceOf(task, image);
  // What lies in a store has been through the plugins.
  const plugins = task.method === 'copy-image' ? [] : parts.plugins;
  await using scratch = parts.scratch.of(task.id);
  const arrival = await arrive(source, { ...work, plugins, scratch });
  meter.step = 'write';
  return await store(parts, work, arrival);
}

async function store(parts: CopyParts, work: CopyWork, arrival: Arrival): Promise<Copied> {
  const { task, meter, signal, targets } = work;
  const { hashAlgorithm, inspect, stores } = parts;
  const properties = { ...work.image.properties, ...arrival.changes.properties };
  const image = { ...work.image, ...arrival.changes, properties };
  // The bytes of an active image have been judged.
  const inspection = task.method === 'copy-image' ? undefined : inspect(image);
  const claim = inspection && claimOf(image, await certificateFor(parts, task, image));
  const digest = digests(['md5', hashAlgorithm], { claim });
  let facts: Omit<ImportedData, 'location' | 'size'> | undefined;
  const settled = atTheEnd(async (size) => {
    meter.step = 'inspect';
    const { virtualSize } = inspection?.judge() ?? image;
    assertSigned(digest);
    const hex: Readonly<Record<string, string>> = digest.result();
    const hashes = { checksum: hex['md5']!, osHashAlgo: hashAlgorithm, osHashValue: hex[hashAlgorithm]! };
    if (!inspection) assertSame(image, { size, ...hashes });
    facts = { virtualSize, ...hashes, ...arrival.changes };
    await work.confirm(size);
    meter.step = 'write';
  });
  const taps = [digest, ...(inspection ? [inspection.tap] : []), settled];
  const data = taps.reduce((bytes, tap) => tap.through(bytes), meter.through(arrival.data, arrival.size));
  const { maxSize, mustSucceed: allOrNothing } = task;
  const { id, owner } = image;
  const pouring = { id, owner: owner ?? undefined, data, size: arrival.size, maxSize, signal, allOrNothing };
  const poured = await pour(stores, targets, pouring);
  const size = poured.find(({ location }) => location)?.size;
  return { poured, data: facts && size !== undefined ? { ...facts, size } : undefined };
}

/** Of an image whose properties come from another region, it is known only now that it is signed, and by whom. */
async function certificateFor({ signatures }: CopyParts, { certificate, source }: ClaimedTask, image: Image) {
  const { token } = source;
  return certificate ?? (typeof token === 'string' ? signatures.certificateFor(image, token) : undefined);
}

/** Refuses to call copies what is not the same. */
function assertSame(image: Image, copy: Pick<Image, 'size' | 'checksum' | 'osHashAlgo' | 'osHashValue'>): void {
  const sameSize = image.size === null || image.size === copy.size;
  const sameDigest = image.checksum === null || image.checksum === copy.checksum;
  const comparable = image.osHashAlgo === copy.osHashAlgo && image.osHashValue !== null;
  if (sameSize && sameDigest && (!comparable || image.osHashValue === copy.osHashValue)) return;
  throw new ServiceError(
    'UnsafeImage',
    'The stored data is not what the size and the checksums of the image say: it is damaged.',
  );
}
