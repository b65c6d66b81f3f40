import { readFileSync } from 'node:fs';
import { hostname as ownName } from 'node:os';
import { type ChannelModel, connect, credentials, type Options, type SocketOptions } from 'amqplib';
import type { RabbitSettings } from './config.js';
import type { RabbitHost } from './transport-url.js';

const attemptTimeout = 5_000;

/** Connects to one host of a broker, once. */
export async function dial(settings: RabbitSettings, host: RabbitHost): Promise<ChannelModel> {
  return connect(connectOptions(settings, host), socketOptions(settings, host));
}

function connectOptions(settings: RabbitSettings, { hostname, port }: RabbitHost): Options.Connect {
  const { ssl, url, heartbeatTimeoutThreshold } = settings;
  return {
    protocol: ssl ? 'amqps' : 'amqp',
    hostname,
    port,
    vhost: encodeURIComponent(url.virtualHost),
    // RabbitMQ and amqplib give up after two silent intervals.
    heartbeat: Math.ceil(heartbeatTimeoutThreshold / 2),
  };
}

function credentialsOf(
  { rabbitLoginMethod }: RabbitSettings,
  { username, password }: RabbitHost,
): NonNullable<SocketOptions['credentials']> {
  switch (rabbitLoginMethod) {
    case 'PLAIN':
      return credentials.plain(username, password);
    case 'AMQPLAIN':
      return credentials.amqplain(username, password);
    case 'EXTERNAL':
      return credentials.external();
  }
}

function socketOptions(settings: RabbitSettings, host: RabbitHost): SocketOptions {
  const { ssl, sslCaFile, sslCertFile, sslKeyFile, sslVerifyHostname } = settings;
  return {
    noDelay: true,
    keepAlive: true,
    keepAliveDelay: 15_000,
    timeout: attemptTimeout,
    credentials: credentialsOf(settings, host),
    clientProperties: { connection_name: `glance ${ownName()} ${process.pid}` },
    // Read at each attempt: certificates are renewed while we run.
    ...(ssl && {
      ...(sslCaFile && { ca: readFileSync(sslCaFile) }),
      ...(sslCertFile && { cert: readFileSync(sslCertFile) }),
      ...(sslKeyFile && { key: readFileSync(sslKeyFile) }),
      // Glance: oslo.messaging authenticates the broker only when it is given authorities.
      rejectUnauthorized: Boolean(sslCaFile),
      ...(!sslVerifyHostname && { checkServerIdentity: () => undefined }),
    }),
  };
}
