import type { IncomingMessage } from 'node:http';
import type { Bytes } from '../bytes.js';
import { messageBytes } from './message-bytes.js';

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
    response.destroy();
  }
}
