import { EventEmitter } from 'node:events';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { drainBody } from './drain-body.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function connection(keepAlive = true) {
  const events: string[] = [];
  const note = (event: string) => () => void events.push(event);
  const socket = Object.assign(new EventEmitter(), {
    bytesRead: 0,
    destroySoon: note('destroyed'),
    end: note('ended'),
  });
  const raw = Object.assign(new EventEmitter(), {
    complete: false,
    headers: { 'transfer-encoding': 'chunked' },
    socket,
    resume: note('read on'),
  });
  const response = Object.assign(new EventEmitter(), { shouldKeepAlive: keepAlive });
  drainBody({ raw } as unknown as FastifyRequest, { raw: response } as unknown as FastifyReply);
  return { events, socket, raw, response };
}

describe('a body that nobody wants', () => {
  it('is read until it ends, and the connection stays', () => {
    const { events, raw, response } = connection();
    response.emit('finish');
    vi.advanceTimersByTime(20_000);
    raw.emit('end');
    vi.advanceTimersByTime(60_000);
    expect(events).toEqual(['read on']);
  });

  it('is read for half a minute at most', () => {
    const { events, response } = connection();
    response.emit('finish');
    vi.advanceTimersByTime(29_000);
    expect(events).toEqual(['read on']);
    vi.advanceTimersByTime(2_000);
    expect(events).toContain('destroyed');
  });

  it('is read for a gibibyte at most', () => {
    const { events, response, socket } = connection();
    response.emit('finish');
    socket.bytesRead = 1024 ** 3 + 1;
    vi.advanceTimersByTime(1_000);
    expect(events).toContain('destroyed');
  });

  it('is read although the connection is to be closed, which happens afterwards', () => {
    const { events, raw, response } = connection(false);
    expect(response.shouldKeepAlive).toBe(true);
    response.emit('finish');
    expect(events).toEqual(['read on']);
    raw.emit('end');
    expect(events).toEqual(['read on', 'ended']);
  });
});
