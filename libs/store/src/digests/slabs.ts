/** Memory that threads read without a copy. */
export interface Slab {
  readonly memory: SharedArrayBuffer;
  readonly bytes: Uint8Array;
}

/** Bytes. Large enough that handing a slab to a thread costs nothing against hashing it. */
export const slabSize = 1024 * 1024;

const maxIdle = 64;
const idle: Slab[] = [];

/** A slab with arbitrary contents. */
export function takeSlab(): Slab {
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
  if (idle.length < maxIdle) idle.push(slab);
}
