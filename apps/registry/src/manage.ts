export { explainAccess, type Verdict } from './authorization/explain-access.js';
export { connect } from './database/connect.js';
export type { Database } from './database/database.js';
export { examineServer } from './database/examine-server.js';
export { checkDatabase, databaseVersion, type SchemaState, type SchemaStep, syncDatabase } from './database/schema.js';
export { purge, purgeImages, type Purged, type PurgeLimits } from './database/purge.js';
export {
  exportMetadefs,
  loadMetadefs,
  type LoadReport,
  type OnExisting,
  unloadMetadefs,
} from './metadefs/metadef-files.js';
