import { ServiceError } from '@glance/domain';
import { ignoringMissing } from '../../store-error.js';
import type { Datastore, Datastores } from './datastores.js';
import type { Elements } from './soap.js';
import { datastorePath, requestPath, type VmwareFile } from './vmware-location.js';
import type { VsphereClient } from './vsphere-client.js';

/** What a directory of a datastore has in it. */
export interface Entry {
  readonly name: string;
  readonly isDirectory: boolean;
  readonly bytes: number;
  /** Milliseconds of the epoch. */
  readonly modified: number;
}

/** What is done with files and directories of datastores, besides their data. */
export class VmwareFiles {
  readonly #client: VsphereClient;
  readonly #datastores: Datastores;

  constructor(client: VsphereClient, datastores: Datastores) {
    this.#client = client;
    this.#datastores = datastores;
  }

  /** Bytes of a file; `DataNotFound` if it is missing. */
  async size(file: VmwareFile, signal: AbortSignal): Promise<number> {
    const length = (await this.#client.head(requestPath(file), signal))['content-length'];
    if (length !== undefined) return Number(length);
    throw new ServiceError('StoreUnavailable', 'vSphere does not say how long a file is.');
  }

  async exists(file: VmwareFile, signal: AbortSignal): Promise<boolean> {
    return (await ignoringMissing(this.size(file, signal))) !== undefined;
  }

  /** Makes a directory; `DataExists` if it is there, `DataNotFound` if the one that it is in is missing. */
  async makeDirectory(directory: VmwareFile, signal: AbortSignal, withParents = false): Promise<void> {
    const parameters = { ...(await this.#place('', directory)), createParentDirectories: withParents };
    await this.#client.call({ method: 'MakeDirectory', target: 'fileManager', parameters, once: true, signal });
  }

  /** Gives a file a name that nothing has: else `DataExists`. */
  async move(from: VmwareFile, to: VmwareFile, signal: AbortSignal): Promise<void> {
    const places = { ...(await this.#place('source', from)), ...(await this.#place('destination', to)) };
    const parameters = { ...places, force: false };
    await this.#client.task({ method: 'MoveDatastoreFile_Task', target: 'fileManager', parameters, signal });
  }

  /** Removes a file, or a directory with all that is in it; `DataNotFound` if it is missing. */
  async remove(file: VmwareFile, signal: AbortSignal): Promise<void> {
    const parameters = await this.#place('', file);
    await this.#client.task({ method: 'DeleteDatastoreFile_Task', target: 'fileManager', parameters, signal });
  }

  /** What is in a directory under names that fit patterns with `*` and `?`; nothing if there is no such directory. */
  async list(
    { name, browser }: Datastore,
    path: string,
    matchPattern: readonly string[],
    signal: AbortSignal,
  ): Promise<Entry[]> {
    const details = { fileType: true, fileSize: true, modification: true, fileOwner: false };
    const parameters = { datastorePath: datastorePath(name, path), searchSpec: { details, matchPattern } };
    const search = { method: 'SearchDatastore_Task', target: browser, parameters, signal };
    const result = await ignoringMissing(this.#client.task(search));
    return (result?.all('file') ?? []).map((file) => ({
      name: file.at('path')?.text ?? '',
      isDirectory: file.type === 'FolderFileInfo',
      bytes: Number(file.at('fileSize')?.text ?? 0),
      modified: Date.parse(file.at('modification')?.text ?? '') || 0,
    }));
  }

  async #place(of: '' | 'source' | 'destination', { path, datastore, datacenter }: VmwareFile): Promise<Elements> {
    const name = datastorePath(datastore, path);
    const reference = await this.#datastores.datacenter(datacenter);
    return of === '' ? { name, datacenter: reference } : { [`${of}Name`]: name, [`${of}Datacenter`]: reference };
  }
}
