export type { ApiParts } from './api.module.js';
export { fillFromQueue } from './cache/fill-queue.js';
export { cacheOptions } from './cache/cache-options.js';
export { apiDeclarations, type ApiSettings, hostDeclarations, readApiSettings } from './config.js';
export { asksKeystone } from './identity/identity-of.js';
export type { Identity } from './identity/identity.js';
export { type RunningApi, startApi } from './start-api.js';
export type { StagingPlace } from './imports/staging-area.js';
