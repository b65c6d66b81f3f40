export * from './bytes.js';
export { digests, digestSize, isDigestAlgorithm } from './digests/digests.js';
export * from './driver.js';
export * from './drivers.js';
export * from './store.js';
export * from './stores.js';
