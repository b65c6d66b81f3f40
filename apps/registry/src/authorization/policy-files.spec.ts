import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { silentLogger } from '@glance/domain';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PolicyFiles } from './policy-files.js';

let directory: string;
let now: number;
let errors: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'glance-policy-'));
  now = 0;
  errors = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

const write = (name: string, content: string): void => {
  mkdirSync(dirname(join(directory, name)), { recursive: true });
  writeFileSync(join(directory, name), content);
};
const open = (changes: Partial<PolicyFiles['settings']> = {}): PolicyFiles => {
  const settings = {
    policyFile: join(directory, 'policy.yaml'),
    policyDirs: [join(directory, 'policy.d')],
    policyDefaultRule: 'default',
    enforceNewDefaults: true,
    ...changes,
  };
  const logger = { ...silentLogger, error: (message: string) => errors.push(message) };
  return new PolicyFiles(
    settings,
    async () => false,
    logger,
    () => now,
  );
};
const member = { roles: ['member', 'reader'], project_id: 'p' };
const mayPublish = (files: PolicyFiles): unknown =>
  files.current.allows('publicize_image', { project_id: 'p' }, member);

describe('policy files', () => {
  it('may be missing: Glance’s rules hold', () => {
    expect(mayPublish(open())).toBe(false);
    expect(errors).toEqual([]);
  });

  it.each([
    ['YAML', '# who publishes\n"publicize_image": "role:member"\n'],
    ['YAML without quotes', 'publicize_image: role:member or role:admin\n'],
    ['JSON', '{\n\t"publicize_image": "role:member"\n}'],
    ['the form with lists', 'publicize_image: [["role:member", "role:reader"]]'],
    ['a rule that is there twice: the last one counts', 'publicize_image: "!"\npublicize_image: "role:member"\n'],
  ])('win over the defaults: %s', (_, content) => {
    write('policy.yaml', content);
    expect(mayPublish(open())).toBe(true);
  });

  it.each(['', '# nothing\n', '---\n', '{}'])('may say nothing: %j', (content) => {
    write('policy.yaml', content);
    expect(mayPublish(open())).toBe(false);
    expect(errors).toEqual([]);
  });

  it.each(['publicize_image: !', 'publicize_image:', 'publicize_image: 7', 'publicize_image: "role"'])(
    'refuse everybody where they do not say who is allowed: %j',
    (content) => {
      write('policy.yaml', content);
      const admin = { roles: ['admin'] };
      expect(open().current.allows('publicize_image', {}, admin)).toBe(false);
    },
  );

  it('are followed by those of the directories, in the order of their names', () => {
    write('policy.yaml', 'publicize_image: "!"');
    write('policy.d/20-more.json', '{"publicize_image": "role:member"}');
    write('policy.d/10-less.yaml', 'publicize_image: role:admin');
    write('policy.d/.hidden.yaml', 'publicize_image: "!"');
    expect(mayPublish(open())).toBe(true);
  });

  it.each(['"publicize_image: role:member', 'publicize_image: @', '- role:member', 'role:member', '[1, 2]'])(
    'that cannot be read keep the registry from starting: %j',
    (content) => {
      write('policy.yaml', content);
      expect(() => open()).toThrow(/The policy file .*policy.yaml cannot be read: /);
    },
  );

  it('are read again when they change, at most once a second', () => {
    const files = open();
    write('policy.yaml', 'publicize_image: role:member');
    expect(mayPublish(files)).toBe(false);
    now = 1000;
    expect(mayPublish(files)).toBe(true);
    rmSync(join(directory, 'policy.yaml'));
    expect(mayPublish(files)).toBe(true);
    now = 2000;
    expect(mayPublish(files)).toBe(false);
    write('policy.d/new.yaml', 'publicize_image: role:member');
    now = 3000;
    expect(mayPublish(files)).toBe(true);
  });

  it('keep their rules while the files cannot be read, and complain once', () => {
    write('policy.yaml', 'publicize_image: role:member');
    const files = open();
    write('policy.yaml', '"publicize_image: "!"');
    for (now = 1000; now < 5000; now += 1000) expect(mayPublish(files)).toBe(true);
    expect(errors).toEqual(['The policy files cannot be read; the rules that were read before stay in force.']);
    write('policy.yaml', 'publicize_image: "!"');
    now = 6000;
    expect(mayPublish(files)).toBe(false);
  });

  it('tell of rules that refuse because they cannot be read', () => {
    write('policy.yaml', 'publicize_image: role:member and');
    open();
    expect(errors).toEqual([expect.stringContaining('"publicize_image" refuses everybody')]);
  });

  it('may bring back what the older rules allow', () => {
    const reader = { roles: ['reader'], project_id: 'p' };
    const deletes = (files: PolicyFiles): unknown => files.current.allows('delete_image', { project_id: 'q' }, reader);
    expect([deletes(open()), deletes(open({ enforceNewDefaults: false }))]).toEqual([false, true]);
  });
});
