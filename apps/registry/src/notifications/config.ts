import { declare, integer, list, multi, text, type ValuesOf } from '@glance/config';
import {
  InvalidTransportUrl,
  type messagingOptions,
  type NotificationFormat,
  parseTransportUrl,
  type rabbitOptions,
  rabbitSettings,
  type RabbitSettings,
} from '@glance/rpc';

/** What becomes of a notification: a message in one of the formats of oslo.messaging, or a line in the log. */
type NotificationDriver = NotificationFormat | 'log';

const drivers: Readonly<Record<string, NotificationDriver | undefined>> = {
  messagingv2: 'messagingv2',
  messaging: 'messaging',
  log: 'log',
  noop: undefined,
  test: undefined,
};

/** Glance: files that were carried along for years name classes and modules of oslo instead. */
const formerDrivers: readonly (readonly [RegExp, string])[] = [
  [/(messagingv2driver|rpc_notifier2)$/i, 'messagingv2'],
  [/(messagingdriver|rpc_notifier)$/i, 'messaging'],
  [/(logdriver|log_notifier)$/i, 'log'],
  [/(noopdriver|testdriver|no_op_notifier|test_notifier)$/i, 'noop'],
  [/^$/, 'noop'],
];

function driverName(value: string): string {
  return formerDrivers.find(([pattern]) => pattern.test(value))?.[1] ?? value;
}

function objectionToDrivers(values: readonly string[]): string | undefined {
  const unknown = values.find((value) => !Object.hasOwn(drivers, driverName(value)));
  if (unknown === undefined) return undefined;
  return `one of ${Object.keys(drivers).join(', ')} (${unknown} is not supported)`;
}

function objectionToUrl(value: string): string | undefined {
  try {
    parseTransportUrl(value);
    return undefined;
  } catch (error) {
    if (error instanceof InvalidTransportUrl) return error.message;
    throw error;
  }
}

/** How the rest of the cloud is told of changes. */
export const notificationOptions = declare('oslo_messaging_notifications', {
  driver: multi({
    default: [],
    help:
      'What becomes of notifications: messagingv2 and messaging send them to the message broker, with and without an ' +
      'envelope; log writes them to the log; noop drops them. May be given several times. Without it there are none.',
    aliases: ['DEFAULT.notification_driver'],
    check: objectionToDrivers,
  }),
  transport_url: text({
    help: 'Message broker of the notifications, if it is not that of [DEFAULT] transport_url; in the same form.',
    secret: true,
    aliases: ['DEFAULT.notification_transport_url'],
    check: objectionToUrl,
  }),
  topics: list({
    default: ['notifications'],
    help: 'First words in the names of the queues: a notification goes to the queue <topic>.<priority> of each.',
    aliases: ['DEFAULT.notification_topics', 'rpc_notifier2.topics'],
  }),
  retry: integer({
    default: -1,
    min: -1,
    help: 'How often a notification that could not be delivered is tried again before it is dropped; -1 sets no limit.',
  }),
});

/** What notifications say of their sender, and which there are. */
export const publisherOptions = declare('DEFAULT', {
  default_publisher_id: text({
    default: 'image.localhost',
    help: 'What notifications name as their sender: by custom image.<host>.',
  }),
  disabled_notifications: list({
    default: [],
    help: 'Types of notifications that are not sent, such as image.send, or whole groups, such as image or task.',
  }),
});

/** All that is needed to notify. */
export interface NotificationSettings {
  /** Empty: nothing is recorded, and nothing is sent. */
  readonly drivers: readonly NotificationDriver[];
  readonly publisherId: string;
  /** Types, or first words of types. */
  readonly disabled: readonly string[];
  readonly topics: readonly string[];
  /** -1: no limit. */
  readonly retry: number;
  /** Set when a driver needs it. */
  readonly rabbit: RabbitSettings | undefined;
}

/** The settings for notifications from all options that have a say. */
export function notificationSettings(
  own: ValuesOf<typeof notificationOptions>,
  publisher: ValuesOf<typeof publisherOptions>,
  messaging: ValuesOf<typeof messagingOptions>,
  rabbit: ValuesOf<typeof rabbitOptions>,
): NotificationSettings {
  const chosen = new Set(
    own.driver.map((value) => drivers[driverName(value)]).filter((driver) => driver !== undefined),
  );
  // As oslo.messaging: a broker that nobody names is on this machine.
  const url = parseTransportUrl(own.transportUrl ?? messaging.transportUrl ?? 'rabbit://');
  if (url.transport === 'fake') {
    chosen.delete('messaging');
    chosen.delete('messagingv2');
  }
  const sends = chosen.has('messaging') || chosen.has('messagingv2');
  return {
    drivers: [...chosen],
    publisherId: publisher.defaultPublisherId,
    disabled: publisher.disabledNotifications,
    topics: own.topics,
    retry: own.retry,
    rabbit: sends ? rabbitSettings(url, messaging, rabbit) : undefined,
  };
}

/** No notifications at all. */
export const silence: NotificationSettings = {
  drivers: [],
  publisherId: '',
  disabled: [],
  topics: [],
  retry: -1,
  rabbit: undefined,
};
