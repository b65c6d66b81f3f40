import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { NbdExport } from './nbd-export.js';

const MiB = 1024 * 1024;
const size = 5 * MiB + 7;

interface Request {
  readonly handle: bigint;
  readonly offset: number;
  readonly length: number;
}

const bytes = (bits: 16 | 32 | 64, value: number | bigint): Buffer => {
  const buffer = Buffer.alloc(bits / 8);
  if (bits === 64) buffer.writeBigUInt64BE(BigInt(value));
  else buffer.writeUIntBE(Number(value), 0, bits / 8);
  return buffer;
};
const reply = (code: number, type: number, data: Buffer): Buffer =>
  Buffer.concat([bytes(64, 0x3e889045565a9n), bytes(32, code), bytes(32, type), bytes(32, data.length), data]);
const greeting = Buffer.concat([Buffer.from('NBDMAGICIHAVEOPT'), bytes(16, 3)]);
const sizeInfo = Buffer.concat([bytes(16, 0), bytes(64, size), bytes(16, 1)]);
const negotiation = [greeting, reply(8, 1, Buffer.alloc(0)), reply(7, 3, sizeInfo), reply(7, 1, Buffer.alloc(0))];

/** A chunk of a structured reply. */
const chunk = ({ handle }: Request, type: number, data: Buffer, last = true): Buffer =>
  Buffer.concat([
    bytes(32, 0x668e33ef),
    bytes(16, last ? 1 : 0),
    bytes(16, type),
    bytes(64, handle),
    bytes(32, data.length),
    data,
  ]);
const data = (request: Request, offset: number, content: Buffer, last?: boolean): Buffer =>
  chunk(request, 1, Buffer.concat([bytes(64, offset), content]), last);
const hole = (request: Request, offset: number, length: number, last?: boolean): Buffer =>
  chunk(request, 2, Buffer.concat([bytes(64, offset), bytes(32, length)]), last);

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A server that says the same whatever is asked of it before reads, and then answers each read. */
async function served(answer: (request: Request, socket: Socket) => void): Promise<NbdExport> {
  const path = join(await mkdtemp(join(tmpdir(), 'nbd-')), 'socket');
  const server = createServer((socket) => {
    socket.on('error', () => undefined).write(Buffer.concat(negotiation));
    // Four bytes of flags, and two options: sixteen bytes each, and six of the second.
    let unread = Buffer.alloc(0);
    let skipped = 4 + 16 + 16 + 6;
    socket.on('data', (received: Buffer) => {
      unread = Buffer.concat([unread, received]);
      const skip = Math.min(skipped, unread.length);
      [unread, skipped] = [unread.subarray(skip), skipped - skip];
      for (; unread.length >= 28; unread = unread.subarray(28)) {
        const [handle, offset] = [unread.readBigUInt64BE(8), Number(unread.readBigUInt64BE(16))];
        answer({ handle, offset, length: unread.readUInt32BE(24) }, socket);
      }
    });
  }).listen(path);
  await once(server, 'listening');
  const disk = await NbdExport.connect(path);
  closing.push(async () => {
    disk.close();
    server.close();
    await once(server, 'close');
  });
  return disk;
}

async function read(disk: NbdExport): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const part of disk.bytes()) chunks.push(Buffer.from(part));
  return Buffer.concat(chunks);
}

const content = Buffer.alloc(size, 'what the disk has, ');

describe('a disk shown by an NBD server', () => {
  it('is read in pieces, holes and whatever order the server likes', async () => {
    const late: (() => void)[] = [];
    const disk = await served(({ ...request }, socket) => {
      const { offset, length } = request;
      const middle = offset + Math.floor(length / 2);
      const parts = [
        data(request, middle, content.subarray(middle, offset + length), false),
        // A chunk that says nothing.
        hole(request, offset, 100, false),
        data(request, offset + 100, content.subarray(offset + 100, middle), false),
        chunk(request, 0, Buffer.alloc(0)),
      ];
      const whole = Buffer.concat(parts);
      const send = (): void => {
        // Cut where a head is not whole.
        socket.write(whole.subarray(0, whole.length - 13));
        socket.write(whole.subarray(whole.length - 13));
      };
      if (offset === 0) late.push(send);
      else send();
      if (offset + length === size) for (const first of late) first();
    });
    const expected = Buffer.from(content);
    for (let start = 0; start < size; start += 2 * MiB) expected.fill(0, start, Math.min(start + 100, size));
    expect((await read(disk)).equals(expected)).toBe(true);
  });

  it.each<[string, string, (request: Request, socket: Socket) => void]>([
    ['cannot read', 'errno 5', (request, socket) => socket.write(chunk(request, 0x8001, bytes(32, 5)))],
    [
      'sends more than was asked for',
      'more than was asked for',
      (request, socket) => socket.write(data(request, request.offset + 1, content.subarray(0, request.length))),
    ],
    ['sends less than a chunk has', 'more than', (request, socket) => socket.write(chunk(request, 1, bytes(32, 0)))],
    ['makes a hole too large', 'more than', (request, socket) => socket.write(hole(request, request.offset, 2 ** 31))],
    [
      'answers what was not asked',
      'was not asked',
      (request, socket) => socket.write(hole({ ...request, handle: 99n }, 0, 1)),
    ],
    ['speaks something else', 'no reply', (_, socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['goes away', 'closed the connection', (_, socket) => socket.destroy()],
  ])('fails when the server %s', async (_, message, answer) => {
    await expect(read(await served(answer))).rejects.toThrow(message);
  });
});
