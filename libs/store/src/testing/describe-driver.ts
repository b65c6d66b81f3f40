import { afterEach, beforeEach, describe } from 'vitest';
import type { StoreDriver } from '../driver.js';
import { breakingCases } from './breaking-cases.js';
import { discardCases } from './discard-cases.js';
import { readingCases } from './reading-cases.js';
import { writingCases } from './writing-cases.js';

export interface DriverUnderTest {
  readonly driver: StoreDriver;
  /** Names of everything in the place, whether or not an image: the suite looks for what should not be left. */
  readonly list?: () => readonly string[] | Promise<readonly string[]>;
  /** Removes the place. */
  readonly dispose?: () => Promise<void>;
}

/** The driver of the test that runs. */
export type Current = () => DriverUnderTest;

/**
 * What every driver promises, as tests; `make` is called for each with a place of its own. Ids are UUIDs, so that
 * several may share a server.
 */
export function describeDriver(name: string, make: () => Promise<DriverUnderTest>): void {
  describe(`the ${name} driver`, () => {
    const current = underTest(make);
    describe('writes', () => writingCases(current));
    describe('reads', () => readingCases(current));
    describe('when something breaks', () => breakingCases(current));
    describe('discards and deletes', () => discardCases(current));
  });
}

/** The same of a driver that only reads; the test's own `write` and `delete` put data in its place, and remove it. */
export function describeReading(name: string, make: () => Promise<DriverUnderTest>): void {
  describe(`the ${name} driver reads`, () => readingCases(underTest(make)));
}

function underTest(make: () => Promise<DriverUnderTest>): Current {
  let present: DriverUnderTest | undefined;

  beforeEach(async () => {
    present = await make();
    await present.driver.open();
  });

  afterEach(async () => {
    await present?.driver.close();
    await present?.dispose?.();
    present = undefined;
  });

  return () => present!;
}
