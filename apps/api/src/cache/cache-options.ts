import { choice, declare, integer, text } from '@glance/config';

/** Copies of images on the host, for whoever downloads them next. */
export const cacheOptions = declare('DEFAULT', {
  image_cache_dir: text({
    help:
      'Directory of the image cache. Set, there is the cache API; downloads use the cache with a flavor of ' +
      '[paste_deploy] that has caching or cachemanagement in it. glance-scrubber plan looks for dead images in it.',
  }),
  image_cache_driver: choice(['centralized_db', 'sqlite', 'xattr'], {
    default: 'centralized_db',
    help:
      'With centralized_db, other hosts can ask which images this one has, and tell it of deletions. What is in the ' +
      'cache is written down in its directory, whatever is said here.',
  }),
  image_cache_sqlite_db: text({ default: 'cache.db', help: 'Without effect: there is no such file.' }),
  image_cache_max_size: integer({
    default: 10_737_418_240,
    min: 0,
    help: 'Bytes that the cache may take. It never takes more: what was not used for longest goes before something comes in.',
  }),
  image_cache_stall_time: integer({
    default: 86_400,
    min: 0,
    help: 'Seconds without a byte from the store after which an image that is on its way into the cache is given up.',
  }),
});
