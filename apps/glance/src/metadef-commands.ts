import { type Config, declare, flag, text } from '@glance/config';
import { manage, metadefOptions } from '@glance/registry';
import type { Context } from './program.js';

const pathOption = (help: string) => text({ cli: true, ours: true, help });

const loadOptions = declare('DEFAULT', {
  path: pathOption('File or directory to load; by default metadata_source_path.'),
  merge: flag({ default: false, cli: true, ours: true, help: 'Add to namespaces that exist what they lack.' }),
  prefer_new: flag({ default: false, cli: true, ours: true, help: 'With --merge: replace what they have, too.' }),
  overwrite: flag({ default: false, cli: true, ours: true, help: 'With --merge: replace them as a whole.' }),
});
const exportOptions = declare('DEFAULT', {
  path: pathOption('Directory to write to; by default metadata_source_path.'),
});

/** What `glance-manage` does with metadata definitions. */
export const metadefCommands = {
  'db load_metadefs': {
    summary: 'Load metadata definitions; namespaces that exist stay as they are.',
    arguments: '[PATH [MERGE [PREFER_NEW [OVERWRITE]]]]',
    options: loadOptions,
    run: load,
  },
  'db unload_metadefs': {
    summary: 'Remove all metadata definitions.',
    async run(database: manage.Database) {
      await manage.unloadMetadefs(database);
      return 0;
    },
  },
  'db export_metadefs': {
    summary: 'Write all metadata definitions to files.',
    arguments: '[PATH]',
    options: exportOptions,
    run: save,
  },
} as const;

async function load(database: manage.Database, config: Config, { commandLine }: Context): Promise<number> {
  const given = config.read(loadOptions);
  const [path, ...words] = commandLine.arguments;
  // Glance: db_load_metadefs takes what is not empty for yes, by its place.
  const [merge, preferNew, overwrite] = [given.merge, given.preferNew, given.overwrite].map(
    (option, place) => option || Boolean(words[place]),
  );
  if ((preferNew || overwrite) && !merge) return refuse('--prefer_new and --overwrite need --merge beside them');
  if (preferNew && overwrite) return refuse('--prefer_new and --overwrite exclude each other');
  const existing = overwrite ? 'overwrite' : preferNew ? 'prefer-new' : merge ? 'merge' : 'keep';
  const source = path ?? given.path ?? config.read(metadefOptions).metadataSourcePath;
  const { loaded, kept, failed } = await manage.loadMetadefs(database, source, existing);
  print(`${loaded.length} namespaces loaded, ${kept.length} kept as they were`);
  for (const { file, reason } of failed) process.stderr.write(`${file} could not be loaded: ${reason}\n`);
  return failed.length === 0 ? 0 : 1;
}

async function save(database: manage.Database, config: Config, { commandLine }: Context): Promise<number> {
  const directory =
    commandLine.arguments[0] ?? config.read(exportOptions).path ?? config.read(metadefOptions).metadataSourcePath;
  if (directory === undefined) return refuse('say where to write to: --path DIRECTORY');
  const files = await manage.exportMetadefs(database, directory);
  print(`${files.length} namespaces written to ${directory}`);
  return 0;
}

function refuse(why: string): number {
  process.stderr.write(`glance-manage: ${why}\n`);
  return 2;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
