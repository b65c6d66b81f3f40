import type { ServerResponse } from 'node:http';
import { ServiceError } from '@glance/domain';
import type { Bytes } from '@glance/store';

/**
 * Sends exactly `length` bytes of `data` as the body of a response whose header is set, and ends it. A chunk is given
 * back to whoever made it only after the socket has taken it. Fails when there are too few bytes, or nobody reads. In any
 * case `ended` is told how many bytes the socket has taken.
 */
export async function sendBytes(
  response: ServerResponse,
  data: Bytes,
  length: number,
  ended: (sent: number) => void = () => undefined,
): Promise<void> {
  let fail: (error: Error) => void = () => undefined;
  const onClose = (): void => fail(new ServiceError('Cancelled', 'The client went away before it had everything.'));
  response.once('close', onClose);
  let left = length;
  try {
    if (left === 0) response.end();
    else {
      for await (const chunk of data) {
        const piece = chunk.length > left ? chunk.subarray(0, left) : chunk;
        await new Promise<void>((resolve, reject) => {
          fail = reject;
          const taken = (error?: Error | null): void => (error ? onClose() : resolve());
          if (response.destroyed) onClose();
          // Nothing may follow the last byte: a client that has it may go at once, and that is no failure.
          else if (piece.length === left) response.end(piece, taken);
          else response.write(piece, taken);
        });
        left -= piece.length;
        if (left === 0) break;
      }
    }
    if (left > 0) throw new ServiceError('DataNotFound', `The store ended ${left} bytes before the end of the image.`);
  } finally {
    response.off('close', onClose);
    ended(length - left);
  }
}
