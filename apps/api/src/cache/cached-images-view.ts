import type { CacheDirectory } from '@glance/store';

/** What is in the cache, as clients are shown it: times in seconds of the epoch. */
export async function cachedImagesView(directory: CacheDirectory): Promise<object[]> {
  const entries = await directory.entries();
  return Promise.all(
    entries.map(async (entry) => ({
      id: entry.id,
      image_id: entry.id,
      hits: await directory.hits(entry),
      size: entry.size,
      last_accessed: entry.lastAccessed / 1000,
      last_modified: entry.lastModified / 1000,
      checksum: entry.checksum,
    })),
  );
}
