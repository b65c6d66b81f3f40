import { isServiceError } from './errors.js';
import type { Images, Lease } from './images.js';

/** A lease that is renewed in the background for as long as the work goes on. */
export interface HeldLease {
  readonly token: string;
  /** Fires, with the reason, once the lease is lost or can no longer be known to be ours: stop at once. */
  readonly signal: AbortSignal;
  /** Whether nobody else can have it yet. */
  readonly held: boolean;
  /**
   * Resolves when the lease has just been renewed: its whole term lies ahead. Rejects if it is lost, or if the quota of
   * the project has no room for the `size` bytes that the work turned out to be about.
   */
  confirm(size?: number): Promise<void>;
  /** Stops renewing. */
  release(): void;
}

/** Renews `lease` three times per term. A registry that does not answer is asked again until the term is over. */
export function holdLease(images: Pick<Images, 'renewLease'>, lease: Lease): HeldLease {
  const controller = new AbortController();
  const { token } = lease;
  let term = lease.expiresIn;
  let expiresAt = performance.now() + term;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const renew = async (size?: number): Promise<void> => {
    // Counted from before the question, so that a slow answer never makes the lease look longer than it is.
    const asked = performance.now();
    const renewed = await images.renewLease(token, size);
    term = renewed.expiresIn;
    expiresAt = asked + term;
  };
  const schedule = (): void => {
    timer = setTimeout(() => {
      renew()
        .catch((error: unknown) => {
          const lost = !isServiceError(error, 'Unavailable') || performance.now() >= expiresAt;
          if (lost) controller.abort(error);
        })
        .finally(() => {
          if (timer !== undefined && !controller.signal.aborted) schedule();
        });
    }, term / 3);
  };
  schedule();

  return {
    token,
    signal: controller.signal,
    get held() {
      return performance.now() < expiresAt;
    },
    confirm: renew,
    release() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
