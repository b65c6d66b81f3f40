import { setImmediate } from 'node:timers/promises';
import type { ClaimedDeletion } from '@glance/domain';
import { expect, it } from 'vitest';
import { Gathered, mostAtOnce } from './gathered.js';

it('waits for others only until there are as many as a call takes', async () => {
  const calls: number[] = [];
  const gathered = new Gathered((works) => {
    calls.push(works.length);
    return Promise.resolve([]);
  });
  const works = Array.from({ length: mostAtOnce + 1 }, (_, n): ClaimedDeletion => ({
    imageId: `image ${n}`,
    token: `token ${n}`,
  }));
  const finished = works.map((work) => gathered.finish(work));
  await setImmediate();
  expect(calls[0]).toBe(mostAtOnce);
  await Promise.all(finished);
  expect(calls).toEqual([mostAtOnce, 1]);
});
