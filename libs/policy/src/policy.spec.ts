import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { glanceRules } from './glance-rules.js';
import { parseCheck } from './parse-check.js';
import { describeCheck } from './check.js';
import { Policy } from './policy.js';

const check = (rule: unknown, target = {}, credentials = {}, overrides = {}): unknown =>
  new Policy([], { overrides: { ...overrides, tested: rule } }).allows('tested', target, credentials);

describe('the policy language', () => {
  it.each([
    ['', true],
    ['@', true],
    ['!', false],
    ['not !', true],
    ['not not !', false],
    ['role:admin', false],
    ['role:MEMBER', true],
    ['role:%(wanted)s', true],
    ['role:%(absent)s', false],
    ['role:admin or role:member and role:reader', true],
    ['(role:member or role:admin) and role:admin', false],
    ['role:member AND NOT role:admin', true],
    ['project_id:%(owner)s', true],
    ['project_id:%(other)s', false],
    ['project_id:%(absent)s', false],
    ['not project_id:%(absent)s', true],
    ["'public':%(visibility)s", true],
    ['"private":%(visibility)s', false],
    ['True:%(protected)s', true],
    ['None:%(nobody)s', true],
    ['user.domain.id:d1', true],
    ['groups.name:b', true],
    ['groups.name:c', false],
    ['toString:%(owner)s', false],
    ['rule:other', true],
    ['rule:absent', false],
  ])('decides %j as %j', (rule, expected) => {
    const target = { owner: 'p1', other: 'p2', visibility: 'public', protected: true, nobody: null, wanted: 'member' };
    const credentials = {
      roles: ['member', 'reader'],
      project_id: 'p1',
      user: { domain: { id: 'd1' } },
      groups: [{ name: 'a' }, { name: 'b' }],
    };
    expect(check(rule, target, credentials, { other: 'role:member' })).toBe(expected);
  });

  it('reads the older form: a list is an "or" of "and"s', () => {
    const credentials = { roles: ['a', 'b'] };
    expect(check([['role:a', 'role:b'], ['role:x']], {}, credentials)).toBe(true);
    expect(check([['role:a', 'role:x'], 'role:y'], {}, credentials)).toBe(false);
    expect(check([], {}, credentials)).toBe(true);
  });

  it.each(['role', '(role:a', 'role:a)', 'role:a role:b', 'and role:a', 'role:a or', ':x', 7, null, [[7]]])(
    'refuses everybody by a rule that cannot be read: %j, and says so',
    (rule) => {
      const policy = new Policy([], { overrides: { broken: rule } });
      expect(policy.allows('broken', {}, { roles: ['admin'] })).toBe(false);
      expect(policy.problems).toEqual([expect.stringContaining('"broken" refuses everybody')]);
    },
  );

  it('refuses rules that depend on themselves, and says so', () => {
    const overrides = {
      a: 'rule:b',
      b: 'not rule:a',
      c: 'rule:c or @',
      d: 'rule:unknown',
      default: 'rule:absent',
      e: '@',
    };
    const policy = new Policy([], { overrides });
    expect(Object.keys(overrides).filter((rule) => policy.allows(rule, {}, {}) === true)).toEqual(['e']);
    const cyclic = policy.problems.map((problem) => /"(.*)"/.exec(problem)?.[1]);
    expect(cyclic).toEqual(['a', 'b', 'c', 'default']);
  });

  it('tells the server that it asks which rule it is asked for', async () => {
    const rules: string[] = [];
    const remote = async (_url: string, _target: unknown, _credentials: unknown, rule: string): Promise<boolean> => {
      rules.push(rule);
      return true;
    };
    const policy = new Policy([], { remote, overrides: { outer: 'rule:inner', inner: 'http://h/' } });
    expect(await policy.allows('outer', {}, {})).toBe(true);
    expect(rules).toEqual(['outer']);
  });

  it('asks a server, with the target in its address, and refuses when the server does not answer', async () => {
    const asked: string[] = [];
    const remote = async (url: string): Promise<boolean> => {
      asked.push(url);
      if (url.includes('broken')) throw new Error('no route');
      return url.endsWith('/yes');
    };
    const policy = new Policy([], {
      remote,
      overrides: { ask: 'role:admin or http://h/%(answer)s', both: 'http://h/%(answer)s and role:member' },
    });
    const member = { roles: ['member'] };
    expect(await policy.allows('ask', { answer: 'yes' }, member)).toBe(true);
    expect(await policy.allows('ask', { answer: 'no' }, member)).toBe(false);
    expect(await policy.allows('ask', { answer: 'broken' }, member)).toBe(false);
    expect(await policy.allows('both', { answer: 'yes' }, member)).toBe(true);
    expect(await policy.allows('ask', {}, member)).toBe(false);
    expect(asked).toHaveLength(4);
  });
});

describe('the rules in force', () => {
  it('are the defaults, with policy files over them, and "default" for what is missing', async () => {
    const policy = new Policy(
      [
        { name: 'default', check: '!', description: '' },
        { name: 'a', check: 'role:admin', description: '', legacy: '' },
      ],
      { overrides: { b: 'role:member' } },
    );
    const member = { roles: ['member'] };
    expect([policy.allows('a', {}, member), policy.allows('b', {}, member)]).toEqual([false, true]);
    expect(await policy.explain('c', {}, member)).toMatchObject({ allowed: false, source: 'fallback', check: '!' });
    expect(await policy.explain('b', {}, member)).toMatchObject({ allowed: true, source: 'policy file' });
  });

  it('allow what they used to while the new defaults are off', () => {
    const reader = { roles: [], project_id: 'p1' };
    expect(new Policy(glanceRules).allows('delete_image', { project_id: 'p1' }, reader)).toBe(false);
    const old = new Policy(glanceRules, { newDefaults: false });
    expect(old.allows('delete_image', {}, reader)).toBe(true);
    // What had no older form, and who is an administrator above all, stays as it is.
    for (const rule of ['context_is_admin', 'publicize_image', 'service_api', 'tasks_api_access', 'cache_delete']) {
      expect(old.allows(rule, {}, reader), rule).toBe(false);
    }
  });

  it.each([
    [['admin'], 'p1', true, ['rule:context_is_admin > role:admin']],
    [['member'], 'p1', true, ['role:member', 'project_id:%(project_id)s = project_id:p1']],
    [['member'], 'p2', false, ['rule:context_is_admin > role:admin', 'project_id:%(project_id)s = project_id:p1']],
    [['reader'], 'p1', false, ['rule:context_is_admin > role:admin', 'role:member']],
  ])('explain what decided about the roles %j of %s', async (roles, project, allowed, because) => {
    const target = { project_id: 'p1', owner: 'p1' };
    const explanation = await new Policy(glanceRules).explain('delete_image', target, { roles, project_id: project });
    expect(explanation).toMatchObject({ allowed, because, source: 'default' });
  });

  it('take an override under a former name', () => {
    const renamed = [{ name: 'new', check: '!', description: '', formerly: 'old' }];
    expect(new Policy(renamed, { overrides: { old: '@' } }).allows('new', {}, {})).toBe(true);
    expect(new Policy(renamed, { overrides: { old: '@', new: '!' } }).allows('new', {}, {})).toBe(false);
  });

  it.each([
    ['add_image', 'member', true],
    ['add_image', 'reader', false],
    ['get_image', 'reader', true],
    ['download_image', 'reader', false],
    ['download_image', 'member', true],
    ['publicize_image', 'member', false],
    ['publicize_image', 'admin', true],
    ['fetch_image_location', 'service', true],
    ['fetch_image_location', 'member', false],
    ['tasks_api_access', 'member', false],
  ])('are Glance’s: %s by a project’s %s is %j', (name, role, allowed) => {
    const roles = { admin: ['admin', 'member', 'reader'], member: ['member', 'reader'] }[role] ?? [role];
    const target = { project_id: 'p1', owner: 'p1', visibility: 'private' };
    expect(new Policy(glanceRules).allows(name, target, { roles, project_id: 'p1' })).toBe(allowed);
  });
});

/** A rule as text beside what it means, told by plain booleans. */
interface Sample {
  readonly text: string;
  readonly means: boolean;
}

const roles = ['a', 'b'];
const { sample } = fc.letrec<{ sample: Sample }>((tie) => ({
  sample: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('a', 'b', 'c').map((role) => ({ text: `role:${role}`, means: roles.includes(role) })),
    fc.constantFrom<Sample>({ text: '@', means: true }, { text: '!', means: false }),
    tie('sample').map(({ text, means }) => ({ text: `not (${text})`, means: !means })),
    fc.tuple(tie('sample'), tie('sample')).map(([l, r]) => ({
      text: `(${l.text}) and (${r.text})`,
      means: l.means && r.means,
    })),
    fc.tuple(tie('sample'), tie('sample')).map(([l, r]) => ({
      text: `( ${l.text} ) or (${r.text})`,
      means: l.means || r.means,
    })),
  ),
}));

describe('any policy', () => {
  it('decides as plain logic would, and reads its own description', () => {
    fc.assert(
      fc.property(sample, ({ text, means }) => {
        expect(check(text, {}, { roles })).toBe(means);
        const parsed = parseCheck(text);
        expect(check(describeCheck(parsed), {}, { roles })).toBe(means);
      }),
      { numRuns: 2_000 },
    );
  });

  it('never crashes on rubbish, and never allows by a rule that it could not read', () => {
    const word = fc.constantFrom(
      'role:a',
      'not',
      'and',
      'or',
      '(',
      ')',
      '@',
      '!',
      'x',
      ':',
      '%(',
      'rule:tested',
      '%s',
      "'",
    );
    const rubbish = fc.oneof(
      fc.array(word, { maxLength: 9 }).map((words) => words.join(' ')),
      fc.string(),
      fc.anything(),
    );
    fc.assert(
      fc.property(rubbish, (rule) => {
        const policy = new Policy([], { overrides: { tested: rule } });
        const allowed = policy.allows('tested', { x: 1 }, { roles });
        if (policy.problems.length > 0) expect(allowed).toBe(false);
        else expect(typeof allowed === 'boolean' || allowed instanceof Promise).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });
});
