import { choice, declare, flag, integer, number, text, type ValuesOf } from '@glance/config';
import { ServiceError } from '@glance/domain';
import { InvalidTransportUrl, parseTransportUrl, type TransportUrl } from './transport-url.js';

function objectionToUrl(value: string): string | undefined {
  try {
    parseTransportUrl(value);
    return undefined;
  } catch (error) {
    if (error instanceof InvalidTransportUrl) return error.message;
    throw error;
  }
}

/** How the parts of the service reach each other. */
export const messagingOptions = declare('DEFAULT', {
  transport_url: text({
    help:
      'Message broker: rabbit://user:password@host:5672[,user:password@host:5672]/vhost, with options of ' +
      '[oslo_messaging_rabbit] behind a ?. fake:// keeps all calls in one process.',
    secret: true,
    check: objectionToUrl,
  }),
  control_exchange: text({
    default: 'glance',
    help: 'Exchange of the notifications, and first word in the names of the queues that carry calls.',
  }),
  rpc_response_timeout: integer({
    default: 60,
    min: 1,
    help: 'Seconds that a call between processes may take at most; most calls wait for less.',
  }),
  rpc_outage_grace: number({
    default: 5,
    min: 0,
    ours: true,
    help:
      'Seconds that calls wait for a message broker or a registry that is away, as while it restarts. When it has been ' +
      'away for longer, requests are answered with 503 at once.',
  }),
  rpc_calls_in_flight: integer({
    default: 1000,
    min: 1,
    ours: true,
    help: 'Calls that one process may have under way. Beyond that, requests are answered with 503 at once.',
  }),
  rpc_queue_length: integer({
    default: 2000,
    min: 1,
    ours: true,
    help: 'Calls that may wait in a queue of the registry. Beyond that, requests are answered with 503 at once.',
  }),
});

const noEffect = 'Accepted for compatibility, without effect.';

/** Options of oslo.messaging that files of existing deployments may contain. */
export const ignoredMessagingOptions = declare('DEFAULT', {
  executor_thread_pool_size: integer({ default: 64, help: noEffect, aliases: ['rpc_thread_pool_size'] }),
  rpc_conn_pool_size: integer({ default: 30, help: noEffect }),
  conn_pool_min_size: integer({ default: 2, help: noEffect }),
  conn_pool_ttl: integer({ default: 1200, help: noEffect }),
  rpc_ping_enabled: flag({ default: false, help: noEffect }),
});

/** Options of the connection to RabbitMQ. */
export const rabbitOptions = declare('oslo_messaging_rabbit', {
  ssl: flag({ default: false, help: 'Connect with TLS.', aliases: ['rabbit_use_ssl'] }),
  ssl_ca_file: text({
    help: 'Certificates of the authorities that may vouch for the broker. Without it the broker is not authenticated.',
    aliases: ['kombu_ssl_ca_certs'],
  }),
  ssl_cert_file: text({ help: 'Certificate to log in with.', aliases: ['kombu_ssl_certfile'] }),
  ssl_key_file: text({ help: 'Key of the certificate to log in with.', aliases: ['kombu_ssl_keyfile'] }),
  ssl_verify_hostname: flag({
    // Glance: oslo.messaging does not compare names, and brokers of existing deployments rely on it.
    default: false,
    ours: true,
    help: 'Refuse a broker whose certificate is for another host name.',
  }),
  ssl_version: text({ help: noEffect, aliases: ['kombu_ssl_version'] }),
  ssl_enforce_fips_mode: flag({ default: false, help: noEffect }),
  rabbit_login_method: choice(['PLAIN', 'AMQPLAIN', 'EXTERNAL'], {
    default: 'AMQPLAIN',
    help: 'How to log in; EXTERNAL by the certificate.',
  }),
  heartbeat_timeout_threshold: integer({
    default: 60,
    min: 0,
    help: 'Seconds of silence after which the broker counts as gone; 0 switches the check off.',
  }),
  heartbeat_rate: integer({ default: 3, help: noEffect }),
  heartbeat_in_pthread: flag({ default: false, help: noEffect }),
  rabbit_retry_interval: integer({ default: 1, min: 0, help: 'Seconds until hosts are tried again after all failed.' }),
  rabbit_retry_backoff: integer({ default: 2, min: 0, help: 'Seconds by which that interval grows each time.' }),
  rabbit_interval_max: integer({ default: 30, min: 1, help: 'Seconds that the interval may grow to.' }),
  kombu_reconnect_delay: number({
    default: 1,
    min: 0,
    help: 'Seconds to wait before a queue is read again when the broker has stopped delivering from it.',
  }),
  kombu_reconnect_splay: number({ default: 0, help: noEffect }),
  kombu_failover_strategy: choice(['round-robin', 'shuffle'], {
    default: 'round-robin',
    help: 'Order in which hosts are tried.',
  }),
  rabbit_qos_prefetch_count: integer({
    default: 0,
    min: 0,
    max: 65_535,
    help: 'Calls of one queue that one process works on at a time; 0 means 64.',
  }),
  rabbit_quorum_queue: flag({
    default: false,
    help: 'Replicate queues to the nodes of the cluster. Needs RabbitMQ 3.10 or newer.',
  }),
  amqp_durable_queues: flag({ default: false, help: 'Queues survive a restart of the broker.' }),
  amqp_auto_delete: flag({
    default: false,
    help: 'Exchange and queues of notifications go when nobody uses them any more.',
  }),
  rabbit_ha_queues: flag({ default: false, help: 'Mirrored queues.', deprecated: 'since RabbitMQ 3.0; use a policy' }),
  rabbit_transient_queues_ttl: integer({ default: 1800, help: noEffect }),
  rabbit_transient_quorum_queue: flag({ default: false, help: noEffect }),
  rabbit_quorum_delivery_limit: integer({
    default: 0,
    min: 0,
    help: 'Attempts at delivering a notification from a quorum queue; 0 sets no limit.',
  }),
  rabbit_quorum_max_memory_length: integer({
    default: 0,
    min: 0,
    help: 'Notifications of a quorum queue that are kept in memory; 0 sets no limit.',
  }),
  rabbit_quorum_max_memory_bytes: integer({
    default: 0,
    min: 0,
    help: 'Bytes of notifications of a quorum queue that are kept in memory; 0 sets no limit.',
  }),
  rabbit_stream_fanout: flag({ default: false, help: noEffect }),
  use_queue_manager: flag({ default: false, help: noEffect }),
  hostname: text({ help: noEffect }),
  processname: text({ help: noEffect }),
  enable_cancel_on_failover: flag({ default: false, help: noEffect }),
  kombu_compression: text({ help: noEffect }),
  kombu_missing_consumer_retry_timeout: integer({
    default: 60,
    help: noEffect,
    aliases: ['kombu_reconnect_timeout'],
  }),
});

type MessagingValues = ValuesOf<typeof messagingOptions>;
type RabbitValues = ValuesOf<typeof rabbitOptions>;

/** All that is needed to reach one message broker. */
export interface RabbitSettings extends Omit<MessagingValues, 'transportUrl'>, RabbitValues {
  readonly url: TransportUrl;
}

/** The settings of the broker at `url`. Throws `Invalid` when an option in the URL has a wrong value. */
export function rabbitSettings(url: TransportUrl, messaging: MessagingValues, rabbit: RabbitValues): RabbitSettings {
  const { transportUrl: _, ...others } = messaging;
  return { ...others, ...rabbit, ...optionsInUrl(url), url };
}

function optionsInUrl({ query }: TransportUrl): Partial<RabbitValues> {
  const known = Object.entries(rabbitOptions.options).filter(([name]) => query[name] !== undefined);
  return Object.fromEntries(
    known.map(([name, option]) => {
      try {
        return [name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase()), option.parse([query[name]!])];
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        throw new ServiceError('Invalid', `transport_url: ${name} ${error.message}.`, {}, { cause: error });
      }
    }),
  );
}
