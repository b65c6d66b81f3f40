export * from './broker.js';
export {
  ignoredMessagingOptions,
  messagingOptions,
  rabbitOptions,
  rabbitSettings,
  type RabbitSettings,
} from './config.js';
export { Connection, type ConnectionState, type Tenant } from './connection.js';
export { rabbitBroker } from './rabbit.js';
export { InvalidTransportUrl, parseTransportUrl, RabbitHost, TransportUrl } from './transport-url.js';
export { contractServer } from './contract-server.js';
export { Serves } from './serves.js';
export { rabbitNotifier, type NotificationFormat, type Notifier } from './notifier.js';
export { currentRequest, inRequest, type RequestContext } from './request-context.js';
export { examineBroker } from './examine-broker.js';
