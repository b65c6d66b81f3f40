import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** Value of `--against` that has the Glance of Debian's package started. */
export const DEBIAN = 'debian-glance';

export interface Options {
  readonly sections: readonly string[];
  readonly size: 'smoke' | 'full';
  readonly rounds: number;
  readonly work: string;
  readonly directory: string;
  readonly json?: string;
  readonly against?: string;
  readonly token?: string;
  readonly pids: readonly number[];
  readonly own: boolean;
  readonly broker: boolean;
  readonly profiles?: string;
}

const usage = (sections: readonly string[]) => `npm run bench -- [options]

Measures the service on this machine beside yardsticks, and checks every answer.

  --section NAME    one of ${sections.join(', ')}; may be repeated (default: all)
  --size SIZE       smoke (seconds, one round) or full (minutes, five rounds; the default)
  --rounds N        another number of rounds
  --work TEXT       only pieces of work whose name contains the text, for example "list"
  --dir DIRECTORY   where images are kept meanwhile: the disk that is measured, too (default: ${tmpdir()})
  --json FILE       write every figure of every round there
  --against URL     measure another Glance v2 service in turn with ours, for example http://127.0.0.1:9292
  --against ${DEBIAN}
                    start the Glance of Debian's package glance-api, and ours as api and registry, both with two
                    workers on one MariaDB server, and measure them in turn
  --no-broker       then start ours as Glance is started: an api that needs no broker and is its own registry
  --token TOKEN     the X-Auth-Token for it; its user must be an admin
  --pids PID,…      its processes, if they run here: CPU time and memory of them and all that they have started
  --not-ours        measure only the other service
  --profiles DIR    write a CPU profile of our service there
`;

/** What the command line says; undefined when it asked for help and got it. */
export function readOptions(args: readonly string[], sections: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      section: { type: 'string', multiple: true, default: [...sections] },
      size: { type: 'string', default: 'full' },
      rounds: { type: 'string' },
      work: { type: 'string', default: '' },
      dir: { type: 'string', default: tmpdir() },
      json: { type: 'string' },
      against: { type: 'string' },
      token: { type: 'string' },
      pids: { type: 'string' },
      'not-ours': { type: 'boolean', default: false },
      'no-broker': { type: 'boolean', default: false },
      profiles: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage(sections));
    return undefined;
  }
  const unknown = values.section.find((name) => !sections.includes(name));
  if (unknown !== undefined) throw new Error(`--section ${unknown}: it is one of ${sections.join(', ')}.`);
  const size = values.size;
  if (size !== 'smoke' && size !== 'full') throw new Error(`--size ${size}: it is smoke or full.`);
  if (values['not-ours'] && values.against === undefined) throw new Error('--not-ours needs --against URL.');
  if (values['no-broker'] && values.against !== DEBIAN) throw new Error(`--no-broker needs --against ${DEBIAN}.`);
  return {
    sections: values.section,
    size,
    rounds: whole('--rounds', values.rounds ?? (size === 'full' ? '5' : '1')),
    work: values.work,
    directory: resolve(values.dir),
    pids: (values.pids?.split(',') ?? []).map((pid) => whole('--pids', pid)),
    own: !values['not-ours'],
    broker: !values['no-broker'],
    ...(values.json !== undefined && { json: resolve(values.json) }),
    ...(values.against !== undefined && { against: values.against }),
    ...(values.token !== undefined && { token: values.token }),
    ...(values.profiles !== undefined && { profiles: resolve(values.profiles) }),
  };
}

function whole(option: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`${option} ${text}: it is a whole number from 1 on.`);
  return Number(text);
}
