import { type Command, type Config, ConfigError } from '@glance/config';
import { isServiceError } from '@glance/domain';
import { databaseOptions, manage } from '@glance/registry';
import type { Finding } from '@glance/store';
import { serviceConfig } from './config-commands.js';
import type { Context } from './program.js';
import { examineStores } from './stores.js';

interface DoctorCommand extends Command {
  /** Answers with the exit code. */
  run(context: Context): Promise<number>;
}

type Examination = (config: Config) => AsyncIterable<Finding & { readonly of: string }>;

const exit = 'Exits with 0, or with 1 if something is wrong.';

/** What `glance doctor …` looks at: each thing that is wrong is told with the commands that mend it. */
export const doctorCommands: Readonly<Record<string, DoctorCommand>> = {
  'doctor all': {
    summary: `Look at the configuration, the database and every store. ${exit}`,
    run: (context) => examine(context, [database, (config) => examineStores(config)]),
  },
  'doctor database': {
    summary: `Look at the configuration and the database. ${exit}`,
    run: (context) => examine(context, [database]),
  },
  'doctor ceph': {
    summary:
      'Look at everything that stores in Ceph need: librbd, the ceph.conf, each monitor, the key, the pool, the rights, ' +
      `by an image that is made and removed again. ${exit}`,
    run: (context) => examine(context, [(config) => examineStores(config, 'rbd')]),
  },
};

async function examine(context: Context, examinations: readonly Examination[]): Promise<number> {
  let config: Config;
  try {
    config = await serviceConfig(context);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) tell('configuration', { fact: '', problem });
    return 1;
  }
  let wrong = false;
  for (const examination of examinations) {
    for await (const { of, ...finding } of examination(config)) {
      tell(of, finding);
      wrong ||= finding.problem !== undefined;
    }
  }
  return wrong ? 1 : 0;
}

function tell(of: string, { fact, problem, remedy = '' }: Finding): void {
  const lines = [problem === undefined ? `ok    ${of}: ${fact}` : `WRONG ${of}: ${problem}`];
  lines.push(...remedy.split('\n').flatMap((command) => (command === '' ? [] : [`      mend it: ${command}`])));
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function* database(config: Config): AsyncIterable<Finding & { of: string }> {
  const [reached, current] = ['it can be reached', 'its schema is that of this version'];
  const of = 'database';
  try {
    const connection = await manage.connect(config.read(databaseOptions));
    try {
      const state = await manage.checkDatabase(connection);
      yield { of, fact: reached };
      if (state === 'current') yield { of, fact: current };
      else
        yield {
          of,
          fact: current,
          problem: 'its schema is older than this version',
          remedy: `glance-manage db ${state}`,
        };
    } finally {
      await connection.close();
    }
  } catch (error) {
    if (!isServiceError(error)) throw error;
    yield { of, fact: reached, problem: error.message };
  }
}
