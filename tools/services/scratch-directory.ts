import { existsSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const prefix = 'glance-test-';
const memory = '/dev/shm';
const enough = 1024 ** 3;
const made = new Set<string>();
process.on('exit', () => {
  for (const directory of made) remove(directory);
});

export interface ScratchDirectory {
  readonly path: string;
  remove(): void;
}

/**
 * A new empty directory that is gone, at the latest, when this process exits; what a killed one left is removed by the
 * next. In memory if asked for and there is room for it.
 */
export function scratchDirectory(where: 'memory' | 'disk'): ScratchDirectory {
  const parent = where === 'memory' && roomInMemory() ? memory : tmpdir();
  removeLeftovers(parent);
  // The process id in the name tells who may still need it.
  const path = mkdtempSync(join(parent, `${prefix}${process.pid}-`));
  made.add(path);
  return {
    path,
    remove() {
      remove(path);
      made.delete(path);
    },
  };
}

function roomInMemory(): boolean {
  if (!existsSync(memory)) return false;
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize > enough;
}

function removeLeftovers(parent: string): void {
  for (const name of readdirSync(parent)) {
    const owner = /^glance-test-(\d+)-/.exec(name)?.[1];
    if (!owner || existsSync(`/proc/${owner}`)) continue;
    try {
      remove(join(parent, name));
    } catch {
      // It may hold a mount that a killed test left; that is no reason to fail another one.
    }
  }
}

function remove(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
}
