import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { TestProject } from 'vitest/node';
import { type Ceph, startCeph } from './ceph.js';
import { startMariadb } from './mariadb.js';
import { startRadosgw } from './radosgw.js';
import { startSwift } from './swift.js';
import { startRabbitmq } from './rabbitmq.js';

const servers = [
  { variable: 'GLANCE_TEST_MYSQL', start: startMariadb },
  { variable: 'GLANCE_TEST_RABBIT', start: startRabbitmq },
  { variable: 'GLANCE_TEST_CEPH', start: startCephByConf },
  { variable: 'GLANCE_TEST_RADOSGW', start: startGateway },
  { variable: 'GLANCE_TEST_SWIFT', start: startSwift },
];

/**
 * Starts, once per run and only for test files that name them, the servers whose URLs tests find in the environment.
 * Variables that are set already are left alone: tests then use the server they name.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // A signal ends a process without its exit handlers; those remove what the servers keep in memory.
  process.once('SIGTERM', () => process.exit(143));
  const { testFiles } = await project.globTestFiles(filters(project));
  const text = new Map<string, string>();
  for (const file of testFiles) readWithImports(file, text);
  const sources = [...text.values()];
  const wanted = servers.filter(
    ({ variable }) => !process.env[variable] && sources.some((source) => source.includes(variable)),
  );
  const started = await Promise.all(
    wanted.map(async ({ variable, start }) => {
      const server = await start();
      process.env[variable] = server.url;
      return { variable, server };
    }),
  );
  return async () => {
    await Promise.all(started.map(({ server }) => server.close()));
    for (const { variable } of started) Reflect.deleteProperty(process.env, variable);
  };
}

/** What names a cluster is its ceph.conf; that says where the keys of its users are. */
async function startCephByConf(): Promise<{ url: string; close: () => Promise<void> }> {
  const ceph = await (cluster ??= startCeph());
  return { url: ceph.conf, close: () => ceph.close() };
}

/** On the cluster that other tests have, or one of its own. */
async function startGateway(): Promise<{ url: string; close: () => Promise<void> }> {
  const ceph = await (cluster ??= startCeph());
  const gateway = await startRadosgw(ceph.conf);
  const close = async (): Promise<void> => {
    await gateway.close();
    await ceph.close();
  };
  return { url: gateway.url, close };
}

let cluster: Promise<Ceph> | undefined;

/** The file names given on the command line; vitest keeps them to itself. Without them all files count. */
function filters(project: TestProject): string[] {
  return (project.vitest as unknown as { filenamePattern?: string[] }).filenamePattern ?? [];
}

/** A suite that several specs share may be what names the server: so what they import counts, too. */
function readWithImports(file: string, text: Map<string, string>): void {
  if (text.has(file) || !existsSync(file)) return;
  const source = readFileSync(file, 'utf8');
  text.set(file, source);
  for (const [, path] of source.matchAll(/from '(\.[^']+)\.js'/g)) {
    readWithImports(`${resolve(dirname(file), path!)}.ts`, text);
  }
}
