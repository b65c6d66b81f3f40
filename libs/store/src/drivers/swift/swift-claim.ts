import { randomUUID } from 'node:crypto';
import { isServiceError } from '@glance/domain';
import type { SwiftClient } from './swift-client.js';
import { dataArrives, discarded } from '../../store-error.js';

/** Who stores an image, and where: an object of its own in the account of the service. */
export interface ClaimFacts {
  readonly token: string;
  /** URL of the container of the image. */
  readonly container: string;
}

/** The right to store an image, held by one at a time, and gone when somebody discards the image. */
export class SwiftClaim {
  readonly #client: SwiftClient;
  readonly #url: string;
  readonly facts: ClaimFacts;

  private constructor(client: SwiftClient, url: string, facts: ClaimFacts) {
    this.#client = client;
    this.#url = url;
    this.facts = facts;
  }

  /** Fails with `DataExists` where somebody has the right. */
  static async take(client: SwiftClient, url: string, container: string, signal: AbortSignal): Promise<SwiftClaim> {
    const claim = new SwiftClaim(client, url, { token: randomUUID(), container });
    const headers = { 'if-none-match': '*', 'content-type': 'application/json' };
    if (await SwiftClaim.read(client, url, signal)) throw dataArrives();
    await client
      .ask({ method: 'PUT', url, headers, body: JSON.stringify(claim.facts), signal })
      .catch((error: unknown) => {
        // An answer that was lost is asked for again, and then the object is there.
        if (!isServiceError(error, 'DataExists')) throw error;
      });
    await claim.confirm(signal);
    return claim;
  }

  /** Whose right it is; nothing if it is nobody's. */
  static async read(client: SwiftClient, url: string, signal: AbortSignal): Promise<ClaimFacts | undefined> {
    try {
      const { body } = await client.ask({ method: 'GET', url, signal });
      return JSON.parse(body) as ClaimFacts;
    } catch (error) {
      if (isServiceError(error, 'DataNotFound')) return undefined;
      throw error;
    }
  }

  /** Fails when the right is not held any more. */
  async confirm(signal: AbortSignal): Promise<void> {
    const now = await SwiftClaim.read(this.#client, this.#url, signal);
    if (!now) throw discarded();
    if (now.token !== this.facts.token) throw dataArrives();
  }

  /** Gives the right up, unless it is somebody else's now. */
  async release(signal: AbortSignal): Promise<void> {
    const now = await SwiftClaim.read(this.#client, this.#url, signal);
    if (now?.token === this.facts.token) await this.#client.ask({ method: 'DELETE', url: this.#url, signal });
  }
}
