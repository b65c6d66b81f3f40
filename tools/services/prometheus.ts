import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, listens } from './ports.js';
import { scratchDirectory } from './scratch-directory.js';
import { startProcess } from './server-process.js';

export interface PrometheusSettings {
  /** The text of a file of rules. */
  readonly rules: string;
  /** Hosts and ports whose `/metrics` is scraped, as the job `glance-metrics`. */
  readonly targets: readonly string[];
}

interface Alert {
  readonly state: 'pending' | 'firing';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Prometheus {
  /** The samples that an expression has now. Throws for one that is wrong. */
  query(expression: string): Promise<readonly { readonly metric: Readonly<Record<string, string>> }[]>;
  alerts(): Promise<readonly Alert[]>;
  close(): Promise<void>;
}

/** A Prometheus of one's own that scrapes and evaluates every other second. */
export async function startPrometheus({ rules, targets }: PrometheusSettings): Promise<Prometheus> {
  const directory = scratchDirectory('memory');
  const port = await freePort();
  const config = {
    global: { scrape_interval: '2s', scrape_timeout: '2s', evaluation_interval: '1s' },
    rule_files: ['rules.yaml'],
    scrape_configs: [{ job_name: 'glance-metrics', static_configs: [{ targets }] }],
  };
  await writeFile(join(directory.path, 'rules.yaml'), rules);
  // JSON is YAML.
  await writeFile(join(directory.path, 'prometheus.yaml'), JSON.stringify(config));
  const server = await startProcess({
    command: 'prometheus',
    args: [
      `--config.file=${join(directory.path, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(directory.path, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    cwd: directory.path,
    ready: async () => (await listens(port)) && (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok,
  });
  const ask = async (path: string): Promise<never> => {
    const reply = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`);
    const body = (await reply.json()) as { status: string; error?: string; data: never };
    if (body.status !== 'success') throw new Error(`${path}: ${body.error}`);
    return body.data;
  };
  return {
    query: async (expression) => {
      const { result }: { result: never } = await ask(`query?query=${encodeURIComponent(expression)}`);
      return result;
    },
    alerts: async () => {
      const { alerts }: { alerts: never } = await ask('alerts');
      return alerts;
    },
    async close() {
      await server.kill();
      directory.remove();
    },
  };
}
