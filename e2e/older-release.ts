import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.js';
import { root } from './service.js';

/**
 * The programs as they were before a schema expansion, by their commit. When a release is made, it becomes that one; until
 * then it is the last commit whose schema lacks the indexes of lists.
 */
const commit = 'e5cea7f';

/** Builds the programs of the older release in `directory`; third-party packages are those of today. */
export async function buildOlderRelease(directory: string): Promise<void> {
  const archive = `git -C ${root} archive ${commit} apps bin libs package.json tsconfig.json tsconfig.base.json`;
  await run('sh', ['-c', `${archive} >${directory}/release.tar && tar -xf ${directory}/release.tar -C ${directory}`]);
  const packages = join(root, 'node_modules');
  mkdirSync(join(directory, 'node_modules/@glance'), { recursive: true });
  for (const name of readdirSync(packages)) {
    if (name !== '@glance') symlinkSync(join(packages, name), join(directory, 'node_modules', name));
  }
  for (const name of readdirSync(join(packages, '@glance'))) {
    const [path] = [`apps/${name}`, `libs/${name}`].filter((each) => existsSync(join(directory, each)));
    if (path) symlinkSync(join(directory, path), join(directory, 'node_modules/@glance', name));
  }
  await run(join(packages, '.bin/node'), [join(packages, 'typescript/bin/tsc'), '-b', directory]);
}
