import { randomUUID } from 'node:crypto';
import type { Channel, ChannelModel } from 'amqplib';
import type { Contract, Finding } from '@glance/domain';
import { atMost } from './at-most.js';
import type { RabbitSettings } from './config.js';
import { dial } from './dial.js';
import { queueOptions } from './queue-options.js';
import { queueState } from './queue-state.js';
import type { RabbitHost } from './transport-url.js';
import { queueOf } from './wire.js';

const goodbyeTime = 1_000;

/**
 * Everything that calls and notifications need of the broker: each host and its login, the rights by an exchange and a
 * queue that are made and removed again, and the queues of `contracts` as far as they are there.
 */
export async function* examineBroker(
  settings: RabbitSettings,
  contracts: readonly Contract<unknown>[],
): AsyncIterable<Finding> {
  let model: ChannelModel | undefined;
  try {
    for (const host of settings.url.hosts) {
      const fact = `${host.hostname}:${host.port} lets ${host.username} into the virtual host ${settings.url.virtualHost}`;
      try {
        const reached = await dial(settings, host);
        reached.on('error', () => undefined);
        if (model) await leave(reached);
        model ??= reached;
        yield { fact };
      } catch (error) {
        yield { fact, ...whyRefused(error, settings, host) };
      }
    }
    if (!model) return;
    yield await rights(model, settings);
    for (const contract of contracts) yield* queue(model, queueOf(settings, contract), settings);
  } finally {
    if (model) await leave(model);
  }
}

const leave = (model: ChannelModel): Promise<unknown> => atMost(goodbyeTime, model.close());

function whyRefused(error: unknown, { url, ssl }: RabbitSettings, host: RabbitHost): Omit<Finding, 'fact'> {
  const { message, code } = error as NodeJS.ErrnoException;
  const [place, vhost, user] = [`${host.hostname}:${host.port}`, url.virtualHost, host.username];
  const permit = `rabbitmqctl set_permissions --vhost ${vhost} ${user} '.*' '.*' '.*'`;
  if (/ACCESS[-_]REFUSED/.test(message)) {
    return {
      problem: `transport_url: ${place} refuses the login of ${user}: there is no such user, or with another password`,
      remedy: `rabbitmqctl add_user ${user}   # asks for the password\nrabbitmqctl change_password ${user}\n${permit}`,
    };
  }
  // amqplib does not pass on the reason for which a virtual host is not opened.
  if (message.includes('ConnectionOpenOk')) {
    return {
      problem: `transport_url: there is no virtual host ${vhost}, or ${user} may not use it`,
      remedy: `rabbitmqctl add_vhost ${vhost}\n${permit}`,
    };
  }
  return {
    problem: `transport_url: ${place} does not answer as a message broker${ssl ? ' with TLS' : ''} (${code ?? message})`,
    remedy: `rabbitmq-diagnostics listeners   # on ${host.hostname}`,
  };
}

/** Names begin as those of the service do, for rights may depend on them. */
async function rights(model: ChannelModel, settings: RabbitSettings): Promise<Finding> {
  const { controlExchange, rabbitQuorumQueue: quorum, url } = settings;
  const { username } = url.hosts[0]!;
  const name = `${controlExchange}.doctor-${randomUUID()}`;
  const fact = `${username} can declare exchanges and ${quorum ? 'quorum ' : ''}queues, publish and read`;
  try {
    const channel = await model.createConfirmChannel();
    channel.on('error', () => undefined);
    await channel.assertExchange(name, 'topic', { autoDelete: true });
    await channel.assertQueue(name, { ...queueOptions(settings), expires: 60_000 });
    await channel.bindQueue(name, name, '#');
    channel.publish(name, 'doctor', Buffer.from('doctor'));
    channel.sendToQueue(name, Buffer.from('doctor'));
    await channel.waitForConfirms();
    await channel.get(name, { noAck: true });
    await channel.deleteQueue(name);
    await channel.close();
    return { fact };
  } catch (error) {
    const { message, code } = error as Error & { code?: number };
    if (code === 403) {
      const remedy = `rabbitmqctl set_permissions --vhost ${url.virtualHost} ${username} '.*' '.*' '.*'`;
      return { fact, problem: `${username} lacks rights (${message})`, remedy };
    }
    const problem = `${quorum ? 'rabbit_quorum_queue: ' : ''}the broker refuses what the service declares (${message})`;
    return { fact, problem, remedy: 'rabbitmqctl version   # quorum queues need 3.10 or newer' };
  }
}

async function* queue(model: ChannelModel, name: string, settings: RabbitSettings): AsyncIterable<Finding> {
  const state = await queueState(model, name);
  if (!state) return;
  const fact = `${state.consumerCount} registries read the queue ${name}, where ${state.messageCount} calls wait`;
  yield { fact, ...(await madeOtherwise(model, name, settings)) };
}

async function madeOtherwise(
  model: ChannelModel,
  name: string,
  settings: RabbitSettings,
): Promise<Omit<Finding, 'fact'>> {
  let channel: Channel | undefined;
  try {
    channel = await model.createChannel();
    channel.on('error', () => undefined);
    await channel.assertQueue(name, queueOptions(settings));
    await channel.close();
    return {};
  } catch (error) {
    const { message } = error as Error;
    return {
      problem: `the queue ${name} was made with other options than rabbit_quorum_queue and its kin say now (${message})`,
      remedy: `rabbitmqctl delete_queue --vhost ${settings.url.virtualHost} ${name}   # registries make it again`,
    };
  }
}
