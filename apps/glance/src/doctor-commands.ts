import { asksKeystone, readApiSettings } from '@glance/api';
import type { Config } from '@glance/config';
import { type Finding, isServiceError } from '@glance/domain';
import { examineKeystone } from '@glance/keystone';
import { databaseOptions, limitAccount, manage, readQuotaSettings } from '@glance/registry';
import { examineBroker } from '@glance/rpc';
import { examinedConfig, type ToolCommand } from './config-commands.js';
import type { Log } from './log.js';
import { contracts } from './metrics/sources.js';
import type { Context } from './program.js';
import { brokerSettings } from './service.js';
import { examineStaging } from './staging.js';
import { configuredStores, examineStores } from './stores.js';

type Findings = AsyncIterable<Finding & { readonly of: string }>;

interface Scene {
  readonly config: Config;
  readonly log: Log;
}

type Examination = (scene: Scene) => Findings;

const stores: Examination = ({ config }) => examineStores(config);

const exit = 'Exits with 0, or with 1 if something is wrong.';

/** What `glance doctor …` looks at: each thing that is wrong is told with the commands that mend it. */
export const doctorCommands: Readonly<Record<string, ToolCommand>> = {
  'doctor all': {
    summary: `Look at everything below, and at every store. ${exit}`,
    run: (context) => examine(context, [database, broker, keystone, staging, stores]),
  },
  'doctor database': {
    summary: `Look at the configuration and the database: its schema, its character set and its clock. ${exit}`,
    run: (context) => examine(context, [database]),
  },
  'doctor broker': {
    summary:
      'Look at each host of the message broker, the login, and the rights, by an exchange and a queue that are made and ' +
      `removed again. ${exit}`,
    run: (context) => examine(context, [broker]),
  },
  'doctor keystone': {
    summary: `Look at the login of the service at Keystone, the clock, and the image endpoints of the catalogue. ${exit}`,
    run: (context) => examine(context, [keystone]),
  },
  'doctor staging': {
    summary: `Look at the directory where data waits for its import, and the room there. ${exit}`,
    run: (context) => examine(context, [staging]),
  },
  'doctor ceph': {
    summary:
      'Look at everything that stores in Ceph need: librbd, the ceph.conf, each monitor, the key, the pool, the rights, ' +
      `by an image that is made and removed again. ${exit}`,
    run: (context) => examine(context, [({ config }) => examineStores(config, 'rbd')]),
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
    for await (const { of, ...finding } of examination({ config, log: context.log })) {
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

async function* database({ config }: Scene): Findings {
  const of = 'database';
  const fact = 'it can be reached';
  try {
    const server = await manage.connect(config.read(databaseOptions));
    try {
      const state = await manage.checkDatabase(server);
      yield { of, fact };
      yield {
        of,
        fact: 'its schema is that of this version',
        ...(state !== 'current' && {
          problem: 'its schema is older than this version',
          remedy: `glance-manage db ${state}`,
        }),
      };
      yield* about(of, manage.examineServer(server));
    } finally {
      await server.close();
    }
  } catch (error) {
    if (!isServiceError(error)) throw error;
    yield { of, fact, problem: error.message };
  }
}

async function* broker({ config }: Scene): Findings {
  const of = 'broker';
  const settings = brokerSettings(config);
  if (settings) yield* about(of, examineBroker(settings, contracts));
  else yield { of, fact: 'none is used: the registry runs in the process of the api' };
}

async function* keystone({ config }: Scene): Findings {
  const of = 'keystone';
  const { flavor, keystone: login, publicEndpoint } = readApiSettings(config);
  const { limits } = readQuotaSettings(config);
  if (asksKeystone(flavor) && login) {
    yield* about(of, examineKeystone({ ...login, group: '[keystone_authtoken]' }, publicEndpoint));
  } else yield { of, fact: '[paste_deploy] flavor: it is not asked who callers are' };
  if (limits) yield* about(`${of}, limits`, examineKeystone(limitAccount(limits), publicEndpoint));
}

async function* staging({ config, log }: Scene): Findings {
  const stores = await configuredStores(config, log);
  yield* about('staging', examineStaging(config, stores));
  await stores.close();
}

async function* about(of: string, findings: AsyncIterable<Finding>): Findings {
  for await (const finding of findings) yield { of, ...finding };
}
