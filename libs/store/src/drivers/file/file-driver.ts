import { randomUUID } from 'node:crypto';
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { isServiceError, ServiceError } from '@glance/domain';
import type { Bytes } from '../../bytes.js';
import type { Capacity, ReadOptions, StoreDriver } from '../../driver.js';
import type { Holding } from '../../holding.js';
import { imageName, namePattern } from '../../image-id.js';
import { DirectorySync } from './directory-sync.js';
import { type FileSystem, fileSystem } from './file-system.js';
import { fileBytes } from './file-bytes.js';
import { namesAt, namesOf, urlOf } from './file-names.js';
import { MountPoint } from './mount-point.js';
import type { PatientCallsSettings } from './patient-calls.js';
import type { ShareMetadata } from './share-metadata.js';
import { hasCode, ignoring, orNotFound } from './system-error.js';
import { writeFile } from './write-file.js';
import { dataArrives, dataExists, discarded } from '../../store-error.js';

export interface FileDriverSettings {
  /** Absolute, without a slash at the end. */
  readonly directory: string;
  /** Bytes. */
  readonly chunkSize: number;
  /** Permissions of the files. */
  readonly mode: number | undefined;
  /** Pieces of zeros become holes. */
  readonly sparse: boolean;
  /** Files are on the disk before a write ends. */
  readonly durable: boolean;
  /** For file systems that may not answer; without it they are waited for. */
  readonly patience?: PatientCallsSettings | undefined;
  /** Where a file system must be mounted; if absent, where one is when the directory is first used. */
  readonly mountPoint?: string | undefined;
  /** Of the locations of the images. */
  readonly metadata?: ShareMetadata;
}

/**
 * Images as files `<directory>/<id>`. Data arrives in a file of a random name in the directory `.<id>.part`, and is
 * renamed when it is complete. To make that directory is to claim the id. Nobody else can publish while the claim
 * stands, and removing it takes the data away from whoever believes to hold it: their rename finds nothing.
 */
export class FileDriver implements StoreDriver {
  readonly capabilities = { write: true, delete: true, seek: true };
  readonly #settings: FileDriverSettings;
  readonly #fs: FileSystem;
  readonly #mount: MountPoint;
  readonly #sync: DirectorySync;
  #made = false;

  constructor(settings: FileDriverSettings) {
    this.#settings = settings;
    this.#fs = fileSystem(settings.patience);
    this.#mount = new MountPoint(settings.directory, settings.mountPoint);
    this.#sync = new DirectorySync(this.#fs, settings.directory);
  }

  async open(): Promise<void> {
    const { directory } = this.#settings;
    const probe = join(directory, `.probe-${randomUUID()}`);
    await this.#mount.check();
    try {
      // Only once: a directory that is gone later was on a file system that is away.
      if (!this.#made) await this.#fs.mkdir(directory, { recursive: true });
      await this.#fs.mkdir(probe);
      await this.#fs.rmdir(probe);
      this.#made = true;
    } catch (error) {
      if (isServiceError(error)) throw error;
      const { code } = error as NodeJS.ErrnoException;
      const message = `filesystem_store_datadir must be a directory that can be written to; "${directory}" is not (${code}).`;
      throw new ServiceError('StorageDenied', message, {}, { cause: error });
    }
  }

  async write(id: string, data: Bytes, { signal }: { signal: AbortSignal }): Promise<string> {
    const { file, upload } = namesOf(this.#settings.directory, id);
    signal.throwIfAborted();
    await this.#mount.check();
    const arriving = await claim(this.#fs, upload);
    try {
      if (await exists(this.#fs, file)) throw dataExists();
      await writeFile(this.#fs, arriving, data, { ...this.#settings, signal });
      signal.throwIfAborted();
      await publish(this.#fs, arriving, file);
      await this.#syncDirectory().catch(async (error: unknown) => {
        await this.#fs.rename(file, arriving);
        throw error;
      });
      return urlOf(file);
    } finally {
      await release(this.#fs, upload, arriving);
    }
  }

  async read(url: string, { offset, length, signal }: ReadOptions): Promise<{ size: number; data: Bytes }> {
    const { file } = namesAt(this.#settings.directory, url);
    const size = await this.#sizeOf(file);
    const end = Math.min(size, offset + (length ?? size));
    return {
      size,
      data: fileBytes(this.#fs, file, { start: offset, end, chunkSize: this.#settings.chunkSize, signal }),
    };
  }

  canonical(url: string): string | undefined {
    try {
      namesAt(this.#settings.directory, url);
      return url;
    } catch {
      return undefined;
    }
  }

  metadata(_url: string): ShareMetadata {
    return this.#settings.metadata ?? {};
  }

  async size(url: string): Promise<number> {
    return this.#sizeOf(namesAt(this.#settings.directory, url).file);
  }

  async delete(url: string): Promise<void> {
    const { file, upload } = namesAt(this.#settings.directory, url);
    await this.#fs.unlink(file).catch((error: unknown) => this.#missing(error));
    // A process that died right after it had published has left the claim.
    await this.#fs.rmdir(upload).catch(ignoring('ENOENT', 'ENOTEMPTY'));
    await this.#syncDirectory();
  }

  async discard(id: string): Promise<void> {
    const { file, upload } = namesOf(this.#settings.directory, id);
    await this.#mount.check();
    // In this order: once the claim is gone nobody can publish any more.
    await this.#fs.rm(upload, { recursive: true, force: true, maxRetries: 3 });
    await this.#fs.rm(file, { force: true });
    await this.#syncDirectory();
  }

  async *ids(): AsyncIterable<string> {
    const { directory } = this.#settings;
    const entries = await opendir(directory).catch((error: unknown) => {
      if (!hasCode(error, 'ENOENT')) throw error;
      const message = `The directory "${directory}" of the store is missing.`;
      throw new ServiceError('StoreUnavailable', message, {}, { cause: error });
    });
    for await (const entry of entries) {
      const [, id] = (entry.isDirectory() ? claimName : imageName).exec(entry.name) ?? [];
      if (id !== undefined && (entry.isFile() || entry.isDirectory())) yield id;
    }
  }

  async holding(id: string): Promise<Holding | undefined> {
    const { file, upload } = namesOf(this.#settings.directory, id);
    const arriving = (await this.#fs.readdir(upload).catch(ignoring('ENOENT', 'ENOTDIR'))) ?? [];
    const paths = [file, upload, ...arriving.map((name) => join(upload, name))];
    const found = await Promise.all(paths.map((path) => this.#fs.lstat(path).catch(ignoring('ENOENT', 'ENOTDIR'))));
    const [image, claim] = found;
    const foreign = (image && !image.isFile()) || (claim && !claim.isDirectory());
    const there = found.filter((stats) => stats !== undefined);
    if (foreign || there.length === 0) return undefined;
    const files = there.filter((stats) => stats.isFile());
    return {
      objects: there.length,
      bytes: files.reduce((sum, { size }) => sum + size, 0),
      modified: Math.max(...there.map(({ mtimeMs }) => Math.floor(mtimeMs))),
    };
  }

  /** Of the file system. */
  async capacity(): Promise<Capacity> {
    const { bsize, blocks, bavail } = await this.#fs.statfs(this.#settings.directory);
    return { total: blocks * bsize, available: bavail * bsize };
  }

  async close(): Promise<void> {
    // Files are open only while they are read or written.
  }

  async #sizeOf(file: string): Promise<number> {
    const stats = await this.#fs.stat(file).catch((error: unknown) => this.#missing(error));
    if (!stats.isFile()) throw new ServiceError('BadLocation', 'The location is not that of a file.');
    return stats.size;
  }

  async #missing(error: unknown): Promise<never> {
    // A file system that is away has lost nothing.
    await this.#mount.check();
    return orNotFound(error);
  }

  async #syncDirectory(): Promise<void> {
    if (this.#settings.durable) await this.#sync.reach();
  }
}

const claimName = namePattern(String.raw`\.`, String.raw`\.part`);

/** Makes the directory that claims an id; answers with the file that the data may go to. */
async function claim(fs: FileSystem, upload: string): Promise<string> {
  await fs.mkdir(upload).catch((error: unknown) => {
    if (!hasCode(error, 'EEXIST')) throw error;
    throw dataArrives(error);
  });
  return join(upload, randomUUID());
}

/** `file` does not exist, for else the claim would have failed, or the look after it. */
async function publish(fs: FileSystem, arriving: string, file: string): Promise<void> {
  await fs.rename(arriving, file).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error;
    throw discarded(error);
  });
}

/** Gives up a claim and what has arrived. When it was discarded, another upload may have one: that stays. */
async function release(fs: FileSystem, upload: string, arriving: string): Promise<void> {
  await fs.unlink(arriving).catch(ignoring('ENOENT'));
  await fs.rmdir(upload).catch(ignoring('ENOENT', 'ENOTEMPTY'));
}

async function exists(fs: FileSystem, file: string): Promise<boolean> {
  const stats = await fs.lstat(file).catch(ignoring('ENOENT'));
  return stats !== undefined;
}
