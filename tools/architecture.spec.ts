import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/** Who may import whom, and which packages it may use. `node:*` is free for all but where `node` is false. */
interface Rule {
  readonly may: readonly string[];
  readonly packages: readonly RegExp[];
  readonly node?: false;
}

const metrics = /^prom-client$/;
const nest = /^(@nestjs\/(common|core)|reflect-metadata|rxjs)$/;

const rules: Readonly<Record<string, Rule>> = {
  // What an image is: no I/O, no framework.
  'libs/domain': { may: [], packages: [], node: false },
  'libs/config': { may: [], packages: [] },
  // All glue to OpenTelemetry.
  'libs/tracing': { may: ['domain', 'config'], packages: [/^@opentelemetry\//] },
  // A language and a table of rules; reading files and asking servers is the registry's.
  'libs/policy': { may: [], packages: [], node: false },
  // Who a token is, and what a project may use: both the api and the registry ask.
  'libs/keystone': { may: ['domain', 'tracing'], packages: [] },
  // Useful outside of this project, too.
  'libs/node-rados': { may: [], packages: [/^koffi$/] },
  'libs/format': { may: ['domain', 'store'], packages: [] },
  // Each driver may bring the SDK of what it talks to, and nothing else may.
  'libs/store': {
    may: ['domain', 'config', 'node-rados', 'tracing'],
    packages: [/^@aws-sdk\/client-s3$/, /^@rgrove\/parse-xml$/, metrics],
  },
  // All Nest and AMQP glue.
  'libs/rpc': {
    may: ['domain', 'config', 'tracing'],
    packages: [nest, /^@nestjs\/microservices$/, /^amqplib$/, metrics],
  },
  // The only one that knows SQL.
  'apps/registry': {
    may: ['domain', 'config', 'keystone', 'policy', 'rpc', 'tracing'],
    packages: [nest, /^typeorm$/, /^mysql2/, /^better-sqlite3$/, /^yaml$/, metrics],
  },
  'apps/scrubber': { may: ['domain', 'config', 'rpc', 'store', 'tracing'], packages: [nest, metrics] },
  // The only one that knows HTTP.
  'apps/api': {
    may: ['domain', 'config', 'keystone', 'rpc', 'store', 'format', 'tracing'],
    packages: [nest, /^@nestjs\/platform-fastify$/, /^fastify$/, /^yauzl$/, metrics],
  },
  // The programs: the only place where the apps meet.
  'apps/glance': {
    may: ['domain', 'config', 'keystone', 'rpc', 'store', 'tracing', 'api', 'registry', 'scrubber'],
    packages: [/^sonic-boom$/, metrics],
  },
};

interface Import {
  readonly file: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

const root = join(import.meta.dirname, '..');

function importsOf(file: string): Import[] {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      const typeOnly = ts.isImportDeclaration(node)
        ? node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
        : node.isTypeOnly;
      found.push({ file, target: (node.moduleSpecifier as ts.StringLiteral).text, typeOnly });
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteral(argument)) found.push({ file, target: argument.text, typeOnly: false });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const projects = globSync('{apps,libs}/*', { cwd: root }).sort();

describe('the architecture', () => {
  it('has a rule for every project', () => {
    expect(projects).toEqual(Object.keys(rules).sort());
  });

  for (const project of projects) {
    const files = globSync(`${project}/src/**/*.ts`, { cwd: root });
    const sources = files.filter((file) => !file.endsWith('.spec.ts') && !file.includes('/testing/'));
    const rule = rules[project] ?? { may: [], packages: [] };

    it(`${project} imports only what it may`, () => {
      const forbidden = sources.flatMap(importsOf).filter(({ target }) => {
        if (target.startsWith('.')) return false;
        if (target.startsWith('node:')) return rule.node === false;
        const own = /^@glance\/([^/]+)(\/.*)?$/.exec(target);
        if (own) return own[2] !== undefined || !rule.may.includes(own[1]!);
        return !rule.packages.some((allowed) => allowed.test(target));
      });
      expect(forbidden).toEqual([]);
    });

    it(`${project} reaches its own files directly, and nobody else's by path`, () => {
      const wrong = files.flatMap(importsOf).filter(({ file, target }) => {
        if (target === `@glance/${project.split('/')[1]!}`) return true;
        if (!target.startsWith('.')) return false;
        const resolved = normalize(join(dirname(file), target));
        const leaves = relative(`${project}/src`, resolved).startsWith('..');
        return leaves || resolved === `${project}/src/index.js`;
      });
      expect(wrong.filter(({ file }) => !/\/src\/(index|.*\.spec|testing\/.*)\.ts$/.test(file))).toEqual([]);
    });

    it(`${project} has no import cycle`, () => {
      const graph = new Map(
        sources.map((file) => [
          file,
          importsOf(file)
            .filter(({ target, typeOnly }) => target.startsWith('.') && !typeOnly)
            .map(({ target }) => normalize(join(dirname(file), target)).replace(/\.js$/, '.ts')),
        ]),
      );
      expect(cycleIn(graph)).toBeUndefined();
    });
  }
});

function cycleIn(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const walk = (file: string): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    path.push(file);
    for (const next of graph.get(file) ?? []) {
      const cycle = walk(next);
      if (cycle) return cycle;
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const cycle = walk(file);
    if (cycle) return cycle;
  }
  return undefined;
}
