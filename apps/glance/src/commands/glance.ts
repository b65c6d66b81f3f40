import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { apiDeclarations, readApiSettings } from '@glance/api';
import type { Program } from '@glance/config';
import { databaseOptions, manage } from '@glance/registry';
import { inProcess } from '@glance/rpc';
import { scrubberOptions } from '@glance/scrubber';
import { adminOptions } from '../admin-port.js';
import { configCommands } from '../config-commands.js';
import { doctorCommands } from '../doctor-commands.js';
import { imageCommands } from '../image-commands.js';
import { launcherOptions, messagingDeclarations, registryDeclarations } from '../config.js';
import { type Context, runProgram, type Running } from '../program.js';
import { startService } from '../service.js';
import { stagingDirectory } from '../staging.js';
import { openFileStore } from '../stores.js';
import { version } from '../version.js';

const tools = { ...configCommands, ...doctorCommands, ...imageCommands };

const program: Program = {
  name: 'glance',
  version,
  summary:
    'Runs the whole image service in one process, with SQLite and files in one directory. There is no authentication, ' +
    'so it listens on this machine only.',
  configFiles: [],
  declarations: [
    ...apiDeclarations,
    ...registryDeclarations,
    ...messagingDeclarations,
    scrubberOptions,
    adminOptions,
    launcherOptions,
  ],
  commands: { '': { summary: 'Run the service.' }, ...tools },
};

async function body(context: Context): Promise<Running | number> {
  const command = tools[context.commandLine.command ?? ''];
  return command ? command.run(context) : launch(context);
}

async function launch({ config, log }: Context): Promise<Running> {
  const { dataDir, bindHost, bindPort } = config.read(launcherOptions);
  const directory = resolve(dataDir);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const database = {
    ...config.read(databaseOptions),
    connection: `sqlite:///${join(directory, 'glance.sqlite')}`,
  };
  await prepare(database);
  const staging = await stagingDirectory(config, join(directory, 'staging'), null);
  await staging.store.open();
  const service = await startService({
    config,
    logger: log,
    api: { ...readApiSettings(config), bindHost, bindPort, flavor: undefined },
    database,
    broker: inProcess(log),
    stores: await openFileStore(config, join(directory, 'images')),
    staging,
    scrub: 'all',
  });
  process.stdout.write(welcome(service.url, directory));
  return service;
}

async function prepare(settings: Parameters<typeof manage.connect>[0]): Promise<void> {
  const database = await manage.connect(settings);
  try {
    const isNew = (await manage.databaseVersion(database)) === null;
    await manage.syncDatabase(database);
    if (isNew) await manage.loadMetadefs(database);
  } finally {
    await database.close();
  }
}

function welcome(url: string, directory: string): string {
  return `
The image service listens on ${url}
Its data is in ${directory}
There is no authentication: whoever reaches this address is an administrator.

Try:
  curl -s ${url}/v2/images
  curl -s ${url}/v2/images -d '{"name": "hello", "disk_format": "raw", "container_format": "bare"}'
  openstack --os-auth-type none --os-endpoint ${url} image list

`;
}

await runProgram(program, body);
