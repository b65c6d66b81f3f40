import type { Options } from 'amqplib';
import type { RabbitSettings } from './config.js';

/** How the queues of calls are declared. */
export function queueOptions(settings: RabbitSettings): Options.AssertQueue {
  const { rabbitQuorumQueue, amqpDurableQueues, rpcQueueLength, rpcResponseTimeout } = settings;
  return {
    durable: amqpDurableQueues || rabbitQuorumQueue,
    maxLength: rpcQueueLength,
    overflow: 'reject-publish',
    // Once nobody can be waiting for what is in it, the queue goes, and callers learn that no registry is there.
    expires: rpcResponseTimeout * 1_000,
    arguments: rabbitQuorumQueue ? { 'x-queue-type': 'quorum' } : {},
  };
}
