import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Config, load } from '@glance/config';
import { declarations } from '../../apps/glance/src/config.js';
import { storePlaces } from '../../apps/glance/src/stores.js';
import { type ScratchDirectory, scratchDirectory } from '../services/scratch-directory.js';
import { containersOf, type Manifest, nameOf, type Pod, podsOf } from './manifest.js';
import { kustomized, manifestsIn, production, root, templated } from './rendered.js';
import { schemaProblems, unknownFields } from './schema-problems.js';

const version = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;

type Rendering = readonly [name: string, render: () => Manifest[]];
const renderings: readonly Rendering[] = [
  ['the small overlay', () => kustomized('overlays/small')],
  ['the production overlay', () => kustomized('overlays/production')],
  ['the chart', () => templated()],
  ['the chart with production values', () => templated(...production)],
  ['the chart with traces', () => templated('--set', 'tracing.collector=collector.monitoring.svc:4318')],
];

const of = <T>(manifests: readonly Manifest[], kind: string): T[] =>
  manifests.filter((manifest) => manifest.kind === kind) as unknown as T[];

interface ConfigMap {
  readonly metadata: { readonly name: string };
  readonly data: Readonly<Record<string, string>>;
}

/** The configuration as the programs in this pod read it, with made-up secrets in their environment. */
async function configurationOf(pod: Pod, manifests: readonly Manifest[], scratch: ScratchDirectory): Promise<Config> {
  const { items = [], name } = pod.volumes!.find((volume) => volume.name === 'config')!.configMap!;
  const { data } = of<ConfigMap>(manifests, 'ConfigMap').find((map) => map.metadata.name === name)!;
  const directory = join(scratch.path, pod.owner);
  for (const { key, path } of items) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), data[key]!);
  }
  const variables = containersOf(pod).flatMap(({ env = [] }) => env.map((one) => [one.name, 'rabbit://a:b@c/']));
  return load({
    program: { name: 'glance-api', version, summary: '', configFiles: ['glance-api'], declarations },
    commandLine: { configPaths: [], given: [], arguments: [] } as never,
    env: { OS_GLANCE_CONFIG_DIR: directory, ...(Object.fromEntries(variables) as NodeJS.ProcessEnv) },
    more: storePlaces,
  });
}

describe.each(renderings)('%s', (_, render) => {
  let manifests: Manifest[];
  let pods: Pod[];
  const scratch = scratchDirectory('disk');

  beforeAll(() => {
    manifests = render();
    pods = podsOf(manifests);
  });

  it('has an api, a registry, a scrubber and a step of the schema', () => {
    const owners = ['CronJob glance-scrubber', 'Deployment glance-api', 'Deployment glance-registry'];
    expect(pods.map(({ owner }) => owner).toSorted()).toEqual([...owners, 'Job glance-db-expand']);
  });

  it('is what Kubernetes 1.36 takes', async () => {
    expect(await schemaProblems(manifests)).toEqual([]);
    expect(unknownFields(manifests)).toEqual([]);
  });

  it('keeps to the restricted Pod Security Standard, with a read-only root and no token', () => {
    for (const pod of pods) {
      expect(pod.automountServiceAccountToken, pod.owner).toBe(false);
      expect(pod.securityContext, pod.owner).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 42415,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const { name, securityContext, resources } of containersOf(pod)) {
        expect(securityContext, name).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(Object.keys(resources.requests), name).toEqual(['cpu', 'memory']);
        expect(Object.keys(resources.limits), name).toEqual(['memory']);
      }
      const allowed = ['name', 'configMap', 'emptyDir', 'persistentVolumeClaim', 'projected'];
      for (const volume of pod.volumes ?? []) {
        expect(allowed, pod.owner).toEqual(expect.arrayContaining(Object.keys(volume)));
      }
    }
  });

  it('asks each server whether it has started, lives, and wants requests, at ports that it has', () => {
    const probes = pods
      .filter(({ owner }) => owner.startsWith('Deployment'))
      .flatMap(({ containers: [container] }) => {
        const { startupProbe, livenessProbe, readinessProbe, ports } = container!;
        for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
          expect(ports!.map(({ name }) => name)).toContain(probe!.httpGet.port);
        }
        return [[container!.name, ...[startupProbe, livenessProbe, readinessProbe].map((one) => one!.httpGet.path)]];
      });
    expect(probes.toSorted()).toEqual([
      ['glance-api', '/ready', '/live', '/healthcheck'],
      ['glance-registry', '/ready', '/live', '/ready'],
    ]);
  });

  it('has every option that its files and variables name, of the right type', async () => {
    for (const pod of pods.filter(({ volumes }) => volumes !== undefined)) {
      const { warnings } = await configurationOf(pod, manifests, scratch);
      expect(warnings, pod.owner).toEqual([]);
    }
    const variables = pods.flatMap((pod) => containersOf(pod).flatMap(({ env = [] }) => env.map(({ name }) => name)));
    const options = declarations.flatMap(({ group, options: each }) =>
      Object.keys(each).map((name) => `OS_${group}__${name}`.toUpperCase()),
    );
    expect(options).toEqual(expect.arrayContaining(variables));
  });

  it('listens where its services and probes look', async () => {
    for (const pod of pods.filter(({ owner }) => owner.startsWith('Deployment'))) {
      const config = await configurationOf(pod, manifests, scratch);
      const value = (name: string): unknown => {
        const declaration = declarations.find(({ group, options }) => group === 'DEFAULT' && name in options)!;
        const camel = name.replace(/_(\w)/g, (__, letter: string) => letter.toUpperCase());
        return (config.read(declaration) as Readonly<Record<string, unknown>>)[camel];
      };
      const ports = Object.fromEntries(pod.containers[0]!.ports!.map((port) => [port.name, port.containerPort]));
      expect(value('admin_port')).toBe(ports['admin']);
      expect(value('admin_host')).toBe('0.0.0.0');
      if (!('http' in ports)) continue;
      expect(value('bind_port')).toBe(ports['http']);
      // It goes on until whoever asks has noticed, and is not killed before its transfers have ended.
      const { periodSeconds, failureThreshold } = pod.containers[0]!.readinessProbe!;
      const [notice, grace] = [Number(value('shutdown_notice')), Number(value('shutdown_grace'))];
      expect(notice).toBeGreaterThan(periodSeconds * failureThreshold + 5);
      expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(notice + grace + 10);
    }
  });

  it('names secrets that secrets.example.yaml has, and only objects that are there', () => {
    const example = of<{ metadata: { name: string }; stringData: Record<string, string> }>(
      manifestsIn('secrets.example.yaml'),
      'Secret',
    );
    const secrets = example.flatMap(({ metadata, stringData }) =>
      Object.keys(stringData).map((key) => `${metadata.name}/${key}`),
    );
    const named = pods.flatMap((pod) => [
      ...containersOf(pod).flatMap(({ env = [] }) => env.map(({ valueFrom: { secretKeyRef } }) => secretKeyRef)),
      ...sourcesOf(pod).flatMap(({ secret }) => secret?.items?.map(({ key }) => ({ name: secret.name, key })) ?? []),
    ]);
    expect(secrets).toEqual(expect.arrayContaining(named.map(({ name, key }) => `${name}/${key}`)));

    const there = manifests.map(nameOf);
    const wanted = pods.flatMap((pod) => [
      ...(pod.serviceAccountName === undefined ? [] : [`ServiceAccount ${pod.serviceAccountName}`]),
      ...(pod.volumes ?? []).flatMap(({ configMap, persistentVolumeClaim: claim }) => [
        ...(configMap ? [`ConfigMap ${configMap.name}`] : []),
        ...(claim ? [`PersistentVolumeClaim ${claim.claimName}`] : []),
      ]),
      ...sourcesOf(pod).flatMap(({ configMap }) => (configMap ? [`ConfigMap ${configMap.name}`] : [])),
    ]);
    expect(there).toEqual(expect.arrayContaining(wanted));
    for (const pod of pods) {
      const volumes = (pod.volumes ?? []).map(({ name }) => name).toSorted();
      const mounted = pod.containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name));
      expect(volumes, pod.owner).toEqual(mounted.toSorted());
    }
  });

  it('runs images that the Dockerfile makes, of this version', () => {
    const stages = [...readFileSync(join(root, 'docker/Dockerfile'), 'utf8').matchAll(/^FROM \S+ AS (\S+)$/gm)];
    const images = pods.flatMap((pod) => containersOf(pod).map(({ image }) => image));
    const made = stages.map(([, stage]) => `${stage!}:${version}`);
    expect(made).toEqual(expect.arrayContaining(images));
  });

  it('selects pods that are there, with disruption budgets, services and network policies', () => {
    const selects = (selector: Readonly<Record<string, string>>, pod: Pod): boolean =>
      Object.entries(selector).every(([name, value]) => pod.labels[name] === value);
    const selectors = [
      ...of<{ spec: { selector: { matchLabels: Record<string, string> } } }>(manifests, 'PodDisruptionBudget').map(
        ({ spec }) => spec.selector.matchLabels,
      ),
      ...of<{ spec: { selector: Record<string, string> } }>(manifests, 'Service').map(({ spec }) => spec.selector),
      ...of<Policy>(manifests, 'NetworkPolicy').map(({ spec }) => spec.podSelector.matchLabels),
    ];
    for (const selector of selectors) expect(pods.some((pod) => selects(selector, pod))).toBe(true);
    // What no other policy allows is forbidden, to each of them.
    const [deny] = of<Policy>(manifests, 'NetworkPolicy').filter(({ metadata }) => metadata.name === 'glance-deny');
    expect(deny!.spec.policyTypes).toEqual(['Ingress', 'Egress']);
    for (const pod of pods) expect(selects(deny!.spec.podSelector.matchLabels, pod), pod.owner).toBe(true);
  });
});

interface Policy {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly podSelector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly policyTypes: readonly string[];
  };
}

function sourcesOf(pod: Pod) {
  return (pod.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? []);
}

describe('the manifests', () => {
  it('are the same by Kustomize and by Helm', () => {
    expect(plain(templated())).toEqual(plain(kustomized('overlays/small')));
    expect(plain(templated(...production))).toEqual(plain(kustomized('overlays/production')));
  });

  it('are looked at closely: a wrong type, something missing and an unknown field are found', async () => {
    const [deployment] = kustomized('overlays/small').filter(({ kind }) => kind === 'Deployment');
    const change = (path: RegExp, by: string): Manifest[] => [
      JSON.parse(JSON.stringify(deployment).replace(path, by)) as Manifest,
    ];
    expect(await schemaProblems(change(/"periodSeconds":2/, '"periodSeconds":"2"'))).toEqual([
      expect.stringMatching(/periodSeconds must be integer/),
    ]);
    expect(await schemaProblems(change(/"selector":/, '"selektor":'))).toEqual([expect.stringMatching(/selector/)]);
    expect(unknownFields(change(/"readOnlyRootFilesystem":/, '"readonlyRootFilesystem":'))).toEqual([
      expect.stringMatching(/readonlyRootFilesystem/),
    ]);
  });

  it('let traces out where there is a collector', () => {
    const collector = templated('--set', 'tracing.collector=collector.monitoring.svc:4318');
    expect(JSON.stringify(collector)).toContain('connection_string = otlp://collector.monitoring.svc:4318');
    const policy = collector.find(({ metadata }) => metadata.name === 'glance-tracing');
    expect(policy).toHaveProperty('spec.egress', [{ ports: [{ port: 4318 }] }]);
  });

  it('contract the schema only when an operator asks for it', async () => {
    const contract = kustomized('contract');
    expect(await schemaProblems(contract)).toEqual([]);
    expect(podsOf(contract)[0]!.containers[0]!.args).toEqual(['db', 'contract']);
    const job = (manifests: readonly Manifest[]) => manifests.find(({ metadata }) => /contract/.test(metadata.name));
    expect(job(templated())).toBeUndefined();
    const asked = templated('--set', 'database.contract=true');
    expect(job(asked)?.metadata.annotations).toMatchObject({ 'helm.sh/hook': 'post-upgrade' });
    expect(plain([job(asked)!])).toEqual(plain(contract));
  });

  it('let the schema be expanded before anything of the new release starts', () => {
    const [job] = templated().filter(({ metadata }) => metadata.name === 'glance-db-expand');
    expect(job!.metadata.annotations).toMatchObject({ 'helm.sh/hook': 'pre-install,pre-upgrade' });
    const steps = podsOf([job!]).flatMap((pod) => containersOf(pod).map(({ args }) => args));
    expect(steps).toEqual([
      ['db', 'expand'],
      ['db', 'migrate'],
    ]);
  });

  it('keep two scrubbers from working at once, and keep their history', () => {
    const [cron] = of<{ spec: Record<string, unknown> }>(kustomized('overlays/production'), 'CronJob');
    expect(cron!.spec).toMatchObject({ concurrencyPolicy: 'Forbid', failedJobsHistoryLimit: 5 });
    expect(cron!.spec).toHaveProperty('jobTemplate.spec.activeDeadlineSeconds');
  });

  it.each([
    ['api.replicas=many', /replicas.*want integer/],
    ['api.replica=3', /replica/],
    ['tracing.collector=http://collector', /collector/],
    ['image.pullPolicy=Sometimes', /pullPolicy/],
    ['config.shutdownNotice=2', /shutdownNotice/],
    ['files.enabled=false', /Images have no place/],
    ['ceph.enabled=true', /exclude each other/],
  ])('are refused by Helm with %s', (value, message) => {
    expect(() => templated('--set', value)).toThrow(message);
  });
});

/** Without what differs by tool: names by content, marks of Helm, the namespace, and the order of lists of volumes. */
function plain(manifests: readonly Manifest[]): Map<string, unknown> {
  const withoutHash = (text: string): string => text.replace(/("glance(?:-ceph)?)-[a-z0-9]{10}"/g, '$1"');
  const objects = (JSON.parse(withoutHash(JSON.stringify(manifests))) as Manifest[])
    .filter(({ kind }) => kind !== 'Namespace')
    .map((manifest) => [nameOf(manifest), comparable(manifest)] as const);
  return new Map(objects.toSorted(([a], [b]) => a.localeCompare(b)));
}

function comparable(value: unknown): unknown {
  if (typeof value === 'string') return sectionsOf(value);
  if (Array.isArray(value)) {
    const items = value.map(comparable);
    return items.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([key]) => key !== 'namespace' && !/^helm\.sh\/|^checksum\//.test(key))
    .map(([key, part]) => [key, comparable(part)] as const)
    .filter(([key, part]) => key !== 'annotations' || Object.keys(part as object).length > 0);
  return Object.fromEntries(entries.toSorted(([a], [b]) => a.localeCompare(b)));
}

/** The options of a configuration file, in any order and without comments; other text as it is. */
function sectionsOf(text: string): unknown {
  if (!/^\[\w+\]$/m.test(text)) return text;
  const sections = text
    .split(/^(?=\[)/m)
    .map((section) => section.split('\n').map((line) => line.trim()))
    .map((lines) => lines.filter((line) => line !== '' && !line.startsWith('#')));
  return sections
    .filter((lines) => lines.length > 1)
    .map(([head, ...options]) => [head, options.toSorted()])
    .toSorted();
}
