import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { load } from '@glance/config';
import { parse } from 'yaml';
import { declarations } from '../../apps/glance/src/config.js';
import { storePlaces } from '../../apps/glance/src/stores.js';
import { run } from '../../e2e/command.js';
import { scratchDirectory } from '../services/scratch-directory.js';
import { root } from './rendered.js';

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly target: string };
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly deploy?: { readonly replicas: number };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: unknown;
  readonly ports?: readonly string[];
  readonly profiles?: readonly string[];
  readonly volumes?: readonly string[];
}

const docker = join(root, 'docker');

/** The file as Debian's Compose understands it. That is older than the name of a project in the file. */
function composed(env: Readonly<Record<string, string>> = {}): Readonly<Record<string, Service>> {
  const text = readFileSync(join(docker, 'compose.yaml'), 'utf8').replace(/^name: .*$/m, '');
  const output = execFileSync('docker-compose', ['--project-directory', '.', '--file', '-', 'config'], {
    input: text,
    cwd: docker,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return (parse(output) as { services: Record<string, Service> }).services;
}

describe('the compose file', () => {
  let services: Readonly<Record<string, Service>>;
  beforeAll(() => {
    services = composed();
  });
  const ours = ['api', 'registry', 'scrubber', 'database'];
  const after = (name: string): string[] =>
    Object.entries(services[name]!.depends_on ?? {}).map(([other, { condition }]) => `${other} ${condition}`);

  it('runs two apis behind a proxy, two registries and a scrubber, with MariaDB and RabbitMQ', () => {
    expect(Object.keys(services).toSorted()).toEqual(
      [...ours, 'ceph', 'keystone', 'mariadb', 'proxy', 'rabbitmq', 'secrets'].toSorted(),
    );
    expect([services['api']!.deploy?.replicas, services['registry']!.deploy?.replicas]).toEqual([2, 2]);
    expect([services['keystone']!.profiles, services['ceph']!.profiles]).toEqual([['keystone'], ['ceph']]);
  });

  it('starts each part when what it needs is healthy', () => {
    expect(after('mariadb')).toEqual(['secrets service_completed_successfully']);
    expect(after('rabbitmq')).toEqual(['secrets service_completed_successfully']);
    expect(after('database')).toEqual(['mariadb service_healthy']);
    expect(after('registry').toSorted()).toEqual([
      'database service_completed_successfully',
      'rabbitmq service_healthy',
    ]);
    for (const name of ['api', 'scrubber']) expect(after(name)).toEqual(['registry service_healthy']);
    expect(after('proxy')).toEqual(['api service_healthy']);
    for (const name of ['mariadb', 'rabbitmq', 'registry', 'api']) expect(services[name]!.healthcheck).toBeDefined();
  });

  it('gives ours a root that cannot be written, no capability, and the user of their image', () => {
    for (const name of ours) {
      expect(services[name], name).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
      expect(services[name]!.user).toBeUndefined();
    }
    const dockerfile = readFileSync(join(docker, 'Dockerfile'), 'utf8');
    const stages = dockerfile.split(/^FROM /m).filter((stage) => / AS glance-/.test(stage));
    for (const stage of stages) expect(stage).toContain('USER 42415:42415');
    expect(stages).toHaveLength(3);
  });

  it('builds stages and mounts files that are there, and lets in this machine only', () => {
    for (const [name, { build, volumes = [], ports = [] }] of Object.entries(services)) {
      if (build) {
        const stages = readFileSync(join(build.context, build.dockerfile), 'utf8');
        expect(stages, name).toMatch(new RegExp(`^FROM \\S+ AS ${build.target}$`, 'm'));
      }
      for (const [source] of volumes.map((volume) => volume.split(':'))) {
        if (source!.startsWith('/')) expect(existsSync(source!), source).toBe(true);
      }
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
  });

  it.each([{}, { GLANCE_FLAVOR: 'keystone', GLANCE_STORE: 'rbd' }])(
    'has options that there are, and passwords that are made once, with %j',
    async (env) => {
      const directory = scratchDirectory('disk');
      const secrets = ['mariadb', 'rabbitmq', 'glance', 'keystone'].map((name) => join(directory.path, name));
      await run('mkdir', secrets);
      const make = () => run('sh', [join(docker, 'make-secrets'), directory.path]);
      await make();
      const made = readFileSync(join(directory.path, 'glance/secrets.conf'), 'utf8');
      await make();
      expect(readFileSync(join(directory.path, 'glance/secrets.conf'), 'utf8')).toBe(made);
      expect(made).toMatch(/^connection = mysql\+pymysql:\/\/glance:[0-9a-f]{48}@mariadb\/glance$/m);
      const api = composed(env)['api']!;
      const config = await load({
        program: { name: 'glance-api', version: '', summary: '', configFiles: ['glance-api'], declarations },
        commandLine: {
          configPaths: [
            { kind: 'file', path: join(docker, 'glance-api.conf') },
            { kind: 'file', path: mounted(api, '/etc/glance/stores.conf') },
            { kind: 'directory', path: join(directory.path, 'glance') },
          ],
          given: [],
          arguments: [],
        } as never,
        env: api.environment!,
        more: storePlaces,
      });
      expect(config.warnings).toEqual([]);
      directory.remove();
    },
  );
});

/** The file of this machine that a service finds at a path. */
function mounted({ volumes = [] }: Service, path: string): string {
  return volumes.map((volume) => volume.split(':')).find(([, target]) => target === path)![0]!;
}
