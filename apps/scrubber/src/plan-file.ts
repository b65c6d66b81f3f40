import { open } from 'node:fs/promises';
import { ServiceError } from '@glance/domain';
import { parseHeader, parseItem, type PlanHeader, type PlanItem } from './plan-item.js';

/** A plan as a file has it: a header, and a line of JSON for each item. Lines may be left out. */
export interface PlanFile {
  readonly header: PlanHeader;
  /** Read as they are asked for; fails with `Invalid` at a line that is none. */
  readonly items: AsyncIterable<PlanItem>;
  close(): Promise<void>;
}

/** Opens a plan. `Invalid` if it cannot be read, or is none. */
export async function openPlan(path: string): Promise<PlanFile> {
  const file = await open(path).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    throw new ServiceError('Invalid', `The plan "${path}" cannot be read (${code}).`, {}, { cause: error });
  });
  const lines = file.readLines({ autoClose: false })[Symbol.asyncIterator]();
  const close = (): Promise<void> => file.close();
  try {
    const { value } = await lines.next();
    return { header: parseHeader(value), items: itemsOf(lines), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function* itemsOf(lines: AsyncIterable<string>): AsyncIterable<PlanItem> {
  let number = 1;
  for await (const line of lines) {
    number++;
    if (line.trim() !== '') yield parseItem(line, number);
  }
}
