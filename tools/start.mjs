// `npm start`: installs what is missing, builds what changed, runs the launcher. Arguments go to the launcher.
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { build, environment, installPackages, root } from './node.mjs';

installPackages();
build();
const launcher = spawn(join(root, 'bin/glance'), process.argv.slice(2), {
  stdio: 'inherit',
  env: environment(),
});
// A terminal signals the whole group; a supervisor only us.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => launcher.kill(signal));
launcher.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
