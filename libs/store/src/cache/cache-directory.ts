import { appendFile, mkdir, open, readdir, rename, rm, stat, statfs, utimes, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { ServiceError } from '@glance/domain';
import { hasCode, ignoring } from '../drivers/file/system-error.js';
import { type Holding, together } from '../holding.js';
import { imageName } from '../image-id.js';
import { type CacheEntry, entryNamed, imageOf } from './cache-entry.js';

/** An entry that is whole. */
export interface CachedImage {
  readonly id: string;
  readonly name: string;
  /** md5, hex. */
  readonly checksum: string | null;
  /** The first digits of `os_hash_value`. */
  readonly hash: string | null;
  /** Bytes. */
  readonly size: number;
  /** Times are milliseconds of the epoch. */
  readonly lastAccessed: number;
  readonly lastModified: number;
}

/** What was removed. */
export interface Removed {
  readonly files: number;
  readonly bytes: number;
}

interface Growing {
  readonly name: string;
  /** Bytes that it will have. */
  readonly size: number;
  readonly written: number;
}

/** Milliseconds between two signs of life of who fills an entry, and after which without one he counts as dead. */
export const lifeSign = 1_000;
const longestSilence = 5_000;

/** Whether whoever fills this file does so no more. */
export const isAbandoned = ({ mtimeMs }: Stats): boolean => Date.now() - mtimeMs > longestSilence;

const missing = ignoring('ENOENT');

/** Where data of images is; in this order, what becomes whole while one looks is seen at least once. */
const places = ['incomplete', 'invalid', '.'] as const;

/**
 * The directory of the cache, which all processes of a host share: all they know of each other is in it. Whole entries lie
 * in it under their names. `incomplete/<name>.<size>` grows, and keeps its room from the beginning; it is alive while its
 * time of modification is of the last few seconds. `hits/<name>` has a byte for each use, `queue/<id>` waits to be filled.
 */
export class CacheDirectory {
  readonly path: string;
  readonly #maxSize: number;

  /** `maxSize`: bytes that entries may take, those that grow with their later size. */
  constructor(path: string, maxSize: number) {
    this.path = path;
    this.#maxSize = maxSize;
  }

  /** Makes it, if need be, and removes what dead processes have left. */
  async open(): Promise<void> {
    for (const part of ['incomplete', 'hits', 'queue']) await mkdir(join(this.path, part), { recursive: true });
    await this.clean();
    const known = new Set((await readdir(this.path)).filter((name) => entryNamed(name)));
    const counted = await readdir(join(this.path, 'hits'));
    for (const name of counted.filter((each) => !known.has(each))) await remove(join(this.path, 'hits', name));
  }

  /** Where a whole entry lies. */
  whole({ name }: Pick<CacheEntry, 'name'>): string {
    return join(this.path, name);
  }

  /** Where an entry grows. */
  growing({ name, size }: CacheEntry): string {
    return join(this.path, 'incomplete', `${name}.${size}`);
  }

  /** In no order. */
  async entries(): Promise<CachedImage[]> {
    const named = (await readdir(this.path)).flatMap((name) => ({ name, ...entryNamed(name) }));
    const found = await Promise.all(
      named.map(async ({ name, id, checksum = null, hash = null }) => {
        const facts = id === undefined ? undefined : await stat(join(this.path, name)).catch(missing);
        if (id === undefined || !facts) return [];
        const { size, atimeMs: lastAccessed, mtimeMs: lastModified } = facts;
        return [{ id, name, checksum, hash, size, lastAccessed, lastModified }];
      }),
    );
    return found.flat();
  }

  /** How often an entry was used. */
  async hits({ name }: Pick<CacheEntry, 'name'>): Promise<number> {
    return (await stat(join(this.path, 'hits', name)).catch(missing))?.size ?? 0;
  }

  /** Takes down that an entry was used so often, and that it was used now. */
  async used({ name }: Pick<CacheEntry, 'name'>, times: number): Promise<void> {
    const facts = await stat(join(this.path, name)).catch(missing);
    if (!facts) return;
    await utimes(join(this.path, name), new Date(), facts.mtime).catch(missing);
    await appendFile(join(this.path, 'hits', name), '+'.repeat(times));
  }

  /** The empty file of an entry that only the caller fills; undefined if another does. Room is not made for it yet. */
  async claim(entry: CacheEntry): Promise<FileHandle | undefined> {
    const path = this.growing(entry);
    for (const again of [true, false]) {
      try {
        return await open(path, 'wx', 0o640);
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error;
        const facts = await stat(path).catch(missing);
        if (facts && !isAbandoned(facts)) return undefined;
        if (again) await remove(path);
      }
    }
    return undefined;
  }

  /**
   * Removes the entries that were not used for longest until all that are there, and all that grow, fit; false if they
   * never would. Whoever has claimed an entry asks: of two that together do not fit, at least one learns so.
   */
  async makeRoom(): Promise<{ readonly enough: boolean; readonly evicted: Removed }> {
    // In this order: one that becomes whole meanwhile is in both lists, where the other way round it would be in none.
    const incomplete = await this.#growing();
    const [whole, free] = [await this.entries(), await this.#free()];
    const names = new Set(whole.map(({ name }) => name));
    const growing = incomplete.filter(({ name }) => !names.has(name));
    const unwritten = sum(growing.map(({ size, written }) => size - written));
    const taken = sum(whole.map(({ size }) => size)) + sum(growing.map(({ size }) => size));
    const excess = Math.max(taken - this.#maxSize, unwritten - free);
    if (excess > sum(whole.map(({ size }) => size))) return { enough: false, evicted: nothing };
    const evicted = { files: 0, bytes: 0 };
    for (const entry of whole.sort((a, b) => a.lastAccessed - b.lastAccessed)) {
      if (evicted.bytes >= excess) break;
      await this.forget(entry);
      evicted.files++;
      evicted.bytes += entry.size;
    }
    return { enough: true, evicted };
  }

  /** The entry is whole and verified, and on the disk. Fails if it was removed meanwhile. */
  async publish(entry: CacheEntry): Promise<void> {
    const now = new Date();
    await utimes(this.growing(entry), now, now);
    await rename(this.growing(entry), this.whole(entry));
  }

  /** Removes what grows of an entry. */
  async abandon(entry: CacheEntry): Promise<void> {
    await remove(this.growing(entry));
  }

  /** Removes a whole entry. Whoever reads it has it until his end. */
  async forget(entry: Pick<CacheEntry, 'name'>): Promise<void> {
    await remove(this.whole(entry));
    await remove(join(this.path, 'hits', entry.name));
  }

  /** Images of which there is anything, also what is of no use; some more than once. */
  async *ids(): AsyncIterable<string> {
    for (const place of places) for (const { id } of await this.#files(place)) yield id;
  }

  /** All that there is of an image. What somebody fills was changed just now. */
  async holding(id: string): Promise<Holding | undefined> {
    const found: Holding[] = [];
    for (const place of places) {
      for (const { name } of await this.#files(place, id)) {
        const facts = await stat(join(this.path, place, name)).catch(missing);
        if (!facts) continue;
        const grows = place === 'incomplete' && !isAbandoned(facts);
        found.push({ objects: 1, bytes: facts.size, modified: grows ? Date.now() : facts.mtimeMs });
      }
    }
    return together(found);
  }

  /** Removes all of an image, also what grows; answers with how many entries were whole. */
  async remove(id: string): Promise<number> {
    let whole = 0;
    for (const place of places) {
      for (const { name } of await this.#files(place, id)) {
        if (place === '.') whole++;
        await (place === '.' ? this.forget({ name }) : remove(join(this.path, place, name)));
      }
    }
    return whole;
  }

  /**
   * Removes what is of no use: entries that nobody fills any more, and those of Glance itself, of which nobody knows
   * whether they are still what the record says.
   */
  async clean(): Promise<Removed> {
    const of = async (directory: string, isUseless: (name: string, facts: Stats) => boolean): Promise<number[]> => {
      const names = await readdir(join(this.path, directory)).catch(missing);
      const removed = await Promise.all(
        (names ?? []).map(async (name) => {
          const path = join(this.path, directory, name);
          const facts = await stat(path).catch(missing);
          if (!facts?.isFile() || !isUseless(name, facts)) return [];
          await remove(path);
          return [facts.size];
        }),
      );
      return removed.flat();
    };
    const sizes = [
      ...(await of('incomplete', (_, facts) => isAbandoned(facts))),
      ...(await of('invalid', () => true)),
      ...(await of('.', (name) => imageName.test(name))),
    ];
    return { files: sizes.length, bytes: sum(sizes) };
  }

  /** Ids of images that wait to be filled. */
  async queue(): Promise<string[]> {
    return (await readdir(join(this.path, 'queue'))).filter((name) => imageName.test(name));
  }

  async enqueue(id: string): Promise<void> {
    if (!imageName.test(id))
      throw new ServiceError('Invalid', 'The id of an image that is to be cached must be a UUID.');
    await writeFile(join(this.path, 'queue', id), '');
  }

  /** Whether it was there. */
  async dequeue(id: string): Promise<boolean> {
    return imageName.test(id) && remove(join(this.path, 'queue', id));
  }

  /** Those with data of images, or of this one; none where there is no such directory. */
  async #files(
    place: (typeof places)[number],
    only?: string,
  ): Promise<{ readonly id: string; readonly name: string }[]> {
    const found = await readdir(join(this.path, place), { withFileTypes: true }).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return [];
      const { code } = error as NodeJS.ErrnoException;
      throw new ServiceError('StoreUnavailable', `The image cache cannot be read (${code}).`, {}, { cause: error });
    });
    return found.flatMap((file) => {
      const id = file.isFile() ? imageOf(place, file.name) : undefined;
      return id === undefined || id !== (only ?? id) ? [] : [{ id, name: file.name }];
    });
  }

  async #growing(): Promise<Growing[]> {
    const found = await Promise.all(
      (await readdir(join(this.path, 'incomplete'))).map(async (name) => {
        const path = join(this.path, 'incomplete', name);
        const facts = await stat(path).catch(missing);
        if (!facts) return [];
        if (!isAbandoned(facts)) {
          const [, of = name, size = facts.size] = /^(.*)\.(\d+)$/.exec(name) ?? [];
          return [{ name: of, size: Number(size), written: facts.size }];
        }
        await remove(path);
        return [];
      }),
    );
    return found.flat();
  }

  /** Bytes that the file system has left. */
  async #free(): Promise<number> {
    const { bavail, bsize } = await statfs(this.path);
    return bavail * bsize;
  }
}

const nothing: Removed = { files: 0, bytes: 0 };

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

/** Whether there was such a file. */
async function remove(path: string): Promise<boolean> {
  try {
    await rm(path);
    return true;
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    return false;
  }
}
