// Writes what is made from the declarations of all options, from the table of who may do what, and from the alert rules;
// with --check, says whether it is current.
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Declaration } from '@glance/config';
import { runnerImport } from 'vite';

const root = join(import.meta.dirname, '..');

/** Modules that export `declarations`, or `options` as store drivers do. */
const sources = [
  'apps/glance/src/config.ts',
  ...globSync('libs/store/src/drivers/*.ts', { cwd: root, exclude: ['**/*.spec.ts'] }).sort(),
];

interface Source {
  readonly declarations?: readonly Declaration[];
  readonly options?: Declaration;
}

// Not Node's own import: it takes no TypeScript that is more than types, and the apps have decorators.
async function importSource<T>(path: string): Promise<T> {
  const resolve = { conditions: ['glance-source', 'node', 'import', 'default'], noExternal: [/^@glance\//] };
  const { module } = await runnerImport<T>(join(root, path), {
    root,
    logLevel: 'error',
    environments: { inline: { resolve } },
  });
  return module;
}

async function declarationsOf(path: string): Promise<readonly Declaration[]> {
  const { declarations, options } = await importSource<Source>(path);
  const found = declarations ?? (options ? [options] : []);
  if (found.length === 0) throw new Error(`${path} exports neither declarations nor options.`);
  return found;
}

const { referencePage, sampleFile } = await importSource<typeof import('@glance/config')>('libs/config/src/index.ts');
const { authorizationPage } = await importSource<typeof import('../apps/api/src/testing/authorization-table.js')>(
  'apps/api/src/testing/authorization-table.ts',
);
const { openApiDocument } = await importSource<typeof import('../apps/api/src/openapi/openapi-document.js')>(
  'apps/api/src/openapi/openapi-document.ts',
);
const { apiDeclarations } = await importSource<typeof import('@glance/api')>('apps/api/src/index.ts');
const declarations = (await Promise.all(sources.map(declarationsOf))).flat();
const alertRules = readFileSync(join(root, 'deploy/monitoring/alert-rules.yaml'), 'utf8');
const pages = new Map([
  ['docs/generated/glance-api.conf.sample', sampleFile(declarations)],
  ['docs/generated/configuration.md', referencePage(declarations)],
  ['docs/generated/authorization.md', authorizationPage()],
  ['docs/generated/openapi.json', `${JSON.stringify(openApiDocument(defaultFormats(apiDeclarations)), null, 2)}\n`],
  // Helm reads no file outside of its chart, and Kustomize puts none into an object.
  ['deploy/helm/glance/alert-rules.yaml', alertRules],
  ['deploy/kubernetes/components/monitoring/prometheus-rule.yaml', prometheusRule(alertRules)],
]);

/** The rules as an object of the Prometheus operator. */
function prometheusRule(rules: string): string {
  const head = [
    'apiVersion: monitoring.coreos.com/v1',
    'kind: PrometheusRule',
    'metadata:',
    '  name: glance',
    '  labels:',
    '    app.kubernetes.io/name: glance',
    'spec:',
  ];
  return `${head.join('\n')}\n${rules.replace(/^(?=.)/gm, '  ')}`;
}

/** The formats of a service that configures none. */
function defaultFormats(all: readonly Declaration[]): { disk: readonly string[]; container: readonly string[] } {
  const group = all.find((declaration) => declaration.group === 'image_format');
  const formats = (name: string): readonly string[] => group!.options[name]!.default as readonly string[];
  return { disk: formats('disk_formats'), container: formats('container_formats') };
}

function written(page: string): string | undefined {
  try {
    return readFileSync(join(root, page), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

const stale = [...pages].filter(([page, content]) => written(page) !== content);
if (process.argv.includes('--check')) {
  for (const [page] of stale) console.error(`${page} is not what the declarations say; run "npm run generate".`);
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  for (const [page, content] of stale) {
    mkdirSync(dirname(join(root, page)), { recursive: true });
    writeFileSync(join(root, page), content);
    console.log(`${page} written`);
  }
}
