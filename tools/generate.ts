// Writes what is made from the declarations of all options, from the table of who may do what, and from the alert rules;
// with --check, says whether it is current.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runnerImport } from 'vite';

const root = join(import.meta.dirname, '..');

// Not Node's own import: it takes no TypeScript that is more than types, and the apps have decorators.
const resolve = { conditions: ['glance-source', 'node', 'import', 'default'], noExternal: [/^@glance\//] };
const { module: declared } = await runnerImport<typeof import('./declared.js')>(join(root, 'tools/declared.ts'), {
  root,
  logLevel: 'error',
  environments: { inline: { resolve } },
});
const alertRules = readFileSync(join(root, 'deploy/monitoring/alert-rules.yaml'), 'utf8');
const pages = new Map([
  ...Object.entries(declared.pages),
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
