import type { Bytes, Tap } from '@glance/store';
import { HEAD_SIZE, TAIL_SIZE, type Ends, type Format, type FormatName, type Region, type Unsafe } from './format.js';
import { formats } from './formats.js';
import { TailWindow } from './tail-window.js';

/** What the bytes of an image are. */
export interface FormatReport {
  /** Every format whose signature the bytes carry; `raw` alone when there is none. */
  readonly signatures: readonly FormatName[];
  /** The one that they are; null when several fit. A boot record in an ISO or in a fixed VHD is no second format. */
  readonly format: FormatName | null;
  /** Bytes that passed. */
  readonly size: number;
  /** Size of the disk that a guest sees, in bytes; null when unknown. */
  readonly virtualSize: number | null;
  readonly unsafe: readonly Unsafe[];
  /** False while bytes are still to come: sizes are not final then, and a fixed VHD has not shown its footer. */
  readonly complete: boolean;
}

/**
 * Recognises the format of an image from the bytes that pass, which it neither changes nor keeps (less than 220 KiB,
 * whatever they are). Never fails because of them: what it does not know is `raw`. `onHead` gets an incomplete report
 * as soon as the first 68 KiB are seen; if it throws, the stream ends with its error, before the rest is moved.
 */
export function inspectFormat(onHead?: (report: FormatReport) => void): Tap<FormatReport> {
  const inspection = new Inspection(onHead);
  return {
    through: (data) => watch(data, inspection),
    result: () => inspection.report(),
  };
}

/** By hand, because two generators more per chunk cost more than all the looking. */
function watch(data: Bytes, inspection: Inspection): Bytes {
  return {
    [Symbol.asyncIterator]() {
      const source = data[Symbol.asyncIterator]();
      const release = async (): Promise<IteratorReturnResult<undefined>> => {
        await source.return?.();
        return { done: true, value: undefined };
      };
      const next = async (): Promise<IteratorResult<Uint8Array>> => {
        const step = await source.next();
        try {
          if (step.done === true) inspection.finish();
          else inspection.look(step.value);
        } catch (refusal) {
          await release();
          throw refusal;
        }
        return step;
      };
      return { next, return: release };
    },
  };
}

class Inspection {
  readonly #head = Buffer.alloc(HEAD_SIZE);
  readonly #tail = new TailWindow(TAIL_SIZE);
  readonly #onHead: ((report: FormatReport) => void) | undefined;
  #size = 0;
  #complete = false;
  /** Looks for a virtual size behind the head, and what it waits for. */
  #search: Generator<Region, number | null, Buffer> | undefined;
  #wanted: { offset: number; bytes: Buffer } | undefined;
  #foundSize: number | null = null;

  constructor(onHead: ((report: FormatReport) => void) | undefined) {
    this.#onHead = onHead;
  }

  look(chunk: Uint8Array): void {
    const start = this.#size;
    this.#size += chunk.length;
    this.#tail.append(chunk);
    if (start < HEAD_SIZE) this.#lookAtHead(chunk, start);
    while (this.#wanted !== undefined && copyOverlap(this.#wanted, chunk, start)) this.#advance(this.#wanted.bytes);
  }

  finish(): void {
    this.#complete = true;
  }

  report(): FormatReport {
    const ends: Ends = {
      head: this.#head,
      tail: this.#complete ? this.#tail.bytes() : Buffer.alloc(TAIL_SIZE),
      size: this.#size,
      complete: this.#complete,
    };
    const found = formats.filter((format) => format.recognises(ends));
    const ownBootRecord = found.some((format) => format.ownsBootRecord?.(ends));
    const faces = found.filter((format) => format.name !== 'gpt' || !ownBootRecord);
    const [only] = faces.length === 1 ? faces : [];
    const virtualSize = only === undefined ? null : (only.read(ends).virtualSize ?? this.#foundSize);
    return {
      signatures: found.length === 0 ? ['raw'] : found.map((format) => format.name),
      format: only?.name ?? (faces.length === 0 ? 'raw' : null),
      size: ends.size,
      virtualSize: faces.length === 0 && ends.complete ? ends.size : virtualSize,
      unsafe: faces.flatMap((format) => dangers(format, ends)),
      complete: ends.complete,
    };
  }

  #lookAtHead(chunk: Uint8Array, start: number): void {
    this.#head.set(chunk.subarray(0, HEAD_SIZE - start), start);
    if (this.#size < HEAD_SIZE) return;
    const ends: Ends = { head: this.#head, tail: Buffer.alloc(TAIL_SIZE), size: this.#size, complete: false };
    const format = formats.find((candidate) => candidate.findVirtualSize !== undefined && candidate.recognises(ends));
    this.#search = format?.findVirtualSize?.();
    this.#advance(Buffer.alloc(0));
    this.#onHead?.(this.report());
  }

  #advance(bytes: Buffer): void {
    const step = this.#search?.next(bytes);
    this.#wanted = step === undefined || step.done === true ? undefined : request(step.value);
    if (step?.done === true) this.#foundSize = step.value;
  }
}

function request(region: Region): { offset: number; bytes: Buffer } {
  return { offset: region.offset, bytes: Buffer.alloc(region.length) };
}

/** Copies what `chunk`, which begins at `start`, has of the wanted bytes; true when nothing more of them can come. */
function copyOverlap(wanted: { offset: number; bytes: Buffer }, chunk: Uint8Array, start: number): boolean {
  const from = Math.max(wanted.offset, start);
  const end = wanted.offset + wanted.bytes.length;
  const to = Math.min(end, start + chunk.length);
  if (from < to) wanted.bytes.set(chunk.subarray(from - start, to - start), from - wanted.offset);
  return end <= start + chunk.length;
}

function dangers(format: Format, ends: Ends): Unsafe[] {
  const unsafe = format.read(ends).unsafe.map((danger) => ({ format: format.name, ...danger }));
  if (ends.complete && ends.size < format.headerSize) {
    const reason = `it ends after ${ends.size} bytes, inside its header`;
    unsafe.push({ format: format.name, check: 'header', reason, remedy: 'upload the whole file' });
  }
  return unsafe;
}
