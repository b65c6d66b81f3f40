import { existsSync } from 'node:fs';
import type { Config, Program } from '@glance/config';
import { isServiceError } from '@glance/domain';
import { examinedConfig } from '../config-commands.js';
import { type Context, runProgram } from '../program.js';
import { schemaState } from '../schema-state.js';
import { version } from '../version.js';

// Glance: the results, the table and the exit codes are those of oslo.upgradecheck, which deployment tools know.
type Result = 'Success' | 'Warning' | 'Failure';

interface Finding {
  readonly check: string;
  readonly result: Result;
  readonly details?: string;
}

const exitCodes: Readonly<Record<Result, number>> = { Success: 0, Warning: 1, Failure: 2 };

const program: Program = {
  name: 'glance-status',
  version,
  summary: 'Says whether this release can take over from the one that runs.',
  configFiles: ['glance-api', 'glance-registry'],
  declarations: [],
  commands: {
    'upgrade check': {
      summary: 'Look at configuration, policies and schema. Exits with 0, with 1 for warnings, with 2 for failures.',
    },
  },
};

async function body(context: Context): Promise<number> {
  const findings = await findingsOf(context);
  process.stdout.write(table(findings));
  return Math.max(...findings.map(({ result }) => exitCodes[result]));
}

async function findingsOf(context: Context): Promise<Finding[]> {
  const { config, problems } = await examinedConfig(context);
  if (problems) return [{ check: 'Configuration', result: 'Failure', details: problems.join('; ') }];
  const { warnings } = config;
  return [
    { check: 'Configuration', ...(warnings.length === 0 ? fine : { result: 'Warning', details: warnings.join('; ') }) },
    { check: 'Policy file', ...policyFile(config) },
    { check: 'Database schema', ...(await schema(config)) },
  ];
}

const fine = { result: 'Success' } as const;

function policyFile(config: Config): Omit<Finding, 'check'> {
  const file = config.locate('policy.json');
  if (!existsSync(file)) return fine;
  return { result: 'Warning', details: `${file} is not read any more: bring its rules into policy.yaml.` };
}

async function schema(config: Config): Promise<Omit<Finding, 'check'>> {
  try {
    const state = await schemaState(config);
    if (state === 'current') return fine;
    const details = `Run: glance-manage db ${state}`;
    // Until then the new release does not start; what comes later can wait.
    return { result: state === 'expand' ? 'Failure' : 'Warning', details };
  } catch (error) {
    if (!isServiceError(error)) throw error;
    return { result: 'Failure', details: error.message };
  }
}

const width = 77;

function table(findings: readonly Finding[]): string {
  const border = `+${'-'.repeat(width)}+`;
  const row = (text: string): string => `| ${text.padEnd(width - 1)}|`;
  const rows = findings.flatMap(({ check, result, details }) => [
    row(`Check: ${check}`),
    row(`Result: ${result}`),
    row(`Details: ${details ?? 'None'}`),
    border,
  ]);
  return `${[border, row('Upgrade Check Results'), border, ...rows].join('\n')}\n`;
}

await runProgram(program, body);
