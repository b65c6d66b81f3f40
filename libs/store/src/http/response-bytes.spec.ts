import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { content } from '../testing/content.js';
import { responseBytes } from './response-bytes.js';

const body = content(100_000);
let server: Server;
beforeEach(async () => {
  server = createServer((_, response) => response.end(body)).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

it('a connection that is used again is not touched by who still has bytes of the response before', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const answer = async (): Promise<IncomingMessage> => {
    const request = get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', agent });
    return ((await once(request, 'response')) as [IncomingMessage])[0];
  };
  const first = await answer();
  const { socket } = first;
  const reading = responseBytes(first, 5_000)[Symbol.asyncIterator]();
  const chunks = [Buffer.from((await reading.next()).value as Uint8Array)];

  const second = await answer();
  expect(second.socket).toBe(socket);
  expect((await buffer(second)).equals(body)).toBe(true);

  for (let step = await reading.next(); !step.done; step = await reading.next()) chunks.push(Buffer.from(step.value));
  expect(Buffer.concat(chunks).equals(body)).toBe(true);
  agent.destroy();
});
