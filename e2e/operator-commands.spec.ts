import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type CommandResult, run } from './command.js';
import { root, target } from './service.js';

describe.runIf(target === 'ours')('an operator is told by', () => {
  const directory = mkdtempSync(join(tmpdir(), 'glance-config-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  function file(name: string, lines: readonly string[]): string {
    const path = join(directory, name);
    writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  }
  const told = (program: string, words: readonly string[], config: string): Promise<CommandResult> =>
    run(join(root, 'bin', program), ['--config-file', config, ...words], { cwd: directory, failure: 'answer' });
  const database = `connection = sqlite:///${directory}/glance.sqlite`;
  const good = file('good.conf', ['[DEFAULT]', 'image_size_cap = 5', '[database]', database]);
  const wrong = file('wrong.conf', [
    '[DEFAULT]',
    'workers = many',
    '[glance_store]',
    'stores = cloud',
    'default_store = cloud',
  ]);

  it('every program, its version, wherever it is called from: by a link, by PATH, by a relative path', async () => {
    const programs = readdirSync(join(root, 'bin'));
    for (const program of programs) symlinkSync(join(root, 'bin', program), join(directory, program));
    const links = programs.map((program) => join(directory, program));
    const commands = [...links, 'glance-api', './glance-api', relative(directory, join(root, 'bin/glance-api'))];
    const env = { ...process.env, PATH: `${directory}:${process.env['PATH']!}` };
    const versions = commands.map((command) => run(command, ['--version'], { cwd: directory, env }));
    for (const { stdout } of await Promise.all(versions)) expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('config check, what is wrong', async () => {
    expect(await told('glance', ['config', 'check'], good)).toMatchObject({
      code: 0,
      stdout: 'The configuration is right.\n',
    });
    const { code, stdout } = await told('glance', ['config', 'check'], wrong);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^wrong: .*workers = "many": /m);
    expect(stdout).toMatch(/^wrong: .*there is no kind of store cloud/m);
  });

  it('the start, of a kind of store that is gone, since when, and what to use', async () => {
    const sentence = 'no Sheepdog driver since Ussuri (2020), and Sheepdog itself is abandoned; move to rbd or file';
    for (const stores of [
      ['[glance_store]', 'stores = file,glance.store.sheepdog.Store', 'default_store = file'],
      ['[DEFAULT]', 'enabled_backends = a:file,b:sheepdog', '[glance_store]', 'default_backend = a'],
    ]) {
      const config = file('sheepdog.conf', [...stores, '[database]', database]);
      const { code, stderr } = await told('glance-api', [], config);
      expect(code).toBe(1);
      expect(stderr).toContain(sentence);
    }
  });

  it('config sample, every option', async () => {
    const { stdout } = await told('glance', ['config', 'sample'], good);
    for (const option of ['#image_size_cap', '#rbd_store_pool', '[keystone_authtoken]'])
      expect(stdout).toContain(option);
  });

  it('config explain, what an option is for and where its value is from', async () => {
    const { stdout } = await told('glance', ['config', 'explain', 'image_size_cap'], good);
    expect(stdout).toMatch(/^\[DEFAULT\] image_size_cap/m);
    expect(stdout).toContain(`It is 5, said by ${good}:2.`);
    expect(
      (await told('glance', ['config', 'explain', 'glance_store.filesystem_store_datadir'], good)).stdout,
    ).toContain('It is /var/lib/glance/images, the default.');
    const secret = file('secret.conf', ['[DEFAULT]', 'transport_url = rabbit://glance:hunter2@mq/']);
    const { stdout: hidden } = await told('glance', ['config', 'explain', 'transport_url'], secret);
    expect(hidden).toContain('It is a secret, said by');
    expect(hidden).not.toContain('hunter2');
    expect((await told('glance', ['config', 'explain', 'no_such'], good)).code).toBe(1);
  });

  it('glance-status upgrade check, what comes before the upgrade', async () => {
    const before = await told('glance-status', ['upgrade', 'check'], good);
    expect([before.code, before.stdout]).toEqual([2, expect.stringMatching(/Run: glance-manage db expand/)]);
    await told('glance-manage', ['db', 'sync'], good);
    const after = await told('glance-status', ['upgrade', 'check'], good);
    expect([after.code, after.stdout]).toEqual([
      0,
      expect.stringMatching(/Check: Database schema +\|\n\| Result: Success/),
    ]);
    writeFileSync(join(directory, 'policy.json'), '{}');
    expect((await told('glance-status', ['upgrade', 'check'], good)).code).toBe(1);
    expect((await told('glance-status', ['upgrade', 'check'], wrong)).code).toBe(2);
  });
});
