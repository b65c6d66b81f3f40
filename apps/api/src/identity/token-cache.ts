import { createHash } from 'node:crypto';

interface Entry<T> {
  readonly value: Promise<T>;
  /** Milliseconds, as `Date.now()`; unknown while the question is under way. */
  until: number;
}

/** Remembers answers about tokens. One token that many ask about at once is one question. */
export class TokenCache<T> {
  private readonly entries = new Map<string, Entry<T>>();

  /** `lifetime` tells how long an answer holds, in milliseconds; `capacity` answers are kept, the latest. */
  constructor(
    private readonly lifetime: (answer: T) => number,
    private readonly capacity = 10_000,
  ) {}

  /** The remembered answer, or that of `ask`. A question that fails is not remembered. */
  get(token: string, ask: () => Promise<T>): Promise<T> {
    // A memory dump or a heap snapshot shows no token.
    const key = createHash('sha256').update(token).digest('base64');
    const known = this.entries.get(key);
    if (known && known.until > Date.now()) return known.value;
    const entry: Entry<T> = { value: ask(), until: Infinity };
    this.entries.delete(key);
    this.entries.set(key, entry);
    if (this.entries.size > this.capacity) this.entries.delete(this.entries.keys().next().value!);
    entry.value.then(
      (answer) => (entry.until = Date.now() + this.lifetime(answer)),
      () => this.entries.get(key) === entry && this.entries.delete(key),
    );
    return entry.value;
  }
}
