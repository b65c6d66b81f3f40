import { once } from 'node:events';
import { connect, type OnReadOpts, type Socket } from 'node:net';
import type { Bytes } from '@glance/store';

// https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md: fixed newstyle, structured replies.
const optionMagic = Buffer.from('IHAVEOPT');
const replyMagic = 0x3e889045565a9n;
const requestMagic = 0x25609513;
const chunkMagic = 0x668e33ef;
const option = { go: 7, structuredReply: 8 } as const;
const reply = { ack: 1, info: 3 } as const;
const chunkType = { data: 1, hole: 2 } as const;
const failureBit = 0x8000;
const lastChunk = 1;
/** Bytes that an error may come with. */
const mostDetails = 64 * 1024;

const readSize = 2 * 1024 * 1024;
const readsInFlight = 4;

interface Reading {
  readonly buffer: Buffer;
  readonly offset: number;
  readonly length: number;
  readonly done: PromiseWithResolvers<void>;
}

/** A disk that an NBD server on a Unix socket shows, read from start to end with several requests under way. */
export class NbdExport {
  readonly #socket: Socket;
  readonly #input: Input;
  readonly #reading = new Map<bigint, Reading>();
  readonly #head = Buffer.allocUnsafe(20);
  readonly #place = Buffer.allocUnsafe(12);
  #nextHandle = 0n;
  #failure: Error | undefined;

  private constructor(
    socket: Socket,
    input: Input,
    /** Bytes. */
    readonly size: number,
  ) {
    this.#socket = socket;
    this.#input = input;
  }

  static async connect(path: string): Promise<NbdExport> {
    const input = new Input();
    const socket = connect({ path, onread: input.onread });
    const closed = once(socket, 'close').then(() => {
      throw new Error('The NBD server closed the connection.');
    });
    closed.catch(() => undefined);
    try {
      await once(socket, 'connect');
      const disk = new NbdExport(socket, input, await Promise.race([negotiate(socket, input), closed]));
      closed.catch((error: unknown) => disk.#fail(error as Error));
      return disk;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** All of it. A chunk's memory is used again once the next one is pulled. */
  async *bytes(): Bytes {
    const buffers: Buffer[] = Array.from({ length: readsInFlight + 1 }, () => Buffer.allocUnsafeSlow(readSize));
    const ahead: Reading[] = [];
    let next = 0;
    const fill = (): void => {
      while (next < this.size && ahead.length < readsInFlight && buffers.length > 0) {
        const length = Math.min(readSize, this.size - next);
        ahead.push(this.#request(buffers.pop()!, next, length));
        next += length;
      }
    };
    try {
      this.#receive();
      fill();
      while (ahead.length > 0) {
        const reading = ahead.shift()!;
        await reading.done.promise;
        yield reading.buffer.subarray(0, reading.length);
        buffers.push(reading.buffer);
        fill();
      }
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #request(buffer: Buffer, offset: number, length: number): Reading {
    const handle = this.#nextHandle++;
    const reading = { buffer, offset, length, done: Promise.withResolvers<void>() };
    // Whether it failed is asked when its turn comes.
    reading.done.promise.catch(() => undefined);
    if (this.#failure) {
      reading.done.reject(this.#failure);
      return reading;
    }
    this.#reading.set(handle, reading);
    const request = Buffer.alloc(28);
    request.writeUInt32BE(requestMagic, 0);
    request.writeBigUInt64BE(handle, 8);
    request.writeBigUInt64BE(BigInt(offset), 16);
    request.writeUInt32BE(length, 24);
    this.#socket.write(request);
    return reading;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { done } of this.#reading.values()) done.reject(this.#failure);
    this.#reading.clear();
    this.close();
  }

  #expect(target: Buffer, then: (bytes: Buffer) => void): void {
    this.#input.expect(target, (bytes) => {
      try {
        then(bytes);
      } catch (error) {
        this.#fail(error as Error);
      }
    });
  }

  /** One chunk of a reply, and then the next. */
  #receive(): void {
    this.#expect(this.#head, (head) => {
      if (head.readUInt32BE(0) !== chunkMagic) throw new Error('The NBD server sent what is no reply.');
      const [flags, type] = [head.readUInt16BE(4), head.readUInt16BE(6)];
      const [handle, length] = [head.readBigUInt64BE(8), head.readUInt32BE(16)];
      const reading = this.#reading.get(handle);
      if (!reading) throw new Error('The NBD server answered what was not asked.');
      const end = (): void => {
        if ((flags & lastChunk) !== 0) {
          this.#reading.delete(handle);
          reading.done.resolve();
        }
        this.#receive();
      };
      if (type === chunkType.data) this.#data(reading, length - 8, end);
      else if (type === chunkType.hole) this.#hole(reading, end);
      else this.#others(type, length, end);
    });
  }

  #data(reading: Reading, size: number, end: () => void): void {
    this.#expect(this.#place.subarray(0, 8), (place) => this.#expect(within(reading, place, size), end));
  }

  #hole(reading: Reading, end: () => void): void {
    this.#expect(this.#place, (place) => {
      within(reading, place, place.readUInt32BE(8)).fill(0);
      end();
    });
  }

  #others(type: number, length: number, end: () => void): void {
    if (length > mostDetails) throw new Error('The NBD server sent more than was asked for.');
    this.#expect(Buffer.allocUnsafe(length), (details) => {
      if ((type & failureBit) !== 0)
        throw new Error(`The NBD server could not read: errno ${details.readUInt32BE(0)}.`);
      end();
    });
  }
}

/** The part of what was asked for that a chunk has. */
function within({ buffer, offset, length }: Reading, place: Buffer, size: number): Buffer {
  const where = Number(place.readBigUInt64BE(0)) - offset;
  if (where >= 0 && size >= 0 && where + size <= length) return buffer.subarray(where, where + size);
  throw new Error('The NBD server sent more than was asked for.');
}

async function negotiate(socket: Socket, input: Input): Promise<number> {
  const greeting = await input.take(18);
  if (greeting.toString('latin1', 0, 8) !== 'NBDMAGIC') throw new Error('This is no NBD server.');
  // Fixed newstyle, and no padding.
  socket.write(Buffer.from([0, 0, 0, 3]));
  ask(socket, option.structuredReply, Buffer.alloc(0));
  await answer(input);
  // The export without a name, and no information besides what always comes.
  ask(socket, option.go, Buffer.alloc(6));
  let size: number | undefined;
  for (;;) {
    const { type, data } = await answer(input);
    if (type === reply.info && data.readUInt16BE(0) === 0) size = Number(data.readBigUInt64BE(2));
    if (type !== reply.ack) continue;
    if (size === undefined) throw new Error('The NBD server does not say how large its disk is.');
    return size;
  }
}

function ask(socket: Socket, code: number, data: Buffer): void {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(code, 0);
  head.writeUInt32BE(data.length, 4);
  socket.write(Buffer.concat([optionMagic, head, data]));
}

async function answer(input: Input): Promise<{ type: number; data: Buffer }> {
  const head = await input.take(20);
  if (head.readBigUInt64BE(0) !== replyMagic) throw new Error('This is no NBD server.');
  const type = head.readUInt32BE(12);
  const data = await input.take(head.readUInt32BE(16));
  if (type >= 0x80000000) throw new Error(`The NBD server refused: ${data.toString()}`);
  return { type, data };
}

/** What a socket receives, read by the system to where whoever expects it wants it. */
class Input {
  #target: Buffer | undefined;
  #filled = 0;
  #then: ((bytes: Buffer) => void) | undefined;
  /** What came while nobody expected anything. */
  #early = Buffer.alloc(0);
  readonly #spare = Buffer.allocUnsafeSlow(4096);

  readonly onread: OnReadOpts = {
    // Of the next read: what is expected after it was asked for gets the data from the spare one.
    buffer: () => this.#target?.subarray(this.#filled) ?? this.#spare,
    callback: (length, buffer) => {
      if (buffer === this.#spare) {
        this.#early = Buffer.concat([this.#early, this.#spare.subarray(0, length)]);
        if (this.#target) this.#useEarly(this.#target);
      } else this.#took(length);
      return true;
    },
  };

  /** Fills `target`, and hands it to `then`; one at a time. */
  expect(target: Buffer, then: (bytes: Buffer) => void): void {
    [this.#target, this.#filled, this.#then] = [target, 0, then];
    this.#useEarly(target);
  }

  take(length: number): Promise<Buffer> {
    return new Promise((resolve) => this.expect(Buffer.allocUnsafe(length), resolve));
  }

  #useEarly(target: Buffer): void {
    const length = this.#early.copy(target, this.#filled);
    this.#early = this.#early.subarray(length);
    this.#took(length);
  }

  #took(length: number): void {
    this.#filled += length;
    const [target, then] = [this.#target!, this.#then!];
    if (this.#filled < target.length) return;
    this.#target = undefined;
    then(target);
  }
}
