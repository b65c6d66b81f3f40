import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startMariadb } from '../../services/mariadb.js';
import { startRabbitmq } from '../../services/rabbitmq.js';
import { run, startServer, lastWords, end, temporaryDirectory } from '../children.js';
import { type OurService, type Target, attach, freePort, startOurs } from '../target.js';

const PROGRAM = '/usr/bin/glance-api';

export interface DebianGlanceOptions {
  /** Of an empty database, or of one that has a schema already. */
  readonly connection: string;
  readonly hasSchema?: boolean;
  readonly workers: number;
  /** Content of its group `[glance_store]`. */
  readonly store: string;
  /** The database server, whose CPU time counts. */
  readonly servers?: readonly number[];
}

/** Starts the Glance of Debian's package glance-api, without authentication, with what it keeps inside of `parent`. */
export async function startDebianGlance(
  parent: string,
  { connection, hasSchema = false, workers, store, servers = [] }: DebianGlanceOptions,
): Promise<{ target: Target; stop: () => Promise<void> }> {
  const port = await freePort();
  // Its policy file would be found by ours beside its configuration.
  const directory = await temporaryDirectory(parent);
  const config = join(directory, 'debian-glance.conf');
  const policy = join(directory, 'policy.yaml');
  // Who calls without a login may do everything.
  await writeFile(policy, '"context_is_admin": "@"\n"publicize_image": "@"\n');
  await writeFile(
    config,
    `[DEFAULT]
bind_host = 127.0.0.1
bind_port = ${port}
workers = ${workers}
node_staging_uri = file://${directory}/staging
[database]
connection = ${connection}
[glance_store]
${store}
[paste_deploy]
config_file = /usr/share/glance-common/glance-api-paste.ini
[oslo_concurrency]
lock_path = ${directory}
[oslo_policy]
policy_file = ${policy}
`,
  );
  if (!hasSchema) await run('/usr/bin/glance-manage', ['--config-file', config, 'db_sync']);
  const log = join(directory, 'debian-glance.log');
  const { child, ended } = startServer(PROGRAM, ['--config-file', config], { log });
  const early = ended.then((how) => {
    throw new Error(`${how}\n${lastWords(log)}`);
  });
  const target = await Promise.race([attach(`http://127.0.0.1:${port}`, undefined, [child.pid!]), early]);
  return { target: { ...target, name: "Debian's Glance", servers }, stop: () => end(child) };
}

/**
 * Ours and Debian's with two workers each, on one MariaDB server; with a broker, our registry is a process
 * of its own. They end with the benchmark.
 */
export async function startPair(
  directory: string,
  { profiles, broker }: { readonly profiles?: string; readonly broker: boolean },
): Promise<{ ours: OurService; other: Target }> {
  const [mariadb, rabbitmq] = await Promise.all([startMariadb(), broker ? startRabbitmq() : undefined]);
  const connection = async () => `${await mariadb.createDatabase()}?charset=utf8`;
  const ours = await startOurs(directory, profiles, {
    connection: await connection(),
    ...(rabbitmq && { transportUrl: rabbitmq.url }),
    workers: 2,
  });
  const images = join(directory, 'images-of-debian-glance');
  await mkdir(images);
  const other = await startDebianGlance(directory, {
    connection: await connection(),
    workers: 2,
    store: `stores = file\ndefault_store = file\nfilesystem_store_datadir = ${images}`,
    servers: [mariadb.pid],
  });
  const target = { ...ours.target, servers: [mariadb.pid, ...(rabbitmq ? [rabbitmq.pid] : [])] };
  return { ours: { ...ours, target }, other: other.target };
}
