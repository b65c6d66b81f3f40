export { KeystoneClient } from './keystone-client.js';
