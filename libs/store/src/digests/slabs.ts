/** Memory that threads read without a copy. */
export interface Slab {
  readonly memory: SharedArrayBuffer;
  readonly bytes: Uint8Array;
}

/** Bytes. Large enough that handing a slab to a thread costs nothing against hashing it. */
export const slabSize = 1024 * 1024;

/** Slabs that one stream may always have: one being filled, one hashed and consumed. More make up for a halting one. */
const own = 2;
const most = 6;
/** In all streams together, beyond which each has but its own. */
const total = 16;

const maxIdle = 32;
const idle: Slab[] = [];
let lent = 0;

/** A slab with arbitrary contents for a stream that has `held`; none if that are as many as it may have now. */
export function takeSlab(held: number): Slab | undefined {
  if (held >= most || (held >= own && lent >= total)) return undefined;
  lent++;
  const used = idle.pop();
  if (used) return used;
  const memory = new SharedArrayBuffer(slabSize);
  return { memory, bytes: new Uint8Array(memory) };
}

/**
 * Gives back a slab that nobody reads any more. Slabs are used again because the garbage collectors of the threads,
 * which have little else to do, would keep the memory of thrown away ones for long.
 */
export function giveSlab(slab: Slab): void {
  lent--;
  if (idle.length < maxIdle) idle.push(slab);
}
