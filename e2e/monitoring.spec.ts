import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Prometheus, startPrometheus } from '../tools/services/prometheus.js';
import { run } from './command.js';
import { json, send } from './http.js';
import { type ImageClient, imageClient } from './image-client.js';
import { install, type Installation, type Part } from './installation.js';
import { root, target } from './service.js';
import { until } from './until.js';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string; readonly runbook: string };
}
interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const monitoring = join(root, 'deploy/monitoring');
const rulesFile = readFileSync(join(monitoring, 'alert-rules.yaml'), 'utf8');
const { rules } = (parse(rulesFile) as { groups: { rules: Rule[] }[] }).groups[0]!;
const { panels } = JSON.parse(readFileSync(join(monitoring, 'grafana-dashboard.json'), 'utf8')) as { panels: Panel[] };
const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const));

const KiB = 1024;

describe.runIf(target === 'ours')('a Prometheus', () => {
  let service: Installation;
  let prometheus: Prometheus;
  let api: Part;
  let registry: Part;
  let scrubber: Part;
  let images: ImageClient;

  beforeAll(async () => {
    service = await install();
    // A disk that can be filled, and taken away.
    await run('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'none', service.storeDirectory]);
    [api, registry, scrubber] = await Promise.all([
      service.part('glance-api', { workers: 2 }),
      service.part('glance-registry', {}, { OS_DATABASE__MAX_POOL_SIZE: '2', OS_DATABASE__MAX_OVERFLOW: '0' }),
      service.part('glance-scrubber', { wakeup_time: 1 }),
    ]);
    await Promise.all([api.start(), registry.start(), scrubber.start()]);
    images = imageClient(api.url);
    prometheus = await startPrometheus({
      // What lasts long enough to alert somebody would be too long for a test.
      rules: rulesFile.replaceAll(/^ *for: .*\n/gm, ''),
      targets: service.parts.map(({ adminUrl }) => new URL(adminUrl).host),
    });
  });
  afterAll(async () => {
    await prometheus.close();
    await run('umount', ['-l', service.storeDirectory]);
    await service.close();
  });

  const firing = async (): Promise<string[]> => {
    const names = (await prometheus.alerts()).map(({ labels }) => labels['alertname']!);
    return [...new Set(names)].sort();
  };
  const fires = (name: string): Promise<void> => until(`${name} fires`, async () => (await firing()).includes(name));
  const isOver = (name: string): Promise<void> =>
    until(`${name} is over`, async () => !(await firing()).includes(name));

  async function importing(data: string): Promise<void> {
    const id = await images.create({ disk_format: 'raw' });
    const file = `${api.url}/v2/images/${id}`;
    const octets = { 'content-type': 'application/octet-stream' };
    await send('PUT', `${file}/stage`, { headers: octets, body: Buffer.from(data, 'latin1') });
    const body = JSON.stringify({ method: { name: 'glance-direct' } });
    await send('POST', `${file}/import`, { headers: { 'content-type': 'application/json' }, body });
    await until('the import is over', async () => {
      const { tasks } = json(await send('GET', `${file}/tasks`)) as { tasks: { status: string }[] };
      return tasks.every(({ status }) => ['success', 'failure'].includes(status));
    });
  }

  it('finds every metric that an alert looks at', async () => {
    const id = await images.create();
    await images.upload(id, Buffer.alloc(64 * KiB));
    await images.download(id);
    await images.remove(id);
    await importing('some bytes');
    const names = rules.flatMap(({ expr }) => expr.match(/\b(?:glance|http_server|db_client)_\w+/g) ?? []);
    for (const name of new Set(names)) {
      await until(`there is ${name}`, async () => (await prometheus.query(name)).length > 0);
    }
  });

  it.each(queries)('has an answer for "%s": %s', async (_, expression) => {
    const asked = expression.replaceAll('$__rate_interval', '1m');
    await until('there are samples', async () => (await prometheus.query(asked)).length > 0);
  });

  it('alerts nobody of a service that is well, and can evaluate every rule', async () => {
    for (const { expr, annotations } of rules) {
      await prometheus.query(expr);
      expect(annotations.runbook.length).toBeGreaterThan(20);
    }
    expect(await firing()).toEqual([]);
  });

  const planted: string[] = [];
  const fault = (name: string, plant: () => Promise<void>): void => {
    planted.push(name);
    it(`fires ${name} when its fault is there`, async () => {
      await plant();
      await fires(name);
    });
  };

  fault('GlanceWorkersDie', async () => {
    const { pid } = api.process;
    const [worker] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
    process.kill(Number(worker), 'SIGKILL');
  });

  fault('GlanceStoreNearlyFull', () =>
    writeFile(join(service.storeDirectory, 'ballast'), Buffer.alloc(15 * KiB * KiB)),
  );

  fault('GlanceStoreDown', async () => {
    await run('mount', ['-o', 'remount,ro', service.storeDirectory]);
    await fires('GlanceStoreDown');
    await run('mount', ['-o', 'remount,rw', service.storeDirectory]);
  });

  fault('GlanceImportsFail', async () => {
    await isOver('GlanceStoreDown');
    for (let i = 0; i < 5; i++) await importing('QFI\xfb, and no image');
  });

  fault('GlanceProcessDown', () => scrubber.kill());

  fault('GlanceScrubbingBehind', async () => {
    const id = await images.create();
    const sql = "UPDATE images SET status = 'pending_delete', deleted = 1, deleted_at = '2020-01-01' WHERE id =";
    await service.mariadb.execute(`USE ${database()}; ${sql} '${id}'`);
  });

  fault('GlanceImportsWait', async () => {
    const id = await images.create();
    // Of a host that is alive and takes nothing.
    const tomorrow = Date.now() + 86_400_000;
    await service.mariadb.execute(
      `USE ${database()}; INSERT INTO import_hosts (host, seen_at) VALUES ('elsewhere', ${tomorrow}); ` +
        'INSERT INTO import_tasks (task_id, image_id, owner, token, expires_at, created_at, attempts, host, duty, work, targets) ' +
        `VALUES ('t', '${id}', 'o', 't', 0, 1000, 0, 'elsewhere', 'run', '{}', '[]')`,
    );
  });

  fault('GlanceNotificationsWait', async () => {
    await service.mariadb.execute(
      `USE ${database()}; INSERT INTO notification_outbox (message_id, event_type, priority, payload, subject, created_at) ` +
        "VALUES ('m', 'image.create', 'INFO', '{}', 's', 1000)",
    );
  });

  fault('GlanceCallsWait', async () => {
    // A series that begins with many requests does not look like a growth.
    await until('both workers have served lists', async () => {
      await Promise.all([1, 2, 3, 4].map(() => images.list()));
      const served = 'http_server_request_duration_seconds_count{http_route="/v2/images", http_request_method="GET"}';
      return (await prometheus.query(`count by (worker) (${served})`)).length === 2;
    });
    registry.process.signal('SIGSTOP');
    const requests = Array.from({ length: 300 }, () => images.list().catch(() => undefined));
    const began = performance.now();
    await fires('GlanceCallsWait');
    await until('the requests are slow', () => performance.now() - began > 5_000);
    registry.process.signal('SIGCONT');
    await Promise.all(requests);
  });

  // The same fault.
  fault('GlanceSlow', async () => undefined);

  fault('GlanceDatabaseConnectionsExhausted', async () => {
    service.mariadb.signal('SIGSTOP');
    void Promise.all(Array.from({ length: 20 }, () => images.list().catch(() => undefined)));
  });

  // The same fault, too.
  fault('GlanceDependencyDown', async () => undefined);

  fault('GlanceErrors', async () => {
    await Promise.all(Array.from({ length: 30 }, () => images.list().catch(() => undefined)));
    service.mariadb.signal('SIGCONT');
  });

  it('has no alert whose fault was not planted', () => {
    expect(planted.toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
  });

  const database = (): string => new URL(service.databaseUrl.replace('mysql+pymysql', 'http')).pathname.slice(1);
});
