import { register } from 'prom-client';
import { afterEach, expect, it, vi } from 'vitest';
import { source } from './source.js';

afterEach(() => {
  register.clear();
  vi.useRealTimers();
});

const lines = async (): Promise<string[]> =>
  (await register.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

it('has the values of now, one for each set of labels, and a type by the name', async () => {
  let queues = { images: 3, tasks: 1 } as Readonly<Record<string, number>>;
  const { read } = source(
    {
      test_ready: { help: 'One without labels.' },
      test_queue: { help: 'One with.', labels: ['queue'] },
      test_connections_total: { help: 'One that grows.' },
    },
    async () => ({
      test_ready: 1,
      test_queue: Object.entries(queues).map(([queue, value]) => [{ queue }, value] as const),
      test_connections_total: 7,
    }),
  );
  await read();
  expect(await lines()).toEqual([
    'test_ready 1',
    'test_queue{queue="images"} 3',
    'test_queue{queue="tasks"} 1',
    'test_connections_total 7',
  ]);
  queues = { tasks: 2 };
  await read();
  expect(await lines()).toEqual(['test_ready 1', 'test_queue{queue="tasks"} 2', 'test_connections_total 7']);
  expect(await register.metrics()).toMatch(/TYPE test_ready gauge[\s\S]*TYPE test_connections_total counter/);
});

it('has no value for what cannot be found out, instead of the last one or none', async () => {
  let look = async (): Promise<{ test_up: number; test_room: [[{ store: string }, number]] }> => ({
    test_up: 1,
    test_room: [[{ store: 'a' }, 5]],
  });
  const { read } = source({ test_up: { help: '.' }, test_room: { help: '.', labels: ['store'] } }, () => look());
  await read();
  expect(await lines()).toEqual(['test_up 1', 'test_room{store="a"} 5']);
  look = () => Promise.reject(new Error('gone'));
  await read();
  expect(await lines()).toEqual([]);
});

it('does not ask again whoever has not answered yet, and waits for a second only', async () => {
  vi.useFakeTimers();
  const answer = Promise.withResolvers<{ test_slow: number }>();
  let asked = 0;
  const { read } = source({ test_slow: { help: '.' } }, () => {
    asked += 1;
    return answer.promise;
  });
  for (let n = 0; n < 2; n++) {
    const reading = read();
    await vi.advanceTimersByTimeAsync(1_000);
    await reading;
    expect(await lines()).toEqual([]);
  }
  answer.resolve({ test_slow: 4 });
  await read();
  expect([asked, ...(await lines())]).toEqual([1, 'test_slow 4']);
});
