export interface Run {
  readonly start: number;
  readonly end: number;
}

const piece = 64 * 1024;
const zeros = Buffer.alloc(piece);
/** A shorter run of zeros is written: to leave it out would cost more than it saves. */
const shortestHole = 4 * piece;

/** Where in the first `length` bytes there is something else than zeros, to 64 KiB. */
export function nonZeroRuns(buffer: Buffer, length: number): Run[] {
  const runs: { start: number; end: number }[] = [];
  for (let start = 0; start < length; start += piece) {
    const end = Math.min(start + piece, length);
    if (buffer.compare(zeros, 0, end - start, start, end) === 0) continue;
    const last = runs.at(-1);
    if (last && start - last.end < shortestHole) last.end = end;
    else runs.push({ start, end });
  }
  return runs;
}
