import { join } from 'node:path';
import { freePort } from '../tools/services/ports.js';
import { type ServerProcess, startProcess } from '../tools/services/server-process.js';
import { isHealthy, root } from './service.js';

export interface Launcher {
  readonly url: string;
  readonly port: number;
  readonly process: ServerProcess;
}

/** `bin/glance` as a newcomer starts it, in this directory; only the port is told, because 9292 may be taken. */
export async function startLauncher(directory: string): Promise<Launcher> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const process = await startProcess({
    command: join(root, 'bin/glance'),
    args: ['--bind-port', String(port)],
    cwd: directory,
    ready: () => isHealthy(url),
  });
  return { url, port, process };
}
