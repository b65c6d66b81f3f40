import { type Command, type Config, declare, integer, list, type Program, text } from '@glance/config';
import type { Caller } from '@glance/domain';
import {
  databaseOptions,
  manage,
  metadefOptions,
  policyOptions,
  protectionOptions,
  readAuthorizationSettings,
} from '@glance/registry';
import { metadefCommands } from '../metadef-commands.js';
import { type Context, runProgram } from '../program.js';
import { version } from '../version.js';

type Step = Exclude<manage.SchemaState, 'current'>;

/** Glance: deployment tools tell by these numbers which step of an upgrade comes next. */
const outstanding: Readonly<Record<manage.SchemaState, number>> = { current: 0, expand: 3, migrate: 4, contract: 5 };

const sync = (step: manage.SchemaStep) => async (database: manage.Database) => {
  const state = await manage.syncDatabase(database, step);
  print(state === 'current' ? 'The database is up to date.' : `Done. Next: glance-manage db ${state}`);
  return 0;
};

function purgeOptions(age: number) {
  return declare('DEFAULT', {
    age_in_days: integer({ default: age, cli: true, help: 'Only what was deleted longer ago than so many days.' }),
    max_rows: integer({ default: 100, cli: true, help: 'At most so many rows of each table; -1 is all.' }),
  });
}

const rowOptions = purgeOptions(30);
// Glance: an id may be used again once its image is forgotten, which caches of other services do not expect.
const imageOptions = purgeOptions(180);

const purge =
  (what: typeof manage.purge, options: ReturnType<typeof purgeOptions>) =>
  async (database: manage.Database, config: Config) => {
    for (const [table, rows] of Object.entries(await what(database, config.read(options)))) {
      print(`${table}: ${rows} rows removed`);
    }
    return 0;
  };

const callerOptions = declare('DEFAULT', {
  roles: list({ default: [], cli: true, ours: true, help: 'Roles of the caller, all of them: member,reader.' }),
  service_roles: list({ default: [], cli: true, ours: true, help: 'Roles of the service that asks for the caller.' }),
  project: text({ cli: true, ours: true, help: 'Id of the caller’s project.' }),
  user: text({ cli: true, ours: true, help: 'Id of the caller.' }),
});

async function checkPolicy(database: manage.Database, { config, commandLine, log }: Context): Promise<number> {
  const { roles, serviceRoles, project, user } = config.read(callerOptions);
  const [rule = '', imageId] = commandLine.arguments;
  const lower = (words: readonly string[]): string[] => words.map((word) => word.toLowerCase());
  const caller: Caller = {
    requestId: 'req-policy-check',
    userId: user ?? null,
    projectId: project ?? null,
    roles: lower(roles),
    serviceRoles: lower(serviceRoles),
  };
  const settings = readAuthorizationSettings(config);
  const { outcome, check, source, because } = await manage.explainAccess(database, settings, log, {
    rule,
    caller,
    imageId,
  });
  print(outcome === 'hidden' ? 'hidden: for this caller there is no such image' : outcome);
  print(`${outcome === 'hidden' ? 'get_image' : rule}: ${check} (${source})`);
  for (const reason of because) print(`because of ${reason}`);
  return outcome === 'allowed' ? 0 : 1;
}

interface DatabaseCommand extends Command {
  /** Answers with the exit code. */
  run(database: manage.Database, config: Config, context: Context): Promise<number>;
}

const commands: Readonly<Record<string, DatabaseCommand>> = {
  'db sync': { summary: 'Create the schema, or bring it up to date.', arguments: '[VERSION]', run: sync('sync') },
  'db upgrade': { summary: 'The same as db sync.', arguments: '[VERSION]', run: sync('sync') },
  'db expand': { summary: 'Add what the new release needs; the old one goes on.', run: sync('expand') },
  'db migrate': { summary: 'Move data to where the new release expects it.', run: sync('migrate') },
  'db contract': { summary: 'Remove what only the old release needed.', run: sync('contract') },
  'db version': {
    summary: 'Print the revision of the schema.',
    async run(database) {
      print((await manage.databaseVersion(database)) ?? 'The database has no schema yet.');
      return 0;
    },
  },
  'db check': {
    summary: 'Exit with 0 if the schema is current, 3, 4 or 5 if expand, migrate or contract comes next.',
    async run(database) {
      const state = await manage.checkDatabase(database);
      print(state === 'current' ? 'The database is up to date.' : `Run: glance-manage db ${state satisfies Step}`);
      return outstanding[state];
    },
  },
  'db purge': {
    summary: 'Remove rows of deleted things for good, but keep those of images.',
    options: rowOptions,
    run: purge(manage.purge, rowOptions),
  },
  ...metadefCommands,
  'policy check': {
    summary: 'Say whether a caller may do something, with an image or at all, and by which rule. Exits with 0 or 1.',
    arguments: 'RULE [IMAGE]',
    options: callerOptions,
    run: (database, _, context) => checkPolicy(database, context),
  },
  'db purge_images_table': {
    summary: 'Remove rows of deleted images for good, after db purge. Their ids may then be used again.',
    options: imageOptions,
    run: purge(manage.purgeImages, imageOptions),
  },
};

const program: Program = {
  name: 'glance-manage',
  version,
  summary: 'Looks after the database, and explains policies.',
  configFiles: ['glance-api', 'glance-manage'],
  declarations: [databaseOptions, metadefOptions, policyOptions, protectionOptions],
  commands,
};

async function body(context: Context): Promise<number> {
  const { config, commandLine } = context;
  const database = await manage.connect(config.read(databaseOptions));
  try {
    return await commands[commandLine.command!]!.run(database, config, context);
  } finally {
    await database.close();
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await runProgram(program, body);
