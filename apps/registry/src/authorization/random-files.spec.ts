import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type Caller, type Image, silentLogger } from '@glance/domain';
import { glanceRules, Policy } from '@glance/policy';
import { authorizationSettings } from '../testing/authorization.js';
import { callerOf } from '../testing/registry.js';
import { Authorization } from './authorization.js';
import { PolicyFiles } from './policy-files.js';
import { PropertyProtection } from './property-protection.js';
import { imageTarget } from './target.js';

/** How many files of each kind; the slow project tries more. */
const files = Number(process.env['RANDOM_FILES'] ?? 2_000);

/** A rule as it is meant; the evaluation below never sees its text. */
type Meaning =
  | { readonly is: 'allowed' | 'refused' | 'unreadable' }
  | { readonly is: 'role'; readonly role: string }
  | { readonly is: 'rule'; readonly name: string }
  | { readonly is: 'equal'; readonly left: string; readonly right: string }
  | { readonly is: 'not'; readonly of: Meaning }
  | { readonly is: 'all' | 'any'; readonly of: readonly Meaning[] };

type Facts = Readonly<Record<string, unknown>>;

const asText = (value: unknown): string =>
  value === null ? 'None' : value === true ? 'True' : value === false ? 'False' : `${value as string | number}`;

/** The second, naive evaluation. `rules` are all there are; who depends on himself is refused. */
function naive(meaning: Meaning, rules: ReadonlyMap<string, Meaning>, target: Facts, who: Facts): boolean {
  const named = (name: string): string => (rules.has(name) ? name : 'default');
  const asks = (one: Meaning): string[] => {
    if (one.is === 'rule') return [named(one.name)];
    if (one.is === 'not') return asks(one.of);
    return one.is === 'all' || one.is === 'any' ? one.of.flatMap(asks) : [];
  };
  const depends = (name: string, seen = new Set<string>()): ReadonlySet<string> => {
    for (const next of asks(rules.get(name)!)) if (!seen.has(next)) depends(next, seen.add(next));
    return seen;
  };
  const decide = (one: Meaning): boolean => {
    switch (one.is) {
      case 'allowed':
        return true;
      case 'refused':
      case 'unreadable':
        return false;
      case 'role':
        return (who['roles'] as readonly string[]).some((role) => role.toLowerCase() === one.role.toLowerCase());
      case 'rule': {
        const name = named(one.name);
        return !depends(name).has(name) && decide(rules.get(name)!);
      }
      case 'equal': {
        const literal =
          /^'(.*)'$/.exec(one.left)?.[1] ?? (/^(True|False|None|\d+)$/.test(one.left) ? one.left : undefined);
        const of = /^%\((.*)\)s$/.exec(one.right)?.[1];
        if (of !== undefined && !(of in target)) return false;
        const right = of === undefined ? one.right : asText(target[of]);
        if (literal !== undefined) return literal === right;
        const left = who[one.left];
        if (!(one.left in who)) return false;
        return Array.isArray(left) ? left.includes(right) : asText(left) === right;
      }
      case 'not':
        return !decide(one.of);
      case 'all':
        return one.of.every(decide);
      case 'any':
        return one.of.some(decide);
    }
  };
  return decide(meaning);
}

const role = fc.constantFrom('admin', 'member', 'reader', 'service', 'billing', 'Admin');
const names = [
  'get_image',
  'modify_image',
  'download_image',
  'publicize_image',
  'context_is_admin',
  'default',
  'own_a',
  'own_b',
];
const left = fc.constantFrom(
  'project_id',
  'user_id',
  'tenant',
  'roles',
  'service_roles',
  'is_admin_project',
  "'public'",
  'True',
  '7',
  'absent',
);
const right = fc.constantFrom(
  '%(project_id)s',
  '%(owner)s',
  '%(visibility)s',
  '%(kind)s',
  '%(absent)s',
  '%(protected)s',
  'alice',
  'member',
  'True',
  'None',
  '7',
);

const { meaning } = fc.letrec<{ meaning: Meaning }>((tie) => ({
  meaning: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 3, arbitrary: role.map((one): Meaning => ({ is: 'role', role: one })) },
    { weight: 3, arbitrary: fc.tuple(left, right).map(([a, b]): Meaning => ({ is: 'equal', left: a, right: b })) },
    { weight: 1, arbitrary: fc.constantFrom<Meaning>({ is: 'allowed' }, { is: 'refused' }) },
    { weight: 2, arbitrary: fc.constantFrom(...names, 'missing').map((name): Meaning => ({ is: 'rule', name })) },
    { weight: 1, arbitrary: tie('meaning').map((of): Meaning => ({ is: 'not', of })) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(
          fc.constantFrom('all' as const, 'any' as const),
          fc.array(tie('meaning'), { minLength: 2, maxLength: 3 }),
        )
        .map(([is, of]): Meaning => ({ is, of })),
    },
  ),
}));

/** How a file says it; `spelling` numbers the ways. Parentheses stand where they must, and here and there besides. */
function written(one: Meaning, spelling: number): string {
  const pick = <T>(...ways: readonly T[]): T => ways[spelling % ways.length]!;
  const inner = (part: Meaning, binds: readonly Meaning['is'][]): string => {
    const text = written(part, Math.floor(spelling / 3) + 1);
    return binds.includes(part.is) || spelling % 5 === 0 ? pick(`(${text})`, `( ${text} )`) : text;
  };
  switch (one.is) {
    case 'allowed':
      return '@';
    case 'refused':
      return '!';
    case 'unreadable':
      return pick(
        'role',
        'role:a and',
        '(role:member',
        'role:member role:reader',
        'not',
        ') or @',
        'and and',
        '@ or or',
      );
    case 'role':
      return `role:${one.role}`;
    case 'rule':
      return `rule:${one.name}`;
    case 'equal':
      return `${one.left}:${one.right}`;
    case 'not':
      return `${pick('not', 'NOT', 'Not')} ${inner(one.of, ['all', 'any', 'not'])}`;
    case 'all':
      return one.of.map((part) => inner(part, ['any', 'all'])).join(pick(' and ', ' AND ', '  and\t'));
    case 'any':
      return one.of.map((part) => inner(part, ['any'])).join(pick(' or ', ' OR ', ' or  '));
  }
}

const rule = fc.tuple(
  fc.oneof({ weight: 12, arbitrary: meaning }, fc.constant<Meaning>({ is: 'unreadable' })),
  fc.nat(1000),
);
const file = fc.tuple(
  fc.uniqueArray(fc.tuple(fc.constantFrom(...names), rule), { maxLength: 6, selector: ([name]) => name }),
  fc.constantFrom('json', 'quoted', 'single'),
);

/** As operators write it: JSON, or YAML with one of its kinds of quotes. */
function fileText([rules, syntax]: typeof file extends fc.Arbitrary<infer T> ? T : never): string {
  const texts = rules.map(([name, [one, spelling]]) => [name, written(one, spelling)] as const);
  if (syntax === 'json') return JSON.stringify(Object.fromEntries(texts));
  const line = ([name, text]: readonly [string, string]): string =>
    syntax === 'quoted' ? `"${name}": ${JSON.stringify(text)}` : `${name}: '${text.replaceAll("'", "''")}'`;
  return texts.map((one) => `# comment: "!"\n${line(one)}\n`).join('\n');
}

const token = fc.record({
  project: fc.option(fc.constantFrom('alice', 'bob', 'member')),
  roles: fc.uniqueArray(fc.constantFrom('admin', 'member', 'reader', 'service', 'billing'), { maxLength: 4 }),
  serviceRoles: fc.uniqueArray(fc.constantFrom('service', 'billing'), { maxLength: 2 }),
});
const callerBy = ({
  project,
  roles,
  serviceRoles,
}: typeof token extends fc.Arbitrary<infer T> ? T : never): Caller => ({
  ...callerOf(project, roles),
  serviceRoles,
});

const image = fc
  .record({
    owner: fc.option(fc.constantFrom('alice', 'bob')),
    visibility: fc.constantFrom('public' as const, 'private', 'shared', 'community'),
    protected: fc.boolean(),
    kind: fc.option(fc.constantFrom('7', 'member', 'alice')),
  })
  .map(({ kind, ...attributes }): Image => ({
    ...{ id: '00000000-0000-0000-0000-000000000000', name: null, status: 'active', diskFormat: 'raw' },
    ...{ containerFormat: 'bare', size: 7, virtualSize: 7, checksum: null, osHashAlgo: null, osHashValue: null },
    ...{ minDisk: 0, minRam: 0, osHidden: false, tags: [], locations: [], createdAt: '', updatedAt: '' },
    ...attributes,
    properties: kind === null ? {} : { kind },
  }));

/** What Glance's own rules of these names mean, and those of nobody else that the files may ask for. */
const shipped: ReadonlyMap<string, Meaning> = (() => {
  const byRole = (one: string): Meaning => ({ is: 'role', role: one });
  const admin: Meaning = { is: 'rule', name: 'context_is_admin' };
  const equal = (a: string, b: string): Meaning => ({ is: 'equal', left: a, right: b });
  const own: Meaning = { is: 'all', of: [byRole('member'), equal('project_id', '%(project_id)s')] };
  const seen: readonly Meaning[] = [
    ...[equal('project_id', '%(project_id)s'), equal('project_id', '%(member_id)s')],
    ...['community', 'public', 'shared'].map((one) => equal(`'${one}'`, '%(visibility)s')),
  ];
  const by = (one: string): Meaning => ({
    is: 'any',
    of: [admin, { is: 'all', of: [byRole(one), { is: 'any', of: seen }] }],
  });
  return new Map<string, Meaning>([
    ['default', { is: 'allowed' }],
    ['context_is_admin', byRole('admin')],
    ['get_image', by('reader')],
    ['download_image', by('member')],
    ['modify_image', { is: 'any', of: [admin, own] }],
    ['publicize_image', admin],
  ]);
})();

describe('random policy files and tokens', () => {
  const directory = mkdtempSync(join(tmpdir(), 'glance-policy-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  it('allow what a second, naive evaluation allows, and nothing else', async () => {
    const path = join(directory, 'policy.yaml');
    let allowed = 0;
    let refused = 0;
    let turn = 0;
    const remote = async (): Promise<boolean> => false;
    const property = fc.asyncProperty(file, token, image, async (one, who, on) => {
      writeFileSync(path, fileText(one));
      const policies = new PolicyFiles({ ...authorizationSettings, policyFile: path }, remote, silentLogger);
      const rights = await new Authorization(policies).of(callerBy(who));
      const rules = new Map([...shipped, ...one[0].map(([name, [meant]]) => [name, meant] as const)]);
      const project = who.project ?? '';
      const credentials = {
        ...{ user_id: 'someone', project_id: project, tenant: project, is_admin_project: true },
        ...{ roles: who.roles, service_roles: who.serviceRoles },
      };
      expect(rights.isAdmin).toBe(naive({ is: 'rule', name: 'context_is_admin' }, rules, credentials, credentials));
      const target = imageTarget(on);
      turn++;
      for (const name of names.filter((_, index) => (index + turn) % 3 === 0)) {
        const expected = naive({ is: 'rule', name }, rules, target, credentials);
        if (expected) allowed++;
        else refused++;
        if ((await rights.allows(name, target)) !== expected) throw new Error(`${name} is to be ${expected}`);
      }
    });
    await fc.assert(property, { numRuns: files, seed: Date.now() });
    expect(Math.min(allowed, refused)).toBeGreaterThan(files / 2);
  });

  it('that are no policy files at all are refused or understood, and never allow by what cannot be read', async () => {
    const path = join(directory, 'rubbish.yaml');
    const piece = fc.constantFrom(
      '"get_image"',
      ':',
      ' ',
      '\n',
      '!',
      '@',
      'role:member',
      "'",
      '"',
      '[',
      ']',
      '{',
      '}',
      '- ',
      '&a',
      '*a',
      '!!set',
    );
    const property = fc.asyncProperty(
      fc.oneof(
        fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
        fc.string(),
      ),
      async (text) => {
        writeFileSync(path, text);
        let policy: Policy;
        try {
          policy = new PolicyFiles({ ...authorizationSettings, policyFile: path }, async () => false, silentLogger)
            .current;
        } catch (error) {
          expect(error).toMatchObject({ code: 'Invalid' });
          return;
        }
        if (policy.problems.some((problem) => problem.startsWith('The rule "get_image" refuses')))
          expect(policy.allows('get_image', {}, { roles: ['admin'] })).toBe(false);
      },
    );
    await fc.assert(property, { numRuns: 500, seed: Date.now() });
  });
});

const operations = ['create', 'read', 'update', 'delete'] as const;
type Operation = (typeof operations)[number];

/** Expressions beside what they find. */
const expression = fc.constantFrom<(readonly [string, (name: string) => boolean])[]>(
  ['^x_', (name) => name.startsWith('x_')],
  ['^x_secret$', (name) => name === 'x_secret'],
  ['billing', (name) => name.includes('billing')],
  ['(?i)^open', (name) => name.toLowerCase().startsWith('open')],
  ['_id$', (name) => name.endsWith('_id')],
  ['.*', () => true],
);
const whom = fc.oneof(
  fc.uniqueArray(role, { maxLength: 3 }),
  fc.constantFrom(['@'], ['!'], ['@', 'admin'], ['admin', '!'], []),
);
const section = fc.tuple(expression, fc.record({ create: whom, read: whom, update: whom, delete: whom }), fc.nat(7));
const protection = fc.uniqueArray(section, { maxLength: 4, selector: ([[text]]) => text });
const property = fc.constantFrom(
  'x_secret',
  'x_open',
  'billing',
  'my_billing_id',
  'OPEN_data',
  'kernel_id',
  'other',
  '',
);

/** Who is named may; so may everybody by @, and nobody by ! or where nobody is named. */
function mayNaively(words: readonly string[] | undefined, { roles, serviceRoles }: Caller): boolean {
  if (words === undefined) return false;
  if (words.includes('@')) return true;
  if (words.includes('!')) return false;
  return words.some((word) => [...roles, ...serviceRoles].includes(word.toLowerCase()));
}

describe('random property protection files and tokens', () => {
  it('allow what a second, naive evaluation allows, and nothing else', async () => {
    let allowed = 0;
    const policy = new Policy(glanceRules);
    const run = fc.asyncProperty(
      protection,
      token,
      image,
      fc.array(property, { minLength: 1, maxLength: 3 }),
      async (sections, who, on, asked) => {
        const text = sections
          .map(([[name], rights, style]) => {
            const line = (operation: Operation): string => {
              const by = rights[operation].join([',', ', ', ' ,', ',,'][style % 4]);
              return `${style > 3 ? operation.toUpperCase() : operation}${style % 2 ? ' = ' : ': '}${by}`;
            };
            return `# [.*]\n[${name}]\n${operations.map(line).join('\n')}\n`;
          })
          .join('\n');
        const properties = PropertyProtection.parse(text, 'roles', policy);
        const caller = callerBy(who);
        const rights = await new Authorization(undefined, true, properties).of(caller);
        for (const name of asked) {
          const first = sections.find(([[, finds]]) => finds(name))?.[1];
          for (const operation of operations) {
            const expected = mayNaively(first?.[operation], caller);
            if (expected) allowed++;
            if ((await properties.allows(rights, operation, on, name)) !== expected)
              throw new Error(`to ${operation} ${name} is to be ${expected}`);
          }
        }
      },
    );
    await fc.assert(run, { numRuns: files, seed: Date.now() });
    expect(allowed).toBeGreaterThan(files);
  });
});
