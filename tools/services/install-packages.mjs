#!/usr/bin/env node
// Installs the Debian packages that tests need. Plain JavaScript on Node's own modules: it runs before `npm install`.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const policyFile = '/usr/sbin/policy-rc.d';
const startsNothing = 101;

/** Makes sure that packages are installed, those of debian-packages.json if none are named; throws with what to do. */
export function installPackages(wanted = Object.values(packagesOfAllTests()).flat()) {
  const missing = missingPackages(wanted);
  if (missing.length === 0) return;
  const byHand = `Install them with: apt-get install --no-install-recommends ${missing.join(' ')}`;
  if (spawnSync('apt-get', ['--version']).error) {
    throw new Error(`Tests need Debian packages, and there is no apt-get here. ${byHand}`);
  }
  if (process.getuid() !== 0) throw new Error(`Tests need Debian packages, and only root may install them. ${byHand}`);

  console.log(`Installing ${missing.length} Debian packages: ${missing.join(' ')}`);
  withoutStartingDaemons(() => {
    // The lists may be missing (a bare machine) or older than the mirror: fetch them only then.
    if (aptGet('install', '--no-install-recommends', ...missing)) return;
    aptGet('update');
    if (!aptGet('install', '--no-install-recommends', ...missing)) {
      throw new Error(`apt-get could not install what tests need; its output above says why. ${byHand}`);
    }
  });
}

function packagesOfAllTests() {
  return JSON.parse(readFileSync(new URL('debian-packages.json', import.meta.url), 'utf8'));
}

function missingPackages(wanted) {
  const { stdout } = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status} ${Package}\n', ...wanted], {
    encoding: 'utf8',
  });
  const installed = new Set((stdout ?? '').split('\n').filter((line) => line.startsWith('installed ')));
  return wanted.filter((name) => !installed.has(`installed ${name}`));
}

function aptGet(...args) {
  const options = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Use-Pty=0'];
  const keepConfiguration = ['-o', 'Dpkg::Options::=--force-confold'];
  const { status } = spawnSync('apt-get', [...options, ...keepConfiguration, ...args], {
    stdio: 'inherit',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  return status === 0;
}

/** Debian starts a server as soon as it is installed, unless this file forbids it. What was there before comes back. */
function withoutStartingDaemons(install) {
  const saved = `${policyFile}.before-tests`;
  if (existsSync(policyFile) && spawnSync(policyFile, ['any', 'start']).status === startsNothing) return install();
  const existed = existsSync(policyFile);
  if (existed) renameSync(policyFile, saved);
  try {
    writeFileSync(policyFile, `#!/bin/sh\nexit ${startsNothing}\n`);
    chmodSync(policyFile, 0o755);
    return install();
  } finally {
    rmSync(policyFile, { force: true });
    if (existed) renameSync(saved, policyFile);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const named = process.argv.slice(2);
  try {
    installPackages(named.length > 0 ? named : undefined);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
