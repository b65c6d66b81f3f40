import type { Config } from '@glance/config';
import { isServiceError } from '@glance/domain';
import type { Finding } from '@glance/store';
import { examinedConfig, type ToolCommand } from './config-commands.js';
import type { Context } from './program.js';
import { schemaState } from './schema-state.js';
import { examineStores } from './stores.js';

type Examination = (config: Config) => AsyncIterable<Finding & { readonly of: string }>;

const exit = 'Exits with 0, or with 1 if something is wrong.';

/** What `glance doctor …` looks at: each thing that is wrong is told with the commands that mend it. */
export const doctorCommands: Readonly<Record<string, ToolCommand>> = {
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
  const { config, problems } = await examinedConfig(context);
  if (problems) {
    for (const problem of problems) tell('configuration', { fact: '', problem });
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
    const state = await schemaState(config);
    yield { of, fact: reached };
    const remedy = `glance-manage db ${state}`;
    yield {
      of,
      fact: current,
      ...(state !== 'current' && { problem: 'its schema is older than this version', remedy }),
    };
  } catch (error) {
    if (!isServiceError(error)) throw error;
    yield { of, fact: reached, problem: error.message };
  }
}
