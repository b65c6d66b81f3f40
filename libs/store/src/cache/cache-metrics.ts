import { Counter } from 'prom-client';

/** Downloads by where their bytes came from, or began to: `hit`, `joined` (a fill under way), `miss` (the store). */
export const requests = new Counter({
  name: 'glance_cache_requests_total',
  help: 'Downloads that the image cache was asked for: hit, joined (an image that is being fetched), or miss.',
  labelNames: ['result'],
});

export const fills = new Counter({
  name: 'glance_cache_fills_total',
  help: 'Images that were fetched into the cache, by how it ended: filled, full, wrong, dropped, failed.',
  labelNames: ['outcome'],
});

export const bytes = new Counter({
  name: 'glance_cache_bytes_total',
  help: 'Bytes that the cache has served, and that were fetched into it.',
  labelNames: ['direction'],
});

export const evictions = new Counter({
  name: 'glance_cache_evictions_total',
  help: 'Images that had to leave the cache for others.',
});
