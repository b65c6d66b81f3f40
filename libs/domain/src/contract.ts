/** What a caller must know of a remote method besides its types. */
export interface CallOptions {
  /** Milliseconds after which nobody waits for the answer any more. */
  readonly timeout: number;
  /** Whether a call whose answer was lost may simply be sent again. */
  readonly idempotent: boolean;
}

/** Keys of `T` that are methods. */
export type MethodOf<T> = { [K in keyof T]: T[K] extends (...args: never[]) => Promise<unknown> ? K : never }[keyof T] &
  string;

/** A remote interface: the type says what is called, the table how. Arguments and results are JSON. */
export interface Contract<T> {
  readonly name: string;
  readonly methods: { readonly [K in MethodOf<T>]: CallOptions };
  /** Never set: ties the contract to its interface. */
  readonly interface?: T;
}

/** Declares the remote interface `T`; leaving a method out does not compile. */
export function defineContract<T>(name: string, methods: Contract<T>['methods']): Contract<T> {
  return { name, methods };
}
