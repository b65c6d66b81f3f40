import { expect, test } from 'vitest';
import { TailWindow } from './tail-window.js';

test('the window shows the last bytes of all that came, whatever the sizes of the pieces', () => {
  const window = new TailWindow(5);
  const sizes = [0, 1, 2, 1, 7, 3, 3, 5, 4, 100, 1, 1, 1, 6, 0, 2, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 40, 39, 38, 1];
  let all = Buffer.alloc(5);
  let next = 0;
  for (const size of sizes) {
    const piece = Buffer.from(Array.from({ length: size }, () => (next += 1) % 256));
    window.append(piece);
    all = Buffer.concat([all, piece]);
    piece.fill(0);
    expect(window.bytes()).toEqual(all.subarray(all.length - 5));
  }
});
