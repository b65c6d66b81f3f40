const END_OF_HEAD = Buffer.from('\r\n\r\n');
const END_OF_LINE = Buffer.from('\r\n');
const NOTHING = Buffer.alloc(0);

/**
 * Reads HTTP/1.1 responses, one after the other, from the pieces in which a socket delivers them. Knows only what a
 * measuring client needs: the status, where a body ends (Content-Length or chunked), and whether the server closes.
 */
export class ResponseReader {
  status = 0;
  bodyBytes = 0;
  closes = false;
  readonly #onBody: (piece: Buffer) => void;
  #pending = NOTHING;
  #left = 0;
  #chunked = false;
  #step: 'head' | 'body' | 'chunk-size' | 'trailer' = 'head';

  /** `onBody` gets the body piece by piece; the memory of a piece is the socket's again when it returns. */
  constructor(onBody: (piece: Buffer) => void) {
    this.#onBody = onBody;
  }

  /** True when the response is complete; the next piece then begins the next response. */
  push(piece: Buffer): boolean {
    let rest = piece;
    while (rest.length > 0) {
      if (this.#step === 'body') {
        rest = this.#body(rest);
        if (this.#left === 0 && !this.#chunked) return this.#finish();
        continue;
      }
      if (this.#pending.length > 0) rest = Buffer.concat([this.#pending, rest]);
      const delimiter = this.#step === 'head' ? END_OF_HEAD : END_OF_LINE;
      const end = rest.indexOf(delimiter);
      if (end === -1) {
        this.#pending = Buffer.from(rest);
        return false;
      }
      this.#pending = NOTHING;
      const text = rest.toString('latin1', 0, end);
      rest = rest.subarray(end + delimiter.length);
      if (this.#line(text)) return this.#finish();
    }
    return false;
  }

  #body(rest: Buffer): Buffer {
    const bytes = Math.min(this.#left, rest.length);
    this.#onBody(bytes === rest.length ? rest : rest.subarray(0, bytes));
    this.bodyBytes += bytes;
    this.#left -= bytes;
    if (this.#left === 0 && this.#chunked) this.#step = 'chunk-size';
    return rest.subarray(bytes);
  }

  /** True when the response ends with this line (or head). */
  #line(text: string): boolean {
    if (this.#step === 'head') return this.#head(text);
    if (this.#step === 'trailer') return text === '';
    // The empty line is the one that ends the data of the chunk before.
    if (text === '') return false;
    this.#left = Number.parseInt(text, 16);
    if (Number.isNaN(this.#left)) throw new Error(`The server sent a chunk of the size "${text.slice(0, 40)}".`);
    this.#step = this.#left === 0 ? 'trailer' : 'body';
    return false;
  }

  #head(text: string): boolean {
    if (!text.startsWith('HTTP/1.')) throw new Error(`This is no HTTP response: "${text.slice(0, 40)}".`);
    const head = text.toLowerCase();
    this.status = Number(head.slice(9, 12));
    this.bodyBytes = 0;
    if (this.status < 200) return false;
    this.closes = head.includes('\r\nconnection: close');
    this.#chunked = head.includes('\r\ntransfer-encoding: chunked');
    if (this.status === 204 || this.status === 304) return true;
    if (this.#chunked) {
      this.#step = 'chunk-size';
      return false;
    }
    const length = /\r\ncontent-length: *(\d+)/.exec(head);
    if (!length) throw new Error(`The length of this response is not announced: ${text.slice(0, 200)}`);
    this.#left = Number(length[1]);
    this.#step = 'body';
    return this.#left === 0;
  }

  #finish(): boolean {
    this.#step = 'head';
    return true;
  }
}
