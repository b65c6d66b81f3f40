// Runs a TypeScript tool on the project's Node, with workspace packages resolved to their sources.
import { spawnSync } from 'node:child_process';
import { environment, projectNode, root } from './node.mjs';

const result = spawnSync(projectNode(), ['--conditions=glance-source', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: environment(),
});
process.exit(result.status ?? 1);
