import { createInterface } from 'node:readline/promises';
import { type Command, declare, flag, integer, type Program, text, type ValuesOf } from '@glance/config';
import { ServiceError } from '@glance/domain';
import { KeystoneClient } from '@glance/keystone';
import { type Answer, askApi } from '../ask-api.js';
import { type Context, runProgram } from '../program.js';
import { version } from '../version.js';

const options = declare('DEFAULT', {
  host: text({ default: '0.0.0.0', short: 'H', help: 'Address of the host whose cache is meant.' }),
  port: integer({ default: 9292, min: 1, max: 65535, short: 'p', help: 'Port of its API.' }),
  insecure: flag({
    default: false,
    short: 'k',
    help: 'Use TLS, and do not check the certificate of the API or of Keystone.',
  }),
  force: flag({ default: false, short: 'f', help: 'Do not ask before something is changed.' }),
  verbose: flag({ default: false, short: 'v', help: 'Say what was done.' }),
  // Glance: each of these is also read from the variable of its name, as by other clients.
  ...login({
    os_auth_token: 'A token of Keystone.',
    os_username: 'Name of a user at Keystone.',
    os_password: 'Password of the user.',
    os_project_id: 'Id of the project.',
    os_project_name: 'Name of the project.',
    os_user_domain_id: 'Id of the domain of the user.',
    os_project_domain_id: 'Id of the domain of the project.',
    os_auth_url: 'URL of Keystone.',
    os_region_name: 'Without effect: the host is named by --host.',
  }),
});

function login<K extends string>(helps: Readonly<Record<K, string>>): Record<K, ReturnType<typeof text>> {
  const entries = Object.entries<string>(helps).map(([name, help]) => {
    const secret = name === 'os_password' || name === 'os_auth_token';
    return [name, text({ cli: true, secret, help: `${help} Also as ${name.toUpperCase()} in the environment.` })];
  });
  return Object.fromEntries(entries) as Record<K, ReturnType<typeof text>>;
}

interface CachedImage {
  readonly image_id: string;
  readonly last_accessed: number;
  readonly last_modified: number;
  readonly size: number;
  readonly hits: number;
}

interface State {
  readonly cached_images: readonly CachedImage[];
  readonly queued_images: readonly string[];
}

type Ask = (method: string, path: string, headers?: Readonly<Record<string, string>>) => Promise<Answer>;

interface CacheCommand extends Command {
  /** What is asked before it is done. */
  readonly question?: (id: string) => string;
  /** Answers with what is to be printed, and with --verbose. */
  run(ask: Ask, id: string): Promise<{ readonly text?: string; readonly done?: string }>;
}

const state = async (ask: Ask): Promise<State> => JSON.parse((await ask('GET', '/v2/cache')).body) as State;
const time = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 19);

const one = (method: string, question: string, done: string): Omit<CacheCommand, 'summary'> => ({
  arguments: 'IMAGE_ID',
  question: (id) => question.replace('ID', id),
  async run(ask, id) {
    await ask(method, `/v2/cache/${encodeURIComponent(id)}`);
    return { done: done.replace('ID', id) };
  },
});

const all = (target: 'cache' | 'queue', question: string, done: string): Omit<CacheCommand, 'summary'> => ({
  question: () => question,
  async run(ask) {
    await ask('DELETE', '/v2/cache', { 'x-image-cache-clear-target': target });
    return { done };
  },
});

const commands: Readonly<Record<string, CacheCommand>> = {
  'list-cached': {
    summary: 'Show the images in the cache.',
    async run(ask) {
      const { cached_images: images } = await state(ask);
      if (images.length === 0) return { text: 'No cached images.' };
      const rows = images.map((image) => [
        image.image_id,
        image.last_accessed === 0 ? 'N/A' : time(image.last_accessed),
        time(image.last_modified),
        String(image.size),
        String(image.hits),
      ]);
      const head = ['ID', 'Last Accessed (UTC)', 'Last Modified (UTC)', 'Size', 'Hits'];
      return { text: `Found ${images.length} cached images...\n${table([head, ...rows])}` };
    },
  },
  'list-queued': {
    summary: 'Show the images that wait to be cached.',
    async run(ask) {
      const { queued_images: ids } = await state(ask);
      if (ids.length === 0) return { text: 'No queued images.' };
      return { text: `Found ${ids.length} queued images...\n${table([['ID'], ...ids.map((id) => [id])])}` };
    },
  },
  'queue-image': {
    summary: 'Bring an image into the cache.',
    ...one('PUT', 'Queue image ID for caching?', 'Queued image ID for caching'),
  },
  'delete-cached-image': {
    summary: 'Remove an image from the cache.',
    ...one('DELETE', 'Delete cached image ID?', 'Deleted cached image ID'),
  },
  'delete-all-cached-images': {
    summary: 'Remove all images from the cache.',
    ...all('cache', 'Delete all cached images?', 'Deleted all cached images'),
  },
  'delete-queued-image': {
    summary: 'Let an image wait no more; if it is cached already, it goes, too.',
    ...one('DELETE', 'Delete queued image ID?', 'Deleted queued image ID'),
  },
  'delete-all-queued-images': {
    summary: 'Let no image wait any more.',
    ...all('queue', 'Delete all queued images?', 'Deleted all queued images'),
  },
};

const program: Program = {
  name: 'glance-cache-manage',
  version,
  summary: 'Shows and changes the image cache of a host, by its API.',
  configFiles: [],
  declarations: [options],
  commands,
};

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const border = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`;
  const lines = rows.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`);
  return [border, lines[0]!, border, ...lines.slice(1), border].join('\n');
}

type Login = ValuesOf<typeof options>;

/** A token of Keystone; undefined for an API without a login. */
async function tokenOf(given: Login, environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  const of = (value: string | undefined, variable: string): string | undefined => value ?? environment[variable];
  const token = of(given.osAuthToken, 'OS_AUTH_TOKEN');
  const username = of(given.osUsername, 'OS_USERNAME');
  if (token !== undefined || username === undefined) return token;
  const keystone = new KeystoneClient({
    group: 'the options of the log-in:',
    authType: 'password',
    authUrl: of(given.osAuthUrl, 'OS_AUTH_URL'),
    username,
    password: of(given.osPassword, 'OS_PASSWORD'),
    userDomainId: of(given.osUserDomainId, 'OS_USER_DOMAIN_ID'),
    userDomainName: environment['OS_USER_DOMAIN_NAME'],
    projectId: of(given.osProjectId, 'OS_PROJECT_ID'),
    projectName: of(given.osProjectName, 'OS_PROJECT_NAME'),
    projectDomainId: of(given.osProjectDomainId, 'OS_PROJECT_DOMAIN_ID'),
    projectDomainName: environment['OS_PROJECT_DOMAIN_NAME'],
    insecure: given.insecure,
    httpConnectTimeout: 30,
    httpRequestMaxRetries: 1,
  });
  try {
    return await keystone.token();
  } finally {
    keystone.close();
  }
}

async function confirmed(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

async function body({ config, commandLine }: Context): Promise<number> {
  const given = config.read(options);
  const command = commands[commandLine.command!]!;
  const [id = ''] = commandLine.arguments;
  if (command.arguments !== undefined && !/^[0-9a-f-]{36}$/i.test(id)) {
    throw new ServiceError('Invalid', `Image ID '${id}' is not a valid UUID.`);
  }
  if (command.question && !given.force && !(await confirmed(command.question(id)))) return 0;
  const token = await tokenOf(given, process.env);
  const base = `${given.insecure ? 'https' : 'http'}://${given.host}:${given.port}`;
  const ask: Ask = (method, path, headers = {}) =>
    askApi(method, base + path, { ...headers, ...(token !== undefined && { 'x-auth-token': token }) });
  const { text: shown, done } = await command.run(ask, id);
  if (shown !== undefined) process.stdout.write(`${shown}\n`);
  if (done !== undefined && given.verbose) process.stdout.write(`${done}\n`);
  return 0;
}

await runProgram(program, body);
