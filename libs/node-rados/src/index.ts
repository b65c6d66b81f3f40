export { Cluster, type ClusterOptions, type ClusterStats } from './cluster.js';
export type { Image } from './image.js';
export type { Child, Extent, ImageStat, Opening, Snapshot, Watcher } from './image-facts.js';
export { features, type NewImage, type Pool, type PoolStats, type TrashEntry } from './pool.js';
export { isRadosError, RadosError } from './rados-error.js';
