import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run, startServer, lastWords, end } from '../children.js';
import { attach, freePort, type Target } from '../target.js';

const PROGRAM = '/usr/bin/glance-api';

export interface DebianGlanceOptions {
  /** Of an empty database. */
  readonly connection: string;
  readonly workers: number;
  /** Content of its group `[glance_store]`. */
  readonly store: string;
  /** The database server, whose CPU time counts. */
  readonly servers?: readonly number[];
}

/** Starts the Glance of Debian's package glance-api, without authentication, with what it keeps in `directory`. */
export async function startDebianGlance(
  directory: string,
  { connection, workers, store, servers = [] }: DebianGlanceOptions,
): Promise<{ target: Target; stop: () => Promise<void> }> {
  const port = await freePort();
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
node_staging_uri = file://${directory}/staging-of-debian-glance
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
  await run('/usr/bin/glance-manage', ['--config-file', config, 'db_sync']);
  const log = join(directory, 'debian-glance.log');
  const { child, ended } = startServer(PROGRAM, ['--config-file', config], { log });
  const early = ended.then((how) => {
    throw new Error(`${how}\n${lastWords(log)}`);
  });
  const target = await Promise.race([attach(`http://127.0.0.1:${port}`, undefined, [child.pid!]), early]);
  return { target: { ...target, name: "Debian's Glance", servers }, stop: () => end(child) };
}
