import { mkdir, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** A directory of one import, made when it is first asked for. */
export interface ScratchDirectory extends AsyncDisposable {
  path(): Promise<string>;
}

/** Room for what imports make on their way; `directory` may be shared with other processes, and other hosts. */
export class Scratch {
  constructor(private readonly directory: string) {}

  /** Of the task with this id; it goes when it is disposed of. */
  of(taskId: string): ScratchDirectory {
    const path = join(this.directory, `${mine}${process.pid}-${taskId}`);
    let made = false;
    return {
      async path() {
        await mkdir(path, { recursive: true, mode: 0o700 });
        made = true;
        return path;
      },
      async [Symbol.asyncDispose]() {
        if (made) await rm(path, { recursive: true, force: true, maxRetries: 3 });
      },
    };
  }

  /** Removes what processes of this host have left that are no more. */
  async tidy(): Promise<void> {
    const names = await readdir(this.directory).catch(() => []);
    for (const name of names) {
      const pid = name.startsWith(mine) ? Number(/^\d+/.exec(name.slice(mine.length))?.[0]) : undefined;
      if (pid === undefined || pid === process.pid || runs(pid)) continue;
      await rm(join(this.directory, name), { recursive: true, force: true, maxRetries: 3 });
    }
  }
}

const mine = `${hostname()}-`;

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
