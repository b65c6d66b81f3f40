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
  const { socket } = response;
  // What the socket read: called after Node's parser, which has copied the body out of it.
  socket.on('data', release);
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
    socket.off('data', release);
    response.destroy();
  }
}
