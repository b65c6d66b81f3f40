import 'reflect-metadata';
import { RequestMethod, type Type } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerCheck, type CheckedAnswer } from '../../../../tools/openapi/answer-check.js';
import { controllers } from '../api.module.js';
import { startService, type TestService } from '../testing/service.js';
import { openApiDocument } from './openapi-document.js';
import { operations } from './operations.js';

/** What Nest was told that the controllers answer. */
function routesOf(controller: Type<unknown>): string[] {
  const base = Reflect.getMetadata('path', controller) as string;
  const { prototype } = controller as { prototype: Record<string, object> };
  return Object.getOwnPropertyNames(prototype).flatMap((name) => {
    const method = Reflect.getMetadata('method', prototype[name]!) as RequestMethod | undefined;
    if (method === undefined) return [];
    const path = [base, Reflect.getMetadata('path', prototype[name]!) as string].join('/');
    const parts = path.split('/').filter((part) => part !== '');
    return `${RequestMethod[method]} /${parts.map((part) => part.replace(/^:(.*)$/, '{$1}')).join('/')}`;
  });
}

const document = openApiDocument({ disk: ['raw'], container: ['bare'] });

describe('the description of the API', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.close());

  it('has every route, and no other', () => {
    const served = controllers.flatMap((controller) => routesOf(controller as Type<unknown>));
    expect(operations.map(({ route }) => route).sort()).toEqual(served.sort());
  });

  it('has a name for every operation, and none twice', () => {
    const names = Object.values(document.paths).flatMap((item) => Object.values(item).map((one) => one['operationId']));
    expect(new Set(names).size).toBe(operations.length);
  });

  it('refers to nothing that it does not have', () => {
    const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(
      ([, name]) => name!,
    );
    expect(references.filter((name) => !Object.hasOwn(document.components.schemas, name))).toEqual([]);
  });

  it('is served, with the formats that are configured', async () => {
    const served = (await service.ask('GET', '/v2/openapi.json')).json<typeof document>();
    expect(served.openapi).toBe('3.1.0');
    expect(Object.keys(served.paths)).toEqual(Object.keys(document.paths));
    const image = served.components.schemas['Image'] as { properties: { disk_format: { enum: unknown[] } } };
    expect(image.properties.disk_format.enum).toContain('qcow2');
  });
});

describe('the check of answers', () => {
  const check = answerCheck(document);
  const answer = (changes: Partial<CheckedAnswer>): string | undefined =>
    check({
      method: 'GET',
      path: '/v2/images/x/members/y',
      status: 200,
      contentType: 'application/json',
      body: Buffer.from(
        '{"member_id":"y","image_id":"x","status":"pending","created_at":"1","updated_at":"1","schema":"/v2/schemas/member"}',
      ),
      ...changes,
    });

  it('lets pass what is described', () => {
    expect(answer({})).toBeUndefined();
    expect(answer({ path: '/v2.9/images/x/members/y?z=1' })).toBeUndefined();
  });

  it.each([
    ['a missing attribute', { body: Buffer.from('{"member_id":"y"}') }],
    ['a wrong type', { path: '/v2/images/x', body: Buffer.from('{"size":"12"}') }],
    ['another status', { status: 201 }],
    ['another type', { contentType: 'text/plain' }],
    ['a body where none belongs', { method: 'DELETE', status: 204 }],
    ['a route that is not described', { path: '/v2/nothing' }],
    ['an error without a message', { status: 404, body: Buffer.from('{}') }],
  ])('tells of %s', (_, changes) => {
    expect(answer(changes)).toMatch(/./);
  });
});
