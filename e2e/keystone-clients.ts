import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Keystone } from '../tools/services/keystone.js';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import type { CommandOptions, CommandResult } from './command.js';
import { runClient } from './python-clients.js';

type Login = Parameters<Keystone['token']>[0];

/** Debian's OpenStack clients as somebody who logs in with a password. */
interface LoggedInClients {
  openstack(...args: string[]): Promise<string>;
  /** As `openstack`, for commands that are to fail. */
  openstackFails(...args: string[]): Promise<CommandResult>;
  /** As `openstack`, its output parsed. */
  openstackJson(...args: string[]): Promise<unknown>;
  glance(...args: string[]): Promise<string>;
  glanceFails(...args: string[]): Promise<CommandResult>;
}

/** Where the clients keep their own files, and tests theirs. */
export interface Desk {
  readonly directory: string;
  as(login: Login): LoggedInClients;
  close(): void;
}

/** Clients of a Keystone, which tells them where the images are. */
export function keystoneClients(keystone: Keystone): Desk {
  const directory = scratchDirectory('disk');
  return {
    directory: directory.path,
    as(login) {
      const home = join(directory.path, `${login.user}-${login.project}`);
      mkdirSync(home, { recursive: true });
      const options = { cwd: directory.path, env: environment(keystone, login, home) };
      const openstack = (args: string[], more: CommandOptions = {}): Promise<CommandResult> =>
        runClient('openstack', args, { ...options, input: 'empty', ...more });
      return {
        openstack: async (...args) => (await openstack(args)).stdout,
        openstackFails: (...args) => openstack(args, { failure: 'answer' }),
        openstackJson: async (...args) => JSON.parse((await openstack([...args, '-f', 'json'])).stdout) as unknown,
        glance: async (...args) => (await runClient('glance', args, options)).stdout,
        glanceFails: (...args) => runClient('glance', args, { ...options, failure: 'answer' }),
      };
    },
    close: () => directory.remove(),
  };
}

function environment(keystone: Keystone, { user, project }: Login, home: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    HOME: home,
    OS_AUTH_URL: `${keystone.url}/v3`,
    OS_IDENTITY_API_VERSION: '3',
    OS_USERNAME: user,
    OS_PASSWORD: keystone.password,
    OS_PROJECT_NAME: project,
    OS_USER_DOMAIN_ID: 'default',
    OS_PROJECT_DOMAIN_ID: 'default',
    OS_REGION_NAME: 'RegionOne',
  };
}
