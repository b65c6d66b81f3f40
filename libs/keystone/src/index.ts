export { examineKeystone } from './examine-keystone.js';
export {
  type AccessRule,
  type CatalogueEntry,
  endpointIn,
  KeystoneClient,
  type TokenFacts,
} from './keystone-client.js';
export type { KeystoneAccount } from './keystone-account.js';
