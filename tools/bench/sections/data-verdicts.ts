import { type Figures, eachRound } from '../figures.js';
import type { Bench, Verdict } from '../section.js';
import { OPENSSL } from '../yardsticks/openssl.js';

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
 * An upload cannot be faster than the processors can hash, receive, write and send its bytes: cores ÷ the sum of the CPU
 * seconds that each of these needs alone. A download is beside what the kernel can do by itself.
 */
export function dataVerdicts(bench: Bench, figures: Figures): Verdict[] {
  const [first, second] = bench.targets.map(({ name }) => name) as [string, string | undefined];
  const verdicts: Verdict[] = [];
  const add = (text: string, values: number[], target?: Verdict['target']) =>
    values.length > 0 && verdicts.push({ text, values, digits: 2, ...(target && { target }) });
  const rate = (work: string, who: string) => figures.values(work, who, 'megabytesPerSecond');
  const cpu = (work: string, who: string) => figures.values(work, who, 'cpuPerGb');
  const divide = (over: number[], under: number[]) => eachRound([over, under], (a, b) => a / b);
  for (const { name, direction, streams } of transfers) {
    if (direction === 'upload') {
      const parts = [cpu('md5', OPENSSL), cpu('sha512', OPENSSL), cpu(name, BARE)];
      const client = figures.values(name, BARE, 'clientCpuPerGb');
      const bound = eachRound([...parts, client], (...seconds) => (bench.cores * 1000) / sum(seconds));
      add(`${name}: MB/s that the CPU allows`, bound);
      add(`${name}: MB/s ÷ that bound`, divide(rate(name, first), bound), { atLeast: 0.75 });
      const needed = eachRound(parts, (...seconds) => sum(seconds));
      const target = streams > 1 ? { atMost: 1.2 } : undefined;
      add(`${name}: CPU ÷ (digests + ${BARE})`, divide(cpu(name, first), needed), target);
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
  const memory = figures.rows
    .filter(({ who }) => who === first)
    .flatMap(({ runs }) => runs.map((run) => run['memoryMiB']));
  const highest = Math.max(...memory.filter((value) => value !== undefined));
  if (highest > 0) add('highest memory of all transfers, MiB', [highest], { atMost: 400 });
  const delays = (of: (work: string) => boolean) =>
    figures.rows
      .filter(({ who, work }) => who === first && of(work))
      .flatMap(({ runs }) => runs.map((run) => run['loopDelayMs']))
      .filter((delay) => delay !== undefined);
  const one = delays(oneStream);
  if (one.length > 0) add('longest delay of the event loop with one transfer, ms', [Math.max(...one)], { atMost: 50 });
  const many = delays((work) => !oneStream(work));
  if (many.length > 0) add('longest delay of the event loop with several on all cores, ms', [Math.max(...many)]);
  return verdicts;
}

function oneStream(work: string): boolean {
  return !/\d streams/.test(work);
}

function plural(streams: number): string {
  return streams === 1 ? '1 stream' : `${streams} streams`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
