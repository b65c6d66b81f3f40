import { expect, test } from 'vitest';
import { formatNames } from './format.js';
import * as images from './testing/images.js';
import { inspect } from './testing/run.js';
import { seeds } from './testing/seeds.js';
import { accepts, mustBeSound } from './testing/verdicts.js';

/** The slow project takes its time. */
const rounds = Number(process.env['MUTATIONS'] ?? 10_000);

test(`${rounds} mutated images are refused or harmless`, { timeout: 600_000 }, async () => {
  const random = mulberry32(20_260_101);
  const outcomes = { accepted: 0, refused: 0 };
  for (let round = 0; round < rounds; round += 1) {
    const seed = seeds[round % seeds.length]!;
    const image = mutate(seed.subarray(0, round % 50 === 0 ? seed.length : 36 * images.KIB), random);
    outcomes[mustBeSound(await inspect(image, 1 + Math.floor(random() * 128 * images.KIB) + 1000))] += 1;
  }
  expect(outcomes.accepted).toBeGreaterThan(rounds / 10);
  expect(outcomes.refused).toBeGreaterThan(rounds / 10);
});

test('no mutation of anything else makes an image with a named file acceptable', { timeout: 600_000 }, async () => {
  const random = mulberry32(7);
  const hidden = images.qcow2({ backingFile: '/etc/passwd' });
  const parent = images.vmdk({ text: images.descriptor({ extra: ['parentFileNameHint="/etc/passwd"'] }) });
  const at = parent.indexOf('parentFileNameHint');
  for (let round = 0; round < rounds / 10; round += 1) {
    const first = mutate(hidden, random);
    hidden.copy(first, 0, 0, 4);
    hidden.copy(first, 8, 8, 16);
    const second = mutate(parent, random);
    parent.copy(second, 0, 0, 4);
    parent.copy(second, at, at, at + 18);
    for (const image of [first, second]) {
      const report = await inspect(image);
      expect([...formatNames, 'ami'].filter((declared) => accepts(report, declared))).toEqual([]);
    }
  }
});

function mutate(image: Buffer, random: () => number): Buffer {
  const copy = Buffer.from(image);
  const places = [64, 512, 1024, 0x8800, copy.length];
  for (let count = 1 + Math.floor(random() * 8); count > 0; count -= 1) {
    const within = Math.min(places[Math.floor(random() * places.length)]!, copy.length);
    const at = Math.floor(random() * within);
    const values = [0, 1, 0x7f, 0x80, 0xff, Math.floor(random() * 256)];
    const value = values[Math.floor(random() * values.length)]!;
    copy.fill(value, at, Math.min(at + [1, 2, 4, 8][Math.floor(random() * 4)]!, copy.length));
  }
  return random() < 0.05 ? copy.subarray(0, Math.floor(random() * copy.length)) : copy;
}

/** A small generator with a seed, so that a failure can be repeated. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
