import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { kubernetesTools } from '../services/kubernetes-tools.js';
import type { Manifest } from './manifest.js';

export const root = join(import.meta.dirname, '../..');
const directory = join(root, 'deploy/kubernetes');
const chart = join(root, 'deploy/helm/glance');

/** What `kubectl kustomize` makes of a directory below deploy/kubernetes. */
export function kustomized(name: string): Manifest[] {
  return documents(run(kubernetesTools().kubectl, ['kustomize', join(directory, name)]));
}

/** What `helm template` makes of the chart; throws with what Helm says if it refuses. */
export function templated(...args: readonly string[]): Manifest[] {
  return documents(run(kubernetesTools().helm, ['template', 'glance', chart, '--namespace', 'glance', ...args]));
}

/** What stands in a file below deploy/kubernetes. */
export function manifestsIn(file: string): Manifest[] {
  return documents(readFileSync(join(directory, file), 'utf8'));
}

/** The values of a production, for Helm. */
export const production = ['--values', join(chart, 'values-production.yaml')] as const;

function documents(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [error] = document.errors;
    if (error) throw error;
    const manifest = document.toJS() as Manifest | null;
    return manifest === null ? [] : [manifest];
  });
}

function run(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 26 });
}
