import { ServiceError } from '@glance/domain';
import { describe, expect, test } from 'vitest';
import { messagingOptions, rabbitOptions, rabbitSettings, type RabbitSettings } from './config.js';
import { defaultsOf } from './testing/rabbit.js';
import { parseTransportUrl } from './transport-url.js';

function settings(url: string): RabbitSettings {
  return rabbitSettings(parseTransportUrl(url), defaultsOf(messagingOptions), defaultsOf(rabbitOptions));
}

describe('the settings of a broker', () => {
  test('come from the options', () => {
    expect(settings('rabbit://h/')).toMatchObject({
      controlExchange: 'glance',
      rpcResponseTimeout: 60,
      ssl: false,
      rabbitLoginMethod: 'AMQPLAIN',
      heartbeatTimeoutThreshold: 60,
    });
  });

  test('are overridden by the URL', () => {
    const url = 'rabbit://h/?ssl=1&ssl_ca_file=/ca.pem&rabbit_quorum_queue=true&heartbeat_timeout_threshold=7&other=x';
    expect(settings(url)).toMatchObject({
      ssl: true,
      sslCaFile: '/ca.pem',
      rabbitQuorumQueue: true,
      heartbeatTimeoutThreshold: 7,
      amqpDurableQueues: false,
    });
  });

  test('name the option in the URL that is wrong', () => {
    const wrong = () => settings('rabbit://user:secret@h/?heartbeat_timeout_threshold=soon');
    expect(wrong).toThrow(ServiceError);
    expect(wrong).toThrow(/heartbeat_timeout_threshold must be a whole number/);
  });

  test('do not repeat the URL as text, which has the password in it', () => {
    const messaging = { ...defaultsOf(messagingOptions), transportUrl: 'rabbit://u:secret@h/' };
    const all = rabbitSettings(parseTransportUrl(messaging.transportUrl), messaging, defaultsOf(rabbitOptions));
    expect(JSON.stringify(all)).not.toContain('secret');
  });
});

describe('transport_url', () => {
  const { transport_url } = messagingOptions.options;

  test('stays secret and takes what can be used', () => {
    expect(transport_url.settings.secret).toBe(true);
    expect(transport_url.parse(['rabbit://u:p@h1,u:p@h2/v'])).toBe('rabbit://u:p@h1,u:p@h2/v');
  });

  test('says what would be right instead of what cannot', () => {
    expect(() => transport_url.parse(['kafka://u:secret@h/'])).toThrow(/rabbit:.*kafka:\/\/ is not supported/);
    expect(() => transport_url.parse(['kafka://u:secret@h/'])).not.toThrow(/secret/);
  });
});
