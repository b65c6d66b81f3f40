import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { isServiceError, ServiceError } from '@glance/domain';
import type { Bytes } from '../../bytes.js';
import { assertWanted } from '../../cancellation.js';
import type { Capacity, ReadOptions, StoreDriver, WriteOptions } from '../../driver.js';
import { type Holding, together } from '../../holding.js';
import { responseBytes } from '../../http/response-bytes.js';
import { resumedBytes } from '../../http/resumed-bytes.js';
import { beginOfRest, behind, servedData } from '../../http/served-data.js';
import { assertUsableName, imageName, isUsableName, namePattern } from '../../image-id.js';
import { dataArrives, dataExists, discarded, ignoringMissing, withLeftovers } from '../../store-error.js';
import { type ConfiguredDatastore, type Datastore, Datastores } from './datastores.js';
import { VmwareFiles } from './vmware-files.js';
import { requestPath, type VmwareFile, vmwareFile, vmwareUrl } from './vmware-location.js';
import { VsphereClient, type VsphereSettings } from './vsphere-client.js';

export interface VmwareDriverSettings {
  readonly vsphere: VsphereSettings;
  /** At least one. */
  readonly datastores: readonly ConfiguredDatastore[];
  /** Of the images, from the root of a datastore, without slashes around it. */
  readonly directory: string;
}

/** How often in a row a download may break off. */
const retries = 5;
/** Milliseconds that may go into tidying up what was stopped. */
const tidyTime = 30_000;

const claimName = namePattern(String.raw`\.`, String.raw`\.part`);

/**
 * Images as files `<directory>/<id>` of datastores. Data arrives in a file of a random name in the directory `.<id>.part`,
 * and is moved when it is complete. To make that directory in the first of the datastores is to claim the id, for of
 * several who try one succeeds; what is removed from it cannot be moved any more.
 */
export class VmwareDriver implements StoreDriver {
  readonly capabilities = { write: true, delete: true, seek: true };
  readonly #settings: VmwareDriverSettings;
  readonly #client: VsphereClient;
  readonly #datastores: Datastores;
  readonly #files: VmwareFiles;
  #made = false;

  constructor(settings: VmwareDriverSettings) {
    this.#settings = settings;
    this.#client = new VsphereClient(settings.vsphere);
    this.#datastores = new Datastores(this.#client, settings.datastores);
    this.#files = new VmwareFiles(this.#client, this.#datastores);
  }

  async open(): Promise<void> {
    const signal = tidying();
    for (const datastore of await this.#datastores.all()) {
      // Only once: a directory that is gone later was on storage that is away.
      if (!this.#made) {
        await this.#files.makeDirectory(this.#at(datastore), signal, true).catch(unless('DataExists'));
      }
      const probe = this.#at(datastore, `.probe-${randomUUID()}`);
      await this.#files.makeDirectory(probe, signal).catch(this.#noDirectory(datastore));
      await this.#files.remove(probe, signal);
    }
    this.#made = true;
  }

  async write(id: string, data: Bytes, { size, signal }: WriteOptions): Promise<string> {
    assertUsableName(id);
    assertWanted(signal);
    const all = await this.#datastores.all();
    const datastore = await this.#datastores.roomiest(size ?? 0, signal);
    const claims = [...new Set([all[0]!, datastore])].map((each) => this.#at(each, claimOf(id)));
    const token = randomUUID();
    const image = this.#at(datastore, id);
    await this.#claim(claims, token, datastore, signal);
    try {
      const there = await Promise.all(all.map((each) => this.#files.exists(this.#at(each, id), signal)));
      if (there.includes(true)) throw dataExists();
      const arriving = within(claims.at(-1)!, `${token}.data`);
      await this.#send(arriving, data, size, signal);
      assertWanted(signal);
      await this.#publish(arriving, image);
      if (signal.aborted) await this.#files.remove(image, tidying());
      assertWanted(signal);
    } catch (error) {
      await this.#release(claims, token).catch((obstacle: unknown) => {
        throw withLeftovers(error, obstacle);
      });
      throw error;
    }
    await this.#release(claims, token).catch(() => undefined);
    return vmwareUrl(this.#host, image);
  }

  async read(url: string, { offset, length, signal }: ReadOptions): Promise<{ size: number; data: Bytes }> {
    const file = vmwareFile(this.#host, url);
    const size = await this.#files.size(file, signal);
    const end = Math.min(size, offset + (length ?? size));
    const open = (start: number): Promise<Bytes> => this.#from(file, start, end, size, signal);
    return { size, data: resumedBytes({ start: offset, end, retries, signal, open }) };
  }

  async size(url: string, signal: AbortSignal): Promise<number> {
    return this.#files.size(vmwareFile(this.#host, url), signal);
  }

  async delete(url: string, signal: AbortSignal): Promise<void> {
    await this.#files.remove(vmwareFile(this.#host, url), signal);
  }

  accepts(url: string): boolean {
    return this.canonical(url) !== undefined;
  }

  canonical(url: string): string | undefined {
    try {
      const { path, ...place } = vmwareFile(this.#host, url);
      const [directory, id] = [path.replace(/\/?[^/]*$/, ''), path.replace(/^.*\//, '')];
      const here = this.#settings.datastores.some(
        ({ name, datacenter }) => name === place.datastore && datacenter === place.datacenter,
      );
      return here && directory === this.#settings.directory && isUsableName(id) ? url : undefined;
    } catch {
      return undefined;
    }
  }

  async discard(id: string, signal: AbortSignal): Promise<void> {
    if (!isUsableName(id)) return;
    // The first one last: once its claim is gone, another may store the image.
    for (const datastore of [...(await this.#datastores.all())].reverse()) {
      // In this order: what is not in the claim any more cannot be published.
      await ignoringMissing(this.#files.remove(this.#at(datastore, claimOf(id)), signal));
      await ignoringMissing(this.#files.remove(this.#at(datastore, id), signal));
    }
  }

  async *ids(signal: AbortSignal): AsyncIterable<string> {
    for (const datastore of await this.#datastores.all()) {
      // vSphere has no pages: this makes some.
      for (const digit of '0123456789abcdef') {
        const patterns = [digit, `.${digit}`].flatMap((begin) => [`${begin}*`, `${begin.toUpperCase()}*`]);
        const entries = await this.#files.list(datastore, this.#settings.directory, [...new Set(patterns)], signal);
        for (const { name, isDirectory } of entries) {
          const [, id] = (isDirectory ? claimName : imageName).exec(name) ?? [];
          if (id !== undefined) yield id;
        }
      }
    }
  }

  async holding(id: string, signal: AbortSignal): Promise<Holding | undefined> {
    if (!isUsableName(id)) return undefined;
    const holdings: (Holding | undefined)[] = [];
    for (const datastore of await this.#datastores.all()) {
      const { directory } = this.#settings;
      const entries = await this.#files.list(datastore, directory, [id, claimOf(id)], signal);
      // Something else of that name.
      if (entries.some(({ name, isDirectory }) => isDirectory !== (name !== id))) return undefined;
      const arriving = entries.some(({ isDirectory }) => isDirectory)
        ? await this.#files.list(datastore, `${directory}/${claimOf(id)}`, ['*'], signal)
        : [];
      holdings.push(
        ...[...entries, ...arriving].map(({ isDirectory, bytes, modified }) => ({
          objects: 1,
          bytes: isDirectory ? 0 : bytes,
          modified,
        })),
      );
    }
    return together(holdings);
  }

  async capacity(): Promise<Capacity> {
    const rooms = await this.#datastores.rooms(tidying());
    return {
      total: rooms.reduce((sum, { total }) => sum + total, 0),
      available: rooms.reduce((sum, { available }) => sum + available, 0),
    };
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  get #host(): string {
    return this.#settings.vsphere.host;
  }

  /** The directory of the images, or what is in it. */
  #at({ name: datastore, datacenter }: ConfiguredDatastore, name?: string): VmwareFile {
    const { directory: path } = this.#settings;
    return { path: name === undefined ? path : `${path}/${name}`, datastore, datacenter };
  }

  /** Takes the id, and puts an empty file there that says whose the claim is. */
  async #claim(claims: readonly VmwareFile[], token: string, datastore: Datastore, signal: AbortSignal): Promise<void> {
    const taken: VmwareFile[] = [];
    try {
      for (const claim of claims) {
        await this.#files.makeDirectory(claim, signal).catch(this.#noDirectory(datastore));
        taken.push(claim);
        await this.#client.put(requestPath(within(claim, token)), nothing(), 0, signal);
      }
    } catch (error) {
      for (const claim of taken) await this.#files.remove(claim, tidying()).catch(() => undefined);
      if (!isServiceError(error, 'DataExists')) throw error;
      throw dataArrives(error);
    }
  }

  async #send(arriving: VmwareFile, data: Bytes, size: number | undefined, signal: AbortSignal): Promise<void> {
    const source = data[Symbol.asyncIterator]();
    let sent = 0;
    async function* rest(): Bytes {
      for (let step = await source.next(); step.done !== true; step = await source.next()) {
        sent += step.value.length;
        yield step.value;
      }
    }
    try {
      await this.#client.put(requestPath(arriving), rest(), size, signal);
      // A server that was told the length has answered before the end was seen.
      for await (const _ of rest());
    } finally {
      await source.return?.();
    }
    const arrived = await ignoringMissing(this.#files.size(arriving, signal));
    if (arrived === undefined) throw discarded();
    if (arrived === sent) return;
    throw new ServiceError('StoreUnavailable', `vSphere has kept ${arrived} of ${sent} bytes.`);
  }

  /** Nobody who gives up interrupts it: then nobody would know whether it was done. */
  async #publish(arriving: VmwareFile, image: VmwareFile): Promise<void> {
    try {
      await this.#files.move(arriving, image, tidying());
    } catch (error) {
      if (isServiceError(error, 'DataNotFound')) throw discarded();
      if (isServiceError(error, 'DataExists')) throw error;
      // Where the answer was lost: what can be removed was not moved, and never will be.
      const removed = await ignoringMissing(this.#files.remove(arriving, tidying()).then(() => true));
      if (removed || !(await this.#files.exists(image, tidying()))) throw error;
    }
  }

  /** Gives claims up, unless they are somebody else's by now. */
  async #release(claims: readonly VmwareFile[], token: string): Promise<void> {
    const signal = tidying();
    for (const claim of [...claims].reverse()) {
      if (!(await this.#files.exists(within(claim, token), signal))) continue;
      for (;;) {
        const removing = ignoringMissing(this.#files.remove(claim, signal)).then(() => true);
        // ESXi has not noticed yet that nobody sends any more.
        if (await removing.catch(unless('DataInUse'))) break;
        await delay(500, undefined, { signal });
      }
    }
  }

  async #from(file: VmwareFile, start: number, end: number, size: number, signal: AbortSignal): Promise<Bytes> {
    const range = start > 0 || end < size ? { range: `bytes=${start}-${end - 1}` } : {};
    const answer = await this.#client.get(requestPath(file), range, signal);
    // A server that knows no ranges sends everything. Files of images never change.
    const served = servedData(answer);
    const whole = answer.statusCode === 200 && served.size === size;
    const begin = whole ? 0 : beginOfRest(answer, { ...served, size }, start);
    if (begin !== undefined) return behind(start - begin, responseBytes(answer, this.#client.patience));
    answer.destroy();
    throw new ServiceError('StoreUnavailable', 'vSphere has sent another part of the image than was asked for.');
  }

  #noDirectory({ name }: Datastore): (error: unknown) => never {
    return (error) => {
      if (!isServiceError(error, 'DataNotFound')) throw error;
      const message = `The directory of vmware_store_image_dir is missing in the datastore ${name}.`;
      throw new ServiceError('StoreUnavailable', message, {}, { cause: error });
    };
  }
}

const claimOf = (id: string): string => `.${id}.part`;

const within = ({ path, ...place }: VmwareFile, name: string): VmwareFile => ({ ...place, path: `${path}/${name}` });

const tidying = (): AbortSignal => AbortSignal.timeout(tidyTime);

async function* nothing(): Bytes {
  // No bytes.
}

/** For `catch`: a failure for this reason is none. */
function unless(code: 'DataExists' | 'DataInUse'): (error: unknown) => undefined {
  return (error) => {
    if (!isServiceError(error, code)) throw error;
  };
}
