// Finds or installs the Node release that the project runs on, with whatever Node the machine has.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The Node binary that npm installed for us, else the one that runs this, if it is new enough. */
export function projectNode() {
  const own = join(root, 'node_modules/.bin/node');
  return existsSync(own) ? own : process.execPath;
}

/** Runs a command in the project's root, its output on ours; ends this process when it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: environment(), ...options });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** The environment in which `node`, `tsc`, `vitest` … are the project's own. */
export function environment() {
  return { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}` };
}

/** Installs the npm packages when the lockfile is newer than what is installed. */
export function installPackages() {
  const installed = join(root, 'node_modules/.package-lock.json');
  const lockfile = join(root, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lockfile).mtimeMs) return;
  console.log('Installing npm packages …');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  const major = Number(spawnSync(projectNode(), ['--version'], { encoding: 'utf8' }).stdout.slice(1).split('.')[0]);
  const wanted = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).engines.node.replace(/\D+/, '');
  if (!(major >= Number(wanted))) {
    console.error(
      `Node ${wanted} or later is needed, and there is no Node package for ${process.platform}-${process.arch}.`,
    );
    process.exit(1);
  }
}

/** Compiles what changed since the last time. */
export function build() {
  run(projectNode(), [join(root, 'node_modules/typescript/bin/tsc'), '-b']);
}
