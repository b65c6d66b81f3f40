export * from './bytes.js';
export { digests, digestSize, isDigestAlgorithm } from './digests/digests.js';
export * from './driver.js';
export * from './drivers.js';
export { messageBytes } from './http/message-bytes.js';
export { responseBytes } from './http/response-bytes.js';
export * from './store.js';
export * from './stores.js';
