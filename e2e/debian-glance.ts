import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../tools/services/ports.js';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { startProcess } from '../tools/services/server-process.js';
import { run } from './command.js';
import { isHealthy } from './service.js';

/** The Glance of Debian's packages on a database and a directory of files that others use, too. */
export interface DebianGlance {
  /** Its own `glance-manage`. */
  manage(...args: string[]): Promise<string>;
  /** Its own `glance-scrubber`, once. */
  scrub(): Promise<void>;
  /** Does `work` while its API is served at `url`. */
  serving<T>(work: (url: string) => Promise<T>): Promise<T>;
  remove(): void;
}

/** `settings`: further options of the group [DEFAULT]. */
export function debianGlance(
  databaseUrl: string,
  storeDirectory: string,
  settings: Readonly<Record<string, string | number>> = {},
): DebianGlance {
  const directory = scratchDirectory('disk');
  const configFile = join(directory.path, 'glance-api.conf');
  const policyFile = join(directory.path, 'policy.yaml');
  const configure = (port: number): void => writeFileSync(configFile, configuration(port));
  // Who calls without a login may do everything.
  writeFileSync(policyFile, '"context_is_admin": "@"\n"publicize_image": "@"\n"communitize_image": "@"\n');

  function configuration(port: number): string {
    return [
      '[DEFAULT]',
      'bind_host = 127.0.0.1',
      `bind_port = ${port}`,
      'workers = 1',
      'show_multiple_locations = true',
      ...Object.entries(settings).map(([key, value]) => `${key} = ${value}`),
      '[database]',
      // SQLAlchemy writes the character set of MySQL otherwise than the server's default.
      `connection = ${databaseUrl}${databaseUrl.startsWith('mysql') ? '?charset=utf8' : ''}`,
      '[glance_store]',
      'stores = file,http',
      'default_store = file',
      `filesystem_store_datadir = ${storeDirectory}`,
      '[paste_deploy]',
      'config_file = /usr/share/glance-common/glance-api-paste.ini',
      // Images may lie on a web server of this machine.
      '[import_filtering_opts]',
      'allowed_hosts = [127.0.0.1]',
      'allowed_ports = []',
      '[oslo_concurrency]',
      `lock_path = ${directory.path}`,
      '[oslo_policy]',
      `policy_file = ${policyFile}`,
      '',
    ].join('\n');
  }

  configure(0);
  return {
    async manage(...args) {
      return (await run('/usr/bin/glance-manage', ['--config-file', configFile, ...args], { cwd: directory.path }))
        .stdout;
    },
    async scrub() {
      await run('/usr/bin/glance-scrubber', ['--config-file', configFile], { cwd: directory.path });
    },
    async serving(work) {
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      configure(port);
      const server = await startProcess({
        command: '/usr/bin/glance-api',
        args: ['--config-file', configFile],
        cwd: directory.path,
        ready: () => isHealthy(url),
        patience: 60_000,
      });
      try {
        return await work(url);
      } finally {
        await server.stop();
      }
    },
    remove: () => directory.remove(),
  };
}
