import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
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
  #nextHandle = 0n;

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
    const socket = connect(path);
    await once(socket, 'connect');
    const input = new Input(socket);
    try {
      return new NbdExport(socket, input, await negotiate(socket, input));
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
    const replies = this.#receive();
    replies.catch(() => undefined);
    try {
      fill();
      while (ahead.length > 0) {
        const reading = ahead.shift()!;
        await Promise.race([reading.done.promise, replies]);
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
    this.#reading.set(handle, reading);
    const request = Buffer.alloc(28);
    request.writeUInt32BE(requestMagic, 0);
    request.writeBigUInt64BE(handle, 8);
    request.writeBigUInt64BE(BigInt(offset), 16);
    request.writeUInt32BE(length, 24);
    this.#socket.write(request);
    return reading;
  }

  /** Until the connection ends, which is an error as long as somebody waits for data. */
  async #receive(): Promise<never> {
    for (;;) {
      const head = await this.#input.take(20);
      if (head.readUInt32BE(0) !== chunkMagic) throw new Error('The NBD server sent what is no reply.');
      const [flags, type] = [head.readUInt16BE(4), head.readUInt16BE(6)];
      const [handle, length] = [head.readBigUInt64BE(8), head.readUInt32BE(16)];
      const reading = this.#reading.get(handle);
      if (!reading) throw new Error('The NBD server answered what was not asked.');
      if ((type & failureBit) !== 0) {
        const details = await this.#input.take(length);
        throw new Error(`The NBD server could not read: errno ${details.readUInt32BE(0)}.`);
      }
      if (type === chunkType.data || type === chunkType.hole) await this.#place(reading, type, length);
      else if (length > 0) await this.#input.take(length);
      if ((flags & lastChunk) === 0) continue;
      this.#reading.delete(handle);
      reading.done.resolve();
    }
  }

  async #place({ buffer, offset, length: wanted }: Reading, type: number, length: number): Promise<void> {
    const where = Number((await this.#input.take(8)).readBigUInt64BE(0)) - offset;
    const size = type === chunkType.data ? length - 8 : (await this.#input.take(4)).readUInt32BE(0);
    if (where < 0 || where + size > wanted) throw new Error('The NBD server sent more than was asked for.');
    const target = buffer.subarray(where, where + size);
    if (type === chunkType.data) await this.#input.into(target);
    else target.fill(0);
  }
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
  const data = Buffer.from(await input.take(head.readUInt32BE(16)));
  if (type >= 0x80000000) throw new Error(`The NBD server refused: ${data.toString()}`);
  return { type, data };
}

/** What a socket has received, taken by the byte. */
class Input {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** Exactly `length` bytes. */
  async take(length: number): Promise<Buffer> {
    if (this.#rest.length >= length) return this.#cut(length);
    const target = Buffer.allocUnsafe(length);
    await this.into(target);
    return target;
  }

  async into(target: Buffer): Promise<void> {
    for (let filled = 0; filled < target.length;) {
      if (this.#rest.length === 0) this.#rest = await this.#next();
      const piece = this.#cut(Math.min(this.#rest.length, target.length - filled));
      piece.copy(target, filled);
      filled += piece.length;
    }
  }

  #cut(length: number): Buffer {
    const piece = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return piece;
  }

  async #next(): Promise<Buffer> {
    const step = await this.#chunks.next();
    if (step.done === true) throw new Error('The NBD server closed the connection.');
    return step.value;
  }
}
