import { cpuBound, divide, type Figures, total } from '../figures.js';
import type { Bench, Verdict } from '../section.js';
import { digestCosts } from '../yardsticks/openssl.js';

export const BARE = 'bare receiver';
export const NGINX = 'nginx';
export const DISK = 'disk';

/** What is sent, and how. */
export const transfers = [
  ...[1, 4].flatMap((streams) =>
    [false, true].map((chunked) => ({
      name: `upload, ${plural(streams)}, ${chunked ? 'chunked' : 'Content-Length'}`,
      direction: 'upload' as const,
      streams,
      chunked,
    })),
  ),
  { name: 'upload, 8 streams, chunked', direction: 'upload' as const, streams: 8, chunked: true },
  ...[1, 4].map((streams) => ({
    name: `download, ${plural(streams)}`,
    direction: 'download' as const,
    streams,
    chunked: false,
  })),
];

/**
 * An upload cannot be faster than the processors can hash, receive, write and send its bytes. A download is beside what
 * the kernel can do by itself.
 */
export function dataVerdicts(bench: Bench, figures: Figures): Verdict[] {
  const [first, second] = bench.targets.map(({ name }) => name) as [string, string | undefined];
  const verdicts: Verdict[] = [];
  const add = (text: string, values: number[], target?: Verdict['target']) =>
    values.length > 0 && verdicts.push({ text, values, digits: 2, ...(target && { target }) });
  const rate = (work: string, who: string) => figures.values(work, who, 'megabytesPerSecond');
  const cpu = (work: string, who: string) => figures.values(work, who, 'cpuPerGb');
  for (const { name, direction, streams } of transfers) {
    if (direction === 'upload') {
      const parts = [...digestCosts(figures), cpu(name, BARE)];
      const client = figures.values(name, BARE, 'clientCpuPerGb');
      const bound = cpuBound(bench.cores, [...parts, client]);
      add(`${name}: MB/s that the CPU allows`, bound);
      add(`${name}: MB/s ÷ that bound`, divide(rate(name, first), bound), { atLeast: 0.75 });
      const target = streams > 1 ? { atMost: 1.2 } : undefined;
      add(`${name}: CPU ÷ (digests + ${BARE})`, divide(cpu(name, first), total(parts)), target);
    } else {
      add(`${name}: MB/s ÷ ${NGINX}`, divide(rate(name, first), rate(name, NGINX)), { atLeast: 0.6 });
      add(`${name}: CPU s/GB`, cpu(name, first), { atMost: 0.4 });
    }
    if (second === undefined) continue;
    const factor = direction === 'upload' ? (streams === 1 ? 2 : 1.3) : undefined;
    const target = factor === undefined ? undefined : { atLeast: factor };
    add(`${name}: MB/s, ${first} ÷ ${second}`, divide(rate(name, first), rate(name, second)), target);
    add(`${name}: CPU, ${second} ÷ ${first}`, divide(cpu(name, second), cpu(name, first)));
    if (streams < 8) continue;
    const memory = (who: string) => figures.values(name, who, 'memoryMiB');
    add(`${name}: memory, ${first} ÷ ${second}`, divide(memory(first), memory(second)), { atMost: 1 });
  }
  const highest = Math.max(...figures.allValues(first, 'memoryMiB'));
  if (highest > 0) add('highest memory of all transfers, MiB', [highest], { atMost: 400 });
  const several = new Set(transfers.filter(({ streams }) => streams > 1).map(({ name }) => name));
  const one = figures.allValues(first, 'loopDelayMs', (work) => !several.has(work));
  if (one.length > 0) add('longest delay of the event loop with one transfer, ms', [Math.max(...one)], { atMost: 50 });
  const many = figures.allValues(first, 'loopDelayMs', (work) => several.has(work));
  if (many.length > 0) add('longest delay of the event loop with several on all cores, ms', [Math.max(...many)]);
  return verdicts;
}

function plural(streams: number): string {
  return streams === 1 ? '1 stream' : `${streams} streams`;
}
