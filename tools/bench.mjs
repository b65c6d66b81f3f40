// `npm run bench`: measures the service beside yardsticks. `--help` lists what it takes.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { environment, projectNode } from './node.mjs';

// Whatever Node the machine has, what is measured and what measures run on the project's own.
const typescript = fileURLToPath(new URL('bench/typescript.mjs', import.meta.url));
const main = fileURLToPath(new URL('bench/main.ts', import.meta.url));
const bench = spawn(projectNode(), ['--import', typescript, main, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: environment(),
});
// A terminal signals the whole group; a supervisor only us.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => bench.kill(signal));
bench.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
