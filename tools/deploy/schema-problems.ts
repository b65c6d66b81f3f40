import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { type Manifest, nameOf } from './manifest.js';
import { root } from './rendered.js';

interface Model {
  validate(): void;
}
type Models = Readonly<Record<string, new (data: unknown) => Model>>;

/**
 * What the schemas of Kubernetes 1.36, and of the Prometheus operator, say against these manifests: wrong types, and
 * what is missing. They are compiled into the packages of kubernetes-models.
 */
export async function schemaProblems(manifests: readonly Manifest[]): Promise<string[]> {
  const problems: string[] = [];
  for (const manifest of manifests) {
    const models = (await import(moduleOf(manifest))) as Models;
    const Kind = models[manifest.kind];
    if (!Kind) throw new Error(`There is no schema of ${manifest.apiVersion} ${manifest.kind}.`);
    try {
      new Kind(manifest).validate();
    } catch (error) {
      problems.push(`${nameOf(manifest)}: ${(error as Error).message}`);
    }
  }
  return problems;
}

/**
 * Fields that Kubernetes does not know, and words where it knows only certain ones. Schemas let any field pass;
 * the types that are made from them do not, where an object is written out.
 */
export function unknownFields(manifests: readonly Manifest[]): string[] {
  const file = join(root, 'node_modules/.cache/manifests/checked.ts');
  const lines = manifests.flatMap((manifest, index) => [
    `import type { I${manifest.kind} as T${index} } from '${moduleOf(manifest)}';`,
    `export const m${index}: T${index} = ${JSON.stringify(manifest)};`,
  ]);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${lines.join('\n')}\n`);
  const program = ts.createProgram([file], {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
  });
  return ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ');
    const line = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0;
    const manifest = manifests[Math.floor(line / 2)];
    return `${manifest ? nameOf(manifest) : file}: ${text}`;
  });
}

function moduleOf({ apiVersion, kind }: Manifest): string {
  const ours = apiVersion.startsWith('monitoring.coreos.com/');
  return `${ours ? '@kubernetes-models/prometheus-operator' : 'kubernetes-models'}/${apiVersion}/${kind}`;
}
