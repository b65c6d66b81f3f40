import type { IncomingMessage } from 'node:http';
import { ServiceError } from '@glance/domain';
import type { Bytes } from '@glance/store';

/** Bytes that may wait in memory for whoever pulls them, beyond what the socket holds. */
const readAhead = 1024 * 1024;

/**
 * The body of a request, pulled. Other than the stream's own iterator it leaves the connection alone when it is not
 * read to its end, so that the client still gets an answer. Fails with `broken()` when the sender goes away.
 */
export async function* requestBytes(request: IncomingMessage, broken: () => Error = clientGone): Bytes {
  if (request.readableEnded) return;
  const chunks: Uint8Array[] = [];
  let waiting = 0;
  const end: { as?: 'complete' | 'broken' } = request.destroyed && !request.complete ? { as: 'broken' } : {};
  let wake: (() => void) | undefined;

  const onData = (chunk: Uint8Array): void => {
    chunks.push(chunk);
    waiting += chunk.length;
    if (waiting >= readAhead) request.pause();
    wake?.();
  };
  const onEnd = (): void => {
    end.as = 'complete';
    wake?.();
  };
  const onClose = (): void => {
    end.as ??= 'broken';
    wake?.();
  };
  request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  request.resume();
  try {
    for (;;) {
      const chunk = chunks.shift();
      if (chunk) {
        waiting -= chunk.length;
        if (waiting < readAhead / 2 && request.isPaused()) request.resume();
        yield chunk;
        release(chunk);
      } else if (!end.as) {
        await new Promise<void>((resolve) => (wake = resolve));
      } else if (end.as === 'complete') {
        return;
      } else {
        throw broken();
      }
    }
  } finally {
    // A late error has nobody left to hear it, so its listener stays. What still comes is thrown away.
    request.off('data', onData).off('end', onEnd).off('close', onClose);
    if (!end.as) request.resume();
  }
}

const clientGone = (): Error => new ServiceError('Cancelled', 'The client went away before it had sent everything.');

/** Gives the memory back at once. Left to the garbage collector, a gigabyte of chunks costs it dozens of rounds. */
function release({ buffer, byteLength }: Uint8Array): void {
  // A chunk of Node's parser is alone in its memory; one that is not stays as it is.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
