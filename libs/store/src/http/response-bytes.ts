import type { IncomingMessage } from 'node:http';
import type { Bytes } from '../bytes.js';
import { messageBytes, release } from './message-bytes.js';

/**
 * The body of a response, pulled. Fails when the server breaks off, or is silent for `patience` milliseconds while
 * somebody waits for it; whoever stops pulling ends the connection.
 */
export async function* responseBytes(response: IncomingMessage, patience: number): Bytes {
  let waiting = true;
  let silent = false;
  const timer = setTimeout(() => {
    if (!waiting) return;
    silent = true;
    response.destroy();
  }, patience);
  const letGo = releasingReads(response);
  const broken = (): Error =>
    new Error(silent ? `it was silent for ${patience / 1000} s` : 'it broke the connection', {
      cause: response.errored,
    });
  try {
    for await (const chunk of messageBytes(response, broken)) {
      waiting = false;
      yield chunk;
      waiting = true;
      timer.refresh();
    }
  } finally {
    clearTimeout(timer);
    letGo();
    response.destroy();
  }
}

/**
 * Gives back the memory of what the socket reads of a response, which Node's parser has copied the body out of by then.
 * Not of what comes later on the same connection: the parser of the next response would find nothing there.
 */
function releasingReads(response: IncomingMessage): () => void {
  if (response.complete) return () => undefined;
  const { socket } = response;
  const stop = (): void => void socket.off('data', onRead);
  const onRead = (read: Uint8Array): void => {
    release(read);
    if (response.complete) stop();
  };
  socket.on('data', onRead);
  return stop;
}
