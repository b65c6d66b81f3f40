import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClaimedTask, Image } from '@glance/domain';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chunked } from '../testing/uploading.js';
import { arrive, type ArrivalWork } from './arrive.js';
import type { ImportPlugin } from './import-plugin.js';
import { Meter } from './meter.js';
import { Scratch } from './scratch.js';
import type { Source } from './source.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'glance-scratch-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const image = { id: 'x', diskFormat: 'qcow2', containerFormat: 'bare', properties: { old: 'a' } } as unknown as Image;
const task = { roles: ['member'], maxSize: 100 } as unknown as ClaimedTask;
const remote: Source = { open: async () => ({ size: 6, data: chunked('abc', 'def') }) };

async function textOf(data: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const chunk of data) text += Buffer.from(chunk).toString();
  return text;
}

const work = (plugins: readonly ImportPlugin[], changes: Partial<ArrivalWork> = {}): ArrivalWork => ({
  task,
  image,
  plugins,
  scratch: new Scratch(directory).of('task'),
  meter: new Meter(),
  signal: AbortSignal.timeout(60_000),
  ...changes,
});

const upper: ImportPlugin = {
  name: 'upper',
  async run({ data, scratch }) {
    const file = join(await scratch(), 'upper');
    writeFileSync(file, readFileSync(data.file!, 'utf8').toUpperCase());
    return {
      diskFormat: 'raw',
      properties: { new: 'b', old: 'a' },
      data: { size: 6, file, open: async () => chunked(readFileSync(file)) },
    };
  },
};

describe('the bytes of an import', () => {
  it('pass as they come without plugins', async () => {
    const { data, size, changes } = await arrive(remote, work([]));
    expect([await textOf(data), size, changes]).toEqual(['abcdef', 6, {}]);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('are there as a whole for plugins, whose changes are told, and nothing stays', async () => {
    const scratch = new Scratch(directory).of('task');
    const { data, size, changes } = await arrive(remote, work([upper], { scratch }));
    expect([await textOf(data), size]).toEqual(['ABCDEF', 6]);
    expect(changes).toEqual({ diskFormat: 'raw', properties: { new: 'b' } });
    await scratch[Symbol.asyncDispose]();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('may be no more for plugins than an image may have', async () => {
    const small = { ...task, maxSize: 5 };
    await expect(arrive(remote, work([upper], { task: small }))).rejects.toMatchObject({ code: 'LimitExceeded' });
  });
});

describe('scratch', () => {
  it('of processes that are no more goes, and of others stays', async () => {
    const dead = join(directory, `${hostname()}-999999999-task`);
    const others = join(directory, 'elsewhere-1-task');
    for (const path of [dead, others]) mkdirSync(path);
    const running = await new Scratch(directory).of('running').path();
    await new Scratch(directory).tidy();
    expect([dead, others, running].map((path) => existsSync(path))).toEqual([false, true, true]);
  });
});
