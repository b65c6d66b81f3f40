import { describe, expect, it } from 'vitest';
import { type Declaration, load, parseCommandLine, type ValuesOf } from '@glance/config';
import { messagingOptions, rabbitOptions } from '@glance/rpc';
import { notificationOptions, type NotificationSettings, notificationSettings, publisherOptions } from './config.js';

const declarations = [notificationOptions, publisherOptions, messagingOptions, rabbitOptions] as readonly Declaration[];

/** The settings that follow from variables of the environment, which name options as `OS_<GROUP>__<OPTION>`. */
async function settings(env: Readonly<Record<string, string>>): Promise<NotificationSettings> {
  const program = { name: 'test', version: '1', summary: '', configFiles: [], declarations };
  const commandLine = parseCommandLine(program, []);
  if ('exitCode' in commandLine) throw new Error(commandLine.output);
  const config = await load({ program, commandLine, env });
  const read = <D extends Declaration>(declaration: D): ValuesOf<D> => config.read(declaration);
  return notificationSettings(
    read(notificationOptions),
    read(publisherOptions),
    read(messagingOptions),
    read(rabbitOptions),
  );
}
const group = 'OS_OSLO_MESSAGING_NOTIFICATIONS__';
const driver = (value: string, more = {}): Promise<NotificationSettings> =>
  settings({ [`${group}DRIVER`]: value, ...more });

describe('the options of notifications', () => {
  it('ask for none by default', async () => {
    expect(await settings({ OS_DEFAULT__TRANSPORT_URL: 'rabbit://somewhere/' })).toEqual({
      drivers: [],
      publisherId: 'image.localhost',
      disabled: [],
      topics: ['notifications'],
      retry: -1,
      rabbit: undefined,
    });
  });

  it.each([
    ['messagingv2', ['messagingv2']],
    ['messaging', ['messaging']],
    ['log', ['log']],
    ['noop', []],
    ['test', []],
    ['', []],
    ['oslo_messaging.notify.messaging:MessagingV2Driver', ['messagingv2']],
    ['oslo.messaging.notify._impl_messaging:MessagingDriver', ['messaging']],
    ['glance.openstack.common.notifier.rpc_notifier2', ['messagingv2']],
    ['nova.openstack.common.notifier.rpc_notifier', ['messaging']],
    ['nova.openstack.common.notifier.no_op_notifier', []],
    ['oslo_messaging.notify._impl_log:LogDriver', ['log']],
  ])('take the driver "%s" for %j', async (value, expected) => {
    expect((await driver(value)).drivers).toEqual(expected);
  });

  it.each(['routing', 'oslo_messaging.notify._impl_routing:RoutingDriver', 'mesaging', 'constructor'])(
    'refuse the driver %s, and say which there are',
    async (value) => {
      await expect(driver(value)).rejects.toThrow(
        `messagingv2, messaging, log, noop, test (${value} is not supported)`,
      );
    },
  );

  it('send to the broker of the calls unless another is named', async () => {
    const hosts = async (env: Readonly<Record<string, string>>) =>
      (await driver('messagingv2', env)).rabbit?.url.hosts.map(String);
    const calls = { OS_DEFAULT__TRANSPORT_URL: 'rabbit://calls/' };
    expect(await hosts(calls)).toEqual(['calls:5672']);
    expect(await hosts({ ...calls, [`${group}TRANSPORT_URL`]: 'rabbit://a,b/' })).toEqual(['a:5672', 'b:5672']);
    expect(await hosts({})).toEqual(['localhost:5672']);
  });

  it('send nothing where there is no broker, but write to the log even so', async () => {
    const fake = { OS_DEFAULT__TRANSPORT_URL: 'fake://' };
    expect(await driver('messagingv2', fake)).toMatchObject({ drivers: [], rabbit: undefined });
    expect(await driver('log', fake)).toMatchObject({ drivers: ['log'], rabbit: undefined });
  });
});
