import type { Operation } from './operation.js';

const older = 'The older API, with a flavor that has cachemanagement in it';

/** What is done with the image cache of the host that answers. */
export const cacheOperations: readonly Operation[] = [
  { route: 'GET /v2/cache', tag: 'cache', summary: 'What is cached, and what waits.', answers: { 200: 'CacheState' } },
  {
    route: 'PUT /v2/cache/{id}',
    tag: 'cache',
    summary: 'Brings an image into the cache, in the background.',
    answers: { 202: null },
  },
  { route: 'DELETE /v2/cache/{id}', tag: 'cache', summary: 'Removes an image.', answers: { 204: null } },
  {
    route: 'DELETE /v2/cache',
    tag: 'cache',
    summary: 'Removes all images.',
    headers: { 'x-image-cache-clear-target': 'cache or queue; both without it.' },
    answers: { 204: null },
  },
  {
    route: 'GET /v2/cache/nodes/{id}',
    tag: 'cache',
    summary: 'Which hosts have an image in their caches.',
    answers: { 200: 'CacheNodes' },
  },
  {
    route: 'POST /v2/cache/clean',
    tag: 'cache',
    summary: 'Removes what is of no use: half-written images, and those that are not to be downloaded any more.',
    answers: { 200: 'Nothing' },
  },
  {
    route: 'POST /v2/cache/prune',
    tag: 'cache',
    summary: 'Removes what was not used for longest, until the rest fits.',
    answers: { 200: 'Pruned' },
  },
  { route: 'GET /v2/cached_images', tag: 'cache', summary: `${older}: what is cached.`, answers: { 200: 'Cached' } },
  {
    route: 'DELETE /v2/cached_images',
    tag: 'cache',
    summary: `${older}: removes all images.`,
    answers: { 200: 'Deleted' },
  },
  {
    route: 'DELETE /v2/cached_images/{id}',
    tag: 'cache',
    summary: `${older}: removes an image.`,
    answers: { 200: 'Nothing' },
  },
  { route: 'GET /v2/queued_images', tag: 'cache', summary: `${older}: what waits.`, answers: { 200: 'Queued' } },
  {
    route: 'DELETE /v2/queued_images',
    tag: 'cache',
    summary: `${older}: nothing waits any more.`,
    answers: { 200: 'Deleted' },
  },
  {
    route: 'PUT /v2/queued_images/{id}',
    tag: 'cache',
    summary: `${older}: brings an image into the cache.`,
    answers: { 200: 'Nothing' },
  },
  {
    route: 'DELETE /v2/queued_images/{id}',
    tag: 'cache',
    summary: `${older}: an image waits no more.`,
    answers: { 200: 'Nothing' },
  },
];
