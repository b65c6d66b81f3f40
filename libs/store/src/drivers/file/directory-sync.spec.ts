import { describe, expect, it } from 'vitest';
import { DirectorySync } from './directory-sync.js';
import type { FileSystem } from './file-system.js';

/** Each sync ends when its turn in `ends` comes. */
class Disk {
  readonly ends: PromiseWithResolvers<void>[] = [];
  readonly open = (async () => ({
    sync: () => {
      const end = Promise.withResolvers<void>();
      this.ends.push(end);
      return end.promise;
    },
    [Symbol.asyncDispose]: async () => undefined,
  })) as unknown as FileSystem['open'];

  async begun(count: number): Promise<void> {
    while (this.ends.length < count) await new Promise(setImmediate);
  }
}

describe('bringing a directory to the disk', () => {
  it('is shared by those who ask while it is under way, and never by those who come too late for it', async () => {
    const disk = new Disk();
    const sync = new DirectorySync(disk, '/images');
    const done: string[] = [];
    const reach = (name: string): Promise<unknown> => sync.reach().then(() => done.push(name));
    const all = [reach('first')];
    await disk.begun(1);
    all.push(reach('second'), reach('third'));
    disk.ends[0]!.resolve();
    await disk.begun(2);
    expect(done).toEqual(['first']);
    all.push(reach('late'));
    disk.ends[1]!.resolve();
    await disk.begun(3);
    expect(done).toEqual(['first', 'second', 'third']);
    disk.ends[2]!.resolve();
    await Promise.all(all);
    expect(disk.ends).toHaveLength(3);
  });

  it('fails for those who share it, and not for the next', async () => {
    const disk = new Disk();
    const sync = new DirectorySync(disk, '/images');
    const first = sync.reach();
    await disk.begun(1);
    const next = sync.reach();
    disk.ends[0]!.reject(new Error('EIO'));
    await expect(first).rejects.toThrow('EIO');
    await disk.begun(2);
    disk.ends[1]!.resolve();
    await next;
  });
});
