import { expect, it } from 'vitest';
import { seldom } from './seldom.js';

it('a check that has succeeded is not made again within its interval, one that has failed is', async () => {
  let works = false;
  let made = 0;
  const check = seldom(60_000, async () => {
    made += 1;
    if (!works) throw new Error('broken');
  });
  await expect(check()).rejects.toThrow('broken');
  await expect(check()).rejects.toThrow('broken');
  works = true;
  await check();
  works = false;
  await check();
  expect(made).toBe(3);
});

it('a check is made again after its interval', async () => {
  let made = 0;
  const check = seldom(0, async () => void (made += 1));
  await check();
  await check();
  expect(made).toBe(2);
});
