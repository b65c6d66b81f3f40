import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, listens } from './ports.js';
import { scratchDirectory } from './scratch-directory.js';
import { type ServerProcess, startProcess } from './server-process.js';

const run = promisify(execFile);
const password = 'test-password';

interface Login {
  readonly user: string;
  readonly project: string;
}

export interface Keystone {
  /** `http://127.0.0.1:port`, without a version. */
  readonly url: string;
  /** The password of every user. */
  readonly password: string;
  /** Sends a request of the Identity API v3 (`path` without `/v3`) as the administrator; throws on a refusal. */
  api(method: string, path: string, body?: object): Promise<Record<string, never>>;
  /** Ids by name. */
  project(name: string): string;
  /** Logs in and answers with the token. */
  token(login: Login): Promise<string>;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it for good; its data is gone. */
  close(): Promise<void>;
}

/** Who is there: user, project, roles. `glance` is the service user that validates tokens. */
const people = [
  ['glance', 'service', ['admin', 'service']],
  ['nova', 'service', ['service']],
  ['alice', 'apples', ['member']],
  ['rita', 'apples', ['reader']],
  ['bob', 'bananas', ['member']],
  ['carol', 'cherries', ['member']],
] as const;

/** A Keystone of one's own with SQLite, users, projects, and an image endpoint at `imageUrl`. Ready in ten seconds. */
export async function startKeystone(imageUrl: string): Promise<Keystone> {
  const directory = scratchDirectory('memory');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const config = join(directory.path, 'keystone.conf');
  await writeFile(config, configuration(directory.path));
  await install(config, url);
  let server: ServerProcess | undefined;
  const start = async (): Promise<void> => {
    server = await startProcess(serverCommand(config, port));
  };
  await start();

  const token = (login: Login): Promise<string> => logIn(url, login);
  const admin = await token({ user: 'admin', project: 'admin' });
  const api = async (method: string, path: string, body?: object): Promise<Record<string, never>> => {
    const headers = { 'x-auth-token': admin, 'content-type': 'application/json' };
    const reply = await fetch(`${url}/v3${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`);
    return (text ? JSON.parse(text) : {}) as Record<string, never>;
  };
  const projects = await populate(api, imageUrl);

  return {
    url,
    password,
    api,
    project: (name) => projects.get(name)!,
    token,
    start,
    async stop() {
      await server?.stop();
    },
    async close() {
      await server?.stop();
      directory.remove();
    },
  };
}

function configuration(directory: string): string {
  return `[DEFAULT]
log_dir = ${directory}
[database]
connection = sqlite:///${directory}/keystone.db
[fernet_tokens]
key_repository = ${directory}/fernet
[credential]
key_repository = ${directory}/credential
[oslo_messaging_notifications]
driver = noop
`;
}

async function install(config: string, url: string): Promise<void> {
  const manage = (...args: string[]): Promise<unknown> =>
    run('/usr/bin/python3', ['/usr/bin/keystone-manage', '--config-file', config, ...args]);
  const user = ['--keystone-user', 'root', '--keystone-group', 'root'];
  await manage('db_sync');
  await Promise.all([manage('fernet_setup', ...user), manage('credential_setup', ...user)]);
  const urls = ['admin', 'internal', 'public'].flatMap((kind) => [`--bootstrap-${kind}-url`, `${url}/v3`]);
  await manage('bootstrap', '--bootstrap-password', password, '--bootstrap-region-id', 'RegionOne', ...urls);
}

function serverCommand(config: string, port: number) {
  return {
    // One process without a master: nothing of it is left when it is killed.
    command: 'uwsgi_python3',
    args: [
      '--http-socket',
      `127.0.0.1:${port}`,
      '--wsgi-file',
      '/usr/bin/keystone-wsgi-public',
      '--lazy-apps',
      '--need-app',
      '--die-on-term',
      '--disable-logging',
      // It closes every connection after an answer: whoever is not told loses the next request now and then.
      '--add-header',
      'Connection: close',
      '--buffer-size',
      '65535',
    ],
    // Another Python on the path must not be taken for Debian's.
    env: {
      ...process.env,
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      OS_KEYSTONE_CONFIG_FILES: config,
      OS_KEYSTONE_CONFIG_DIR: join(config, '..'),
    },
    patience: 120_000,
    ready: async () => (await listens(port)) && (await fetch(`http://127.0.0.1:${port}/v3`)).ok,
  };
}

async function logIn(url: string, { user, project }: Login): Promise<string> {
  const domain = { id: 'default' };
  const auth = {
    identity: { methods: ['password'], password: { user: { name: user, domain, password } } },
    scope: { project: { name: project, domain } },
  };
  const reply = await fetch(`${url}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth }),
  });
  const token = reply.headers.get('x-subject-token');
  if (token === null) throw new Error(`${user} could not log in: ${reply.status} ${await reply.text()}`);
  return token;
}

type Api = (method: string, path: string, body?: object) => Promise<Record<string, { id: string }>>;

async function populate(api: Api, imageUrl: string): Promise<Map<string, string>> {
  const make = async (kind: string, name: string, more: object): Promise<string> =>
    (await api('POST', `/${kind}s`, { [kind]: { name, ...more } }))[kind]!.id;
  const roles = new Map<string, string>();
  for (const role of ((await api('GET', '/roles')) as unknown as { roles: { id: string; name: string }[] }).roles) {
    roles.set(role.name, role.id);
  }
  if (!roles.has('service')) roles.set('service', await make('role', 'service', {}));
  const projects = new Map<string, string>();
  for (const [name, projectName, roleNames] of people) {
    const project = projects.get(projectName) ?? (await make('project', projectName, { domain_id: 'default' }));
    projects.set(projectName, project);
    const user = await make('user', name, { domain_id: 'default', password, default_project_id: project });
    for (const role of roleNames) await api('PUT', `/projects/${project}/users/${user}/roles/${roles.get(role)!}`);
  }
  const service = await make('service', 'glance', { type: 'image' });
  for (const face of ['public', 'internal', 'admin']) {
    await api('POST', '/endpoints', {
      endpoint: { service_id: service, interface: face, url: imageUrl, region_id: 'RegionOne' },
    });
  }
  return projects;
}
