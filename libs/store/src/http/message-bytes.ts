import type { IncomingMessage } from 'node:http';
import type { Bytes } from '../bytes.js';

/** Bytes that may wait in memory for whoever pulls them, beyond what the socket holds. */
const readAhead = 1024 * 1024;

/**
 * The body of an HTTP message, pulled. Other than the stream's own iterator it leaves the connection alone when it is not
 * read to its end, so that a client still gets an answer. Fails with `broken()` when the sender goes away.
 */
export async function* messageBytes(message: IncomingMessage, broken: () => Error): Bytes {
  if (message.readableEnded) return;
  const chunks: Uint8Array[] = [];
  let waiting = 0;
  const end: { as?: 'complete' | 'broken' } = message.destroyed && !message.complete ? { as: 'broken' } : {};
  let wake: (() => void) | undefined;

  const onData = (chunk: Uint8Array): void => {
    chunks.push(chunk);
    waiting += chunk.length;
    if (waiting >= readAhead) message.pause();
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
  message.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  message.resume();
  try {
    for (;;) {
      const chunk = chunks.shift();
      if (chunk) {
        waiting -= chunk.length;
        if (waiting < readAhead / 2 && message.isPaused()) message.resume();
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
    message.off('data', onData).off('end', onEnd).off('close', onClose);
    if (!end.as) message.resume();
  }
}

/** Gives the memory back at once. Left to the garbage collector, a gigabyte of chunks costs it dozens of rounds. */
export function release({ buffer, byteLength }: Uint8Array): void {
  // A chunk of Node's parser is alone in its memory; one that is not stays as it is.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
