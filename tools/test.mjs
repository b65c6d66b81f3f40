// `npm test`: installs what the tests need, Debian packages included, and runs everything.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { build, environment, installPackages, projectNode, root, run } from './node.mjs';

const results = join(root, 'node_modules/.cache/test-results.json');
const started = Date.now();

function step(name, work) {
  const begin = Date.now();
  console.log(`\n== ${name}`);
  work();
  console.log(`== ${name}: ${((Date.now() - begin) / 1000).toFixed(0)} s`);
}

step('npm packages', installPackages);
step('Debian packages', () => run(projectNode(), ['tools/services/install-packages.mjs']));
step('kubectl and Helm', () => run(projectNode(), ['tools/services/install-kubernetes-tools.mjs']));
step('build', build);
for (const check of ['format', 'lint', 'types', 'unused', 'generated']) {
  step(`check ${check}`, () => run('npm', ['run', '--silent', `check:${check}`]));
}

// The slow scenarios have a target of their own.
const projects = ['unit', 'e2e', 'e2e-three'].flatMap((name) => ['--project', name]);
let tests;
step('tests', () => {
  rmSync(results, { force: true });
  tests = spawnSync(
    'vitest',
    ['run', ...projects, '--reporter=default', '--reporter=json', `--outputFile=${results}`],
    {
      cwd: root,
      stdio: 'inherit',
      env: environment(),
    },
  );
});
if (tests.status === 0) {
  step('benchmark, smoke size', () => run(projectNode(), ['tools/bench.mjs', '--size', 'smoke']));
}

const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(results, 'utf8'));
console.log(`\n${((Date.now() - started) / 1000).toFixed(0)} s in all`);
console.log(`${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`);
process.exit(tests.status ?? 1);
