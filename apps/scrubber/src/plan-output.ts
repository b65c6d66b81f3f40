import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { PlanHeader, PlanItem } from './plan-item.js';

const columns: readonly { title: string; width: number; of(item: PlanItem, now: number): string }[] = [
  { title: 'KIND', width: 11, of: ({ kind }) => kind },
  { title: 'IMAGE', width: 36, of: ({ image }) => image },
  { title: 'STORE', width: 12, of: ({ store }) => store ?? '-' },
  { title: 'BYTES', width: 15, of: ({ bytes }) => (bytes === null ? '-' : String(bytes)) },
  { title: 'AGE', width: 10, of: ({ since }, now) => ageOf(now - Date.parse(since)) },
  { title: 'WHY', width: 0, of: ({ why }) => why },
];

/** Writes a plan: as a table with a summary for people, or as lines of JSON for `apply`. Holds no more than a line. */
export async function writePlan(
  header: PlanHeader,
  items: AsyncIterable<PlanItem>,
  out: Writable,
  format: 'table' | 'json',
): Promise<void> {
  const write = async (line: string): Promise<void> => {
    if (!out.write(`${line}\n`)) await once(out, 'drain');
  };
  const now = Date.parse(header.made);
  const totals = new Map<string, { items: number; bytes: number }>();
  await write(format === 'json' ? JSON.stringify(header) : row(columns.map(({ title }) => title)));
  for await (const item of items) {
    await write(format === 'json' ? JSON.stringify(item) : row(columns.map(({ of }) => of(item, now))));
    const total = totals.get(item.kind) ?? { items: 0, bytes: 0 };
    totals.set(item.kind, { items: total.items + 1, bytes: total.bytes + (item.bytes ?? 0) });
  }
  if (format === 'json') return;
  await write('');
  if (totals.size === 0) await write('There is nothing to do.');
  for (const [kind, { items: count, bytes }] of totals) await write(`${kind}: ${count}, ${bytes} bytes`);
}

const row = (cells: readonly string[]): string =>
  cells.map((cell, index) => cell.padEnd(columns[index]!.width)).join('  ');

function ageOf(milliseconds: number): string {
  const minutes = Math.max(0, Math.floor(milliseconds / 60_000));
  if (minutes < 120) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} d`;
}
