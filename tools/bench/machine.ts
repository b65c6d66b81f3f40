import { readFileSync, realpathSync } from 'node:fs';
import { availableParallelism, cpus, freemem, loadavg, release, totalmem } from 'node:os';

/** What a reader must know about the machine to judge figures. */
export function machineFacts(directory: string): Record<string, string | number> {
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory: `${gib(totalmem())}, ${gib(freemem())} free`,
    kernel: `Linux ${release()}`,
    node: process.version,
    files: `${directory} (${fileSystem(directory)})`,
    'load before': loadavg()
      .map((load) => load.toFixed(2))
      .join(' '),
  };
}

function fileSystem(directory: string): string {
  const path = `${realpathSync(directory)}/`;
  let best = { mountPoint: '', type: 'unknown' };
  for (const line of readFileSync('/proc/mounts', 'utf8').split('\n')) {
    const [, mountPoint = '', type = ''] = line.split(' ');
    const inside = path.startsWith(mountPoint.endsWith('/') ? mountPoint : `${mountPoint}/`);
    if (inside && mountPoint.length >= best.mountPoint.length) best = { mountPoint, type };
  }
  return best.type;
}
