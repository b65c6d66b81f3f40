import { ServiceError } from '@glance/domain';
import type { Bytes } from './bytes.js';

/** Counts what arrives for one write and what reaches its driver, and stops it when it is too much or too little. */
export class Intake {
  readonly #announced: number | undefined;
  readonly #maxSize: number;
  /** Bytes that reached the driver. */
  stored = 0;
  /** The driver has had all bytes. */
  complete = false;
  /** What went wrong on the way to the driver: that is why a write fails, however the driver puts it. */
  failure: Error | undefined;

  constructor(announced: number | undefined, maxSize: number) {
    this.#announced = announced;
    this.#maxSize = maxSize;
    if (announced !== undefined && announced > maxSize) throw this.#tooLarge();
  }

  /** What the sender announced holds for what arrives. */
  async *arriving(data: Bytes): Bytes {
    const announced = this.#announced;
    let received = 0;
    for await (const chunk of data) {
      received += chunk.length;
      if (announced !== undefined && received > announced) {
        throw new ServiceError('SizeMismatch', `More than the announced ${announced} bytes arrived.`);
      }
      yield chunk;
    }
    if (announced !== undefined && received < announced) {
      throw new ServiceError('SizeMismatch', `Only ${received} of the announced ${announced} bytes arrived.`);
    }
  }

  /** The limit holds for what is stored, which a tap may have made of it. */
  async *leaving(data: Bytes): Bytes {
    try {
      for await (const chunk of data) {
        this.stored += chunk.length;
        if (this.stored > this.#maxSize) throw this.#tooLarge();
        yield chunk;
      }
      this.complete = true;
    } catch (error) {
      this.failure = error as Error;
      throw error;
    }
  }

  #tooLarge(): ServiceError {
    return new ServiceError('LimitExceeded', `The data is larger than the ${this.#maxSize} bytes that are allowed.`);
  }
}
