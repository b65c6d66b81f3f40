import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Installs Debian packages that only few tests need, unless they are there; throws with what to do if it cannot. */
export function installDebianPackages(...names: string[]): void {
  execFileSync(process.execPath, [join(import.meta.dirname, 'install-packages.mjs'), ...names], { stdio: 'inherit' });
}
