import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, listens } from './ports.js';
import { scratchDirectory } from './scratch-directory.js';
import { startProcess } from './server-process.js';

const run = promisify(execFile);

/** Debian packages that it is built with; they are not among those of all tests. */
export const simulatorPackages = ['golang-go', 'golang-github-vmware-govmomi-dev'];

export interface VsphereSimulator {
  /** With its port. It has the user `user` with the password `pass`, and a datacenter `DC0`. */
  readonly host: string;
  close(): Promise<void>;
}

/** VMware's own simulator of a vCenter, of govmomi, with that certificate. Built within a minute. */
export async function startVsphereSimulator(certificate: string, key: string): Promise<VsphereSimulator> {
  const directory = scratchDirectory('disk');
  const program = join(directory.path, 'simulator');
  const env = {
    ...process.env,
    GOPATH: '/usr/share/gocode',
    GO111MODULE: 'off',
    GOCACHE: join(directory.path, 'cache'),
    TMPDIR: directory.path,
  };
  await run('go', ['build', '-o', program, '.'], { env, cwd: join(import.meta.dirname, 'vsphere-simulator') });
  const port = await freePort();
  const server = await startProcess({
    command: program,
    args: [String(port), certificate, key],
    env,
    ready: () => listens(port),
  });
  return {
    host: `127.0.0.1:${port}`,
    async close() {
      await server.stop();
      directory.remove();
    },
  };
}
