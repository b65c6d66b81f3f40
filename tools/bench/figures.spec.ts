import { expect, test } from 'vitest';
import { cpuBound, divide, Figures, percentile, spread } from './figures.js';

test('the median of an even number of runs lies between the middle two', () => {
  expect(spread([4, 1, 3, 10])).toEqual({ min: 1, median: 3.5, max: 10 });
});

test('a percentile lies between its neighbours', () => {
  expect(percentile([0, 10], 0.99)).toBeCloseTo(9.9);
  expect(percentile([7], 0.99)).toBe(7);
});

test('only values of the same round are combined', () => {
  expect(divide([10, 20, 30], [2, 5])).toEqual([5, 4]);
  expect(divide([], [2, 5])).toEqual([]);
  const costs = [
    [1, 2],
    [3, 2, 9],
  ];
  expect(cpuBound(2, costs)).toEqual([500, 500]);
});

test('runs are kept by work and by whose it was, in the order of the rounds', () => {
  const figures = new Figures();
  figures.add('show', 'ours', { perSecond: 1 });
  figures.add('show', 'other', { perSecond: 7 });
  figures.add('show', 'ours', { perSecond: 2 });
  expect(figures.values('show', 'ours', 'perSecond')).toEqual([1, 2]);
  expect(figures.values('show', 'ours', 'memoryMiB')).toEqual([]);
  figures.add('list', 'ours', { perSecond: 3, memoryMiB: 5 });
  expect(figures.allValues('ours', 'perSecond')).toEqual([1, 2, 3]);
  expect(figures.allValues('ours', 'memoryMiB')).toEqual([5]);
  expect(figures.allValues('ours', 'perSecond', (work) => work !== 'list')).toEqual([1, 2]);
  expect(figures.rows).toHaveLength(3);
});
