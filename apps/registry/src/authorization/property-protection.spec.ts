import { glanceRules, Policy } from '@glance/policy';
import { beforeAll, afterAll, describe, expect, it } from 'vitest';
import { type Caller, type Image, type ImageChange, isServiceError } from '@glance/domain';
import { ImagesInDatabase } from '../images/images-in-database.js';
import { authorizationWith } from '../testing/authorization.js';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, callerOf, registrySettings, TestRegistry } from '../testing/registry.js';
import { PropertyProtection } from './property-protection.js';

const file = `
# Who may touch what.
[^x_billing_.*]
create = admin, Billing
read = admin,billing,member
update = admin
delete = !

[^x_secret$]
create: admin
read: admin
update: admin
delete: admin

[license]
create = @
read = @
update = !
delete =

[(?i)^open]
create = @
read = @
update = @
delete = @
`;
const parse = (text: string, format: 'roles' | 'policies' = 'roles'): PropertyProtection =>
  PropertyProtection.parse(text, format, new Policy(glanceRules));
const section = (name: string, rights: string): string =>
  `[${name}]\n${['create', 'read', 'update', 'delete'].map((operation) => `${operation} = ${rights}\n`).join('')}`;

describe('a property protection file', () => {
  it.each([
    ['[a]\ncreate = x\nread = x\nupdate = x\n', /\[a\] in line 1 does not say who may delete/],
    [section('a', '@,!'), /\[a\] in line 1: create is for @ and for ! at once/],
    [section('(a', '@'), /\[\(a\] in line 1 is no regular expression/],
    [section('a', '@') + section('a', '@'), /line 6: there is a section \[a\] already/],
    ['[a]\ncreate = x\ncreate = y\n', /line 3: "create" is there twice/],
    ['create = x\n', /line 1 must be/],
    ['[a]\nnonsense\n', /line 2 must be/],
  ])('that is wrong is told where: %j', (text, problem) => {
    expect(() => parse(text)).toThrow(problem);
  });

  it('of policies names one rule, which exists', () => {
    expect(() => parse(section('a', 'modify_image,get_image'), 'policies')).toThrow(/create must name one policy rule/);
    expect(() => parse(section('a', 'absent'), 'policies')).toThrow(/there is no policy rule "absent"/);
    expect(() => parse(section('a', 'modify_image'), 'policies')).not.toThrow();
  });

  it('may go on in indented lines', () => {
    expect(() => parse('[a]\ncreate = x,\n  y\nread = x\nupdate = x\ndelete = x\n')).not.toThrow();
  });
});

describe('protected properties', () => {
  let registry: TestRegistry;
  let images: ImagesInDatabase;
  const imagesBy = (text: string, format: 'roles' | 'policies' = 'roles'): ImagesInDatabase => {
    const authorization = authorizationWith(
      { editors: 'role:editor and project_id:%(owner)s' },
      { file: text, format },
    );
    return new ImagesInDatabase(registry.database, registrySettings, () => registry.now, undefined, authorization);
  };
  beforeAll(async () => {
    registry = await TestRegistry.on(databaseKinds[0]!);
    images = imagesBy(file);
  });
  afterAll(() => registry.close());

  const billing = callerOf('alice', ['member', 'reader', 'billing']);
  const reader = callerOf('alice', ['reader']);
  const asService: Caller = { ...alice, serviceRoles: ['billing'] };
  const all = { x_billing_code: '7', x_secret: 's', license: 'l', open_data: 'o' };
  const ofAdmin = (properties: Record<string, string> = all): Promise<Image> =>
    images.create(admin, { owner: 'alice', properties });
  const change = (op: 'add' | 'replace' | 'remove', name: string, value = 'new'): ImageChange[] => [
    { kind: 'property', op, name, ...(op !== 'remove' && { value }) },
  ];
  const outcome = (attempt: Promise<unknown>): Promise<unknown> =>
    attempt.then(
      () => 'done',
      (error: unknown) => (isServiceError(error) ? error.code : error),
    );

  it.each([
    ['alice', alice, 'open_data', 'done'],
    ['alice', alice, 'Open_data', 'done'],
    ['alice', alice, 'x_billing_code', 'Forbidden'],
    ['billing', billing, 'x_billing_code', 'done'],
    ['a service with the role', asService, 'x_billing_code', 'done'],
    ['admin', admin, 'x_secret', 'done'],
    ['alice', alice, 'unlisted', 'Forbidden'],
    ['admin', admin, 'unlisted', 'Forbidden'],
    ['alice', alice, 'my license', 'done'],
  ])('are created by whom the first section that fits names: %s, %s', async (_, caller, name, expected) => {
    expect(await outcome(images.create(caller, { properties: { [name]: 'v' } }))).toBe(expected);
  });

  it('are shown to who may read them, wherever an image is shown', async () => {
    const { id } = await ofAdmin();
    const names = async (image: Promise<Image>): Promise<string[]> => Object.keys((await image).properties).sort();
    expect(await names(images.show(admin, id))).toEqual(Object.keys(all).sort());
    expect(await names(images.show(alice, id))).toEqual(['license', 'open_data', 'x_billing_code']);
    expect(await names(images.show(reader, id))).toEqual(['license', 'open_data']);
    const list = images.list(alice, { filters: [], sort: [], limit: 100 });
    expect(await names(list.then((page) => page.images.find((image) => image.id === id)!))).not.toContain('x_secret');
    expect(await names(images.update(alice, id, []))).not.toContain('x_secret');
    expect(await names(images.update(alice, id, change('add', 'open_more')))).toEqual([
      'license',
      'open_data',
      'open_more',
      'x_billing_code',
    ]);
    expect((await images.show(admin, id)).properties).toMatchObject({ x_secret: 's' });
  });

  it('cannot be guessed by filters', async () => {
    const { id } = await ofAdmin({ x_secret: 'guess me' });
    const found = async (caller: Caller): Promise<string[]> => {
      const filters = [{ kind: 'property', name: 'x_secret', value: 'guess me' }] as const;
      return (await images.list(caller, { filters, sort: [], limit: 100 })).images.map((image) => image.id);
    };
    expect(await found(admin)).toEqual([id]);
    expect(await found(alice)).toEqual([]);
  });

  it.each([
    [alice, 'add', 'open_data', 'done'],
    [alice, 'replace', 'open_data', 'done'],
    [alice, 'remove', 'open_data', 'done'],
    [alice, 'add', 'license', 'Forbidden'],
    [alice, 'replace', 'license', 'Forbidden'],
    [alice, 'remove', 'license', 'Forbidden'],
    [admin, 'replace', 'x_billing_code', 'done'],
    [admin, 'remove', 'x_billing_code', 'Forbidden'],
    [billing, 'replace', 'x_billing_code', 'Forbidden'],
    [alice, 'replace', 'x_secret', 'Conflict'],
    [alice, 'remove', 'x_secret', 'Conflict'],
    [alice, 'add', 'x_secret', 'Forbidden'],
    [alice, 'replace', 'absent', 'Forbidden'],
    [alice, 'remove', 'absent', 'Conflict'],
  ] as const)('are changed by whom they name: %o %s %s', async (caller, op, name, expected) => {
    const { id } = await ofAdmin();
    expect(await outcome(images.update(caller, id, change(op, name)))).toBe(expected);
  });

  it('follow what earlier steps of the same change did', async () => {
    const { id } = await ofAdmin({});
    const twice = [...change('add', 'license', 'one'), ...change('add', 'license', 'two')];
    expect(await outcome(images.update(alice, id, twice))).toBe('Forbidden');
    expect((await images.show(admin, id)).properties).toEqual({});
  });

  it('may be protected by policy rules, which see the image', async () => {
    const byPolicy = imagesBy(section('.*', 'editors'), 'policies');
    const editor = callerOf('alice', ['member', 'reader', 'editor']);
    expect(await outcome(byPolicy.create(alice, { properties: { a: '1' } }))).toBe('Forbidden');
    const { id } = await byPolicy.create(editor, { properties: { a: '1' }, visibility: 'shared' });
    expect((await byPolicy.show(editor, id)).properties).toEqual({ a: '1' });
    expect((await byPolicy.show(alice, id)).properties).toEqual({});
    expect((await byPolicy.show(callerOf('bob', ['admin', 'editor']), id)).properties).toEqual({});
  });
});
