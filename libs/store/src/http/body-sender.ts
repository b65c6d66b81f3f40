import type { ClientRequest, IncomingMessage } from 'node:http';

/** The body of a request on its way, and the answer to it. A server that is silent while somebody waits is given up. */
export class BodySender {
  readonly #request: ClientRequest;
  readonly #patience: number;
  #answer: IncomingMessage | undefined;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(request: ClientRequest, patience: number) {
    this.#request = request;
    this.#patience = patience;
    request.once('response', (answer) => {
      this.#answer = answer;
      this.#wake?.();
    });
    request.on('error', (error) => {
      this.#failure ??= error;
      this.#wake?.();
    });
  }

  /** Once the chunk is on its way, so that its memory may be used again. False: the server has answered, it wants no more. */
  async write(chunk: Uint8Array): Promise<boolean> {
    if (chunk.length === 0) return true;
    let written = false;
    this.#request.write(chunk, () => {
      written = true;
      this.#wake?.();
    });
    await this.#until(() => written || this.#answer !== undefined);
    return this.#answer === undefined;
  }

  async answer(): Promise<IncomingMessage> {
    await this.#until(() => this.#answer !== undefined);
    return this.#answer!;
  }

  async #until(done: () => boolean): Promise<void> {
    const silent = new Error(`The server was silent for ${this.#patience / 1000} s.`);
    const timer = setTimeout(() => this.#request.destroy(Object.assign(silent, { code: 'ETIMEDOUT' })), this.#patience);
    try {
      while (!done()) {
        if (this.#failure) throw this.#failure;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
