import type { ChannelModel, Replies } from 'amqplib';

/** Who reads a queue, and how many messages wait in it; undefined if there is no such queue. */
export async function queueState(model: ChannelModel, queue: string): Promise<Replies.AssertQueue | undefined> {
  // Asking for a queue that does not exist closes the channel.
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  try {
    const state = await channel.checkQueue(queue);
    await channel.close();
    return state;
  } catch (error) {
    if ((error as { code?: number }).code === 404) return undefined;
    throw error;
  }
}
