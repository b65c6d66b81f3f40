import type { ChannelModel } from 'amqplib';

/** How many consumers a queue has; undefined if there is no such queue. */
export async function queueReaders(model: ChannelModel, queue: string): Promise<number | undefined> {
  // Asking for a queue that does not exist closes the channel.
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  try {
    const { consumerCount } = await channel.checkQueue(queue);
    await channel.close();
    return consumerCount;
  } catch (error) {
    if ((error as { code?: number }).code === 404) return undefined;
    throw error;
  }
}
