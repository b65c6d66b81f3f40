import { isServiceError } from '@glance/domain';
import type { Bytes } from './bytes.js';

/**
 * `data`, and when its store breaks off, what `goOn` opens for the bytes after those that were already sent; until that
 * has nothing more to offer. Other failures, and those after `signal` has fired, stay what they are.
 */
export async function* continued(
  data: Bytes,
  signal: AbortSignal,
  goOn: (sent: number) => Promise<Bytes | undefined>,
): Bytes {
  let sent = 0;
  let current = data;
  for (;;) {
    try {
      for await (const chunk of current) {
        sent += chunk.length;
        yield chunk;
      }
      return;
    } catch (error) {
      if (signal.aborted || !isServiceError(error, 'StoreUnavailable', 'DataNotFound')) throw error;
      const next = await goOn(sent).catch(() => undefined);
      if (!next) throw error;
      current = next;
    }
  }
}
