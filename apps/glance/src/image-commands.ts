import { isServiceError } from '@glance/domain';
import type { Held, Holder } from '@glance/store';
import { serviceConfig, type ToolCommand } from './config-commands.js';
import type { Context } from './program.js';
import { configuredStores } from './stores.js';

/** What `glance image …` tells of the data of an image. */
export const imageCommands: Readonly<Record<string, ToolCommand>> = {
  'image holders': {
    summary:
      'List what keeps the data of an image in Ceph, deleted or not: clones, snapshots of others, and clients that have ' +
      'it open. Exits with 0, or with 1 if no store has data of it or one cannot be asked.',
    arguments: 'IMAGE_ID',
    run: holders,
  },
};

/** Milliseconds that a store has for its answer. */
const patience = 60_000;

async function holders(context: Context): Promise<number> {
  const [image = ''] = context.commandLine.arguments;
  const stores = await configuredStores(await serviceConfig(context), context.log);
  let found = 0;
  let failed = false;
  try {
    for (const id of stores.ids) {
      try {
        for (const held of await stores.get(id).held(image, AbortSignal.timeout(patience))) {
          found += 1;
          for (const line of lines(id, held)) process.stdout.write(`${line}\n`);
        }
      } catch (error) {
        if (!isServiceError(error)) throw error;
        failed = true;
        process.stderr.write(`glance: store ${id}: ${error.message}\n`);
      }
    }
  } finally {
    await stores.close();
  }
  if (found === 0 && !failed) process.stderr.write(`glance: no store in Ceph has data of an image ${image}\n`);
  return found === 0 || failed ? 1 : 0;
}

function lines(store: string, { name, trash, holders: all, command }: Held): string[] {
  return [
    `store ${store}: ${name}${trash ? ', deleted and in the trash' : ''}: ${all.length === 0 ? 'nothing holds it' : 'held by'}`,
    ...all.map((holder) => `  ${described(holder, command)}`),
  ];
}

function described({ kind, name, trash }: Holder, command: string): string {
  if (name === undefined) return `clone    in a pool that this user may not read; as an administrator: ${command}`;
  const note = { clone: trash ? 'in the trash' : '', snapshot: 'not of this service', client: 'has it open' }[kind];
  return `${kind.padEnd(8)} ${name}${note === '' ? '' : `, ${note}`}`;
}
