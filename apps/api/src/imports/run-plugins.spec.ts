import { describe, expect, it } from 'vitest';
import type { ImportPlugin, PluginWork, ReadableData } from './import-plugin.js';
import { runPlugins } from './run-plugins.js';

const data = (text: string): ReadableData => ({
  size: text.length,
  async open() {
    return (async function* () {
      yield Buffer.from(text);
    })();
  },
});

async function textOf(readable: ReadableData): Promise<string> {
  let text = '';
  for await (const chunk of await readable.open(AbortSignal.timeout(1000))) text += Buffer.from(chunk).toString();
  return text;
}

const work: PluginWork = {
  image: { id: 'x', diskFormat: 'qcow2', containerFormat: 'bare', properties: { kept: 'yes' } },
  roles: ['member'],
  data: data('abc'),
  scratch: async () => '/nowhere',
  maxSize: 100,
  signal: AbortSignal.timeout(60_000),
  progress: () => undefined,
};

describe('plugins', () => {
  it('run in their order, each on what the one before has left', async () => {
    const seen: unknown[] = [];
    const upper: ImportPlugin = {
      name: 'upper',
      async run(given) {
        return { data: data((await textOf(given.data)).toUpperCase()), diskFormat: 'raw' };
      },
    };
    const tag: ImportPlugin = {
      name: 'tag',
      async run(given) {
        seen.push(given.image.diskFormat, await textOf(given.data));
        return { properties: { added: 'too' } };
      },
    };
    const { image, data: left } = await runPlugins([upper, tag], work);
    expect(seen).toEqual(['raw', 'ABC']);
    expect(image).toEqual({
      id: 'x',
      diskFormat: 'raw',
      containerFormat: 'bare',
      properties: { kept: 'yes', added: 'too' },
    });
    expect(await textOf(left)).toBe('ABC');
  });
});
