import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ServiceError } from './errors.js';
import { holdLease } from './held-lease.js';

const lease = { token: 't', expiresIn: 30 };
const aborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason)));

describe('a held lease', () => {
  it('is renewed again and again until it is released', async () => {
    const renewals = Promise.withResolvers<void>();
    let count = 0;
    const held = holdLease(
      {
        renewLease: async () => {
          if (++count === 3) renewals.resolve();
          return lease;
        },
      },
      lease,
    );
    await renewals.promise;
    held.release();
    const after = count;
    await sleep(lease.expiresIn * 2);
    expect(count).toBe(after);
    expect(held.signal.aborted).toBe(false);
  });

  it('tells at once when somebody else has it', async () => {
    const gone = new ServiceError('Gone', 'The image was deleted.');
    const held = holdLease({ renewLease: () => Promise.reject(gone) }, lease);
    expect(await aborted(held.signal)).toBe(gone);
    await expect(held.confirm()).rejects.toBe(gone);
  });

  it('survives a registry that is away for less than the term, and not one that is away for longer', async () => {
    let calls = 0;
    const started = performance.now();
    const away = new ServiceError('Unavailable', 'No registry answers.');
    const held = holdLease(
      {
        renewLease: async () => {
          calls++;
          throw away;
        },
      },
      lease,
    );
    expect(held.held).toBe(true);
    expect(await aborted(held.signal)).toBe(away);
    expect(held.held).toBe(false);
    expect(calls).toBeGreaterThan(1);
    expect(performance.now() - started).toBeGreaterThanOrEqual(lease.expiresIn);
  });
});
