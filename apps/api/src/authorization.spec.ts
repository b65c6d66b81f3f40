import { readFileSync } from 'node:fs';
import { anonymousCaller, type Caller, ServiceError } from '@glance/domain';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Identity } from './identity/identity.js';
import {
  authorizationPage,
  type ImageKind,
  imageKinds,
  type Outcome,
  type Persona,
  personas,
  plainRows,
  type Row,
  rows,
  sharedWith,
} from './testing/authorization-table.js';
import type { Answer } from './testing/http-client.js';
import { startService, type TestService } from './testing/service.js';

/** Believes whoever says who he is, in a header. */
const believing: Identity = {
  challenge: 'Keystone uri="http://keystone"',
  identify(request): Caller {
    const name = request.headers['x-persona'];
    const persona = personas.find((one) => one.name === name);
    if (!persona) throw new ServiceError('Unauthenticated', 'Say who you are.');
    if (persona.project === null) return anonymousCaller(request.id);
    const { project: projectId, roles } = persona;
    return { requestId: request.id, userId: persona.name, projectId, roles, serviceRoles: [] };
  },
};

let service: TestService;
beforeAll(async () => {
  service = await startService({
    identity: believing,
    stores: ['other'],
    settings: { flavor: 'keystone+cachemanagement' },
    cache: { maxSize: 1024 ** 2 },
  });
});
afterAll(() => service.close());

const admin = personas[0]!;
const as = (persona: Persona, method: string, path: string, body?: unknown): Promise<Answer> => {
  const type =
    method === 'PATCH'
      ? 'application/openstack-images-v2.1-json-patch'
      : /\/(file|stage)$/.test(path) && 'application/octet-stream';
  const headers = { 'x-persona': persona.name, ...(type && { 'content-type': type }) };
  return service.ask(method, path, { headers, ...(body !== undefined && { body }) });
};

async function makeImage({ visibility, state }: ImageKind, queued: boolean): Promise<string> {
  const formats = { disk_format: 'raw', container_format: 'bare' };
  const flags = { os_hidden: state === 'hidden', protected: state === 'protected' };
  const body = { owner: 'owner', visibility, tags: ['old'], ...formats, ...flags };
  const { id } = (await as(admin, 'POST', '/v2/images', body)).json<{ id: string }>();
  const path = `/v2/images/${id}`;
  if (!queued) await as(admin, 'PUT', `${path}/file`, 'data');
  if (state === 'deactivated') await as(admin, 'POST', `${path}/actions/deactivate`);
  if (visibility === 'shared') {
    for (const member of sharedWith) {
      await as(admin, 'POST', `${path}/members`, { member });
      await as(admin, 'PUT', `${path}/members/${member}`, { status: member });
    }
  }
  return id;
}

/** Images of a kind, made anew when one has been changed. */
const images = new Map<string, Promise<string>>();
function imageFor(row: Row, kind: ImageKind): { id: Promise<string>; changed(): void } {
  const key = `${kind.name} ${row.queued ?? false}`;
  const id = images.get(key) ?? makeImage(kind, row.queued ?? false);
  images.set(key, id);
  return { id, changed: () => images.delete(key) };
}

async function outcomeOf(row: Row, persona: Persona, kind: ImageKind): Promise<Outcome> {
  const image = imageFor(row, kind);
  const id = await image.id;
  const path = row.path
    .replace('{id}', id)
    .replace('{own}', persona.project ?? 'nobody')
    .replace('{accepted}', 'accepted');
  const list = row.path.startsWith('/v2/images') && !row.path.includes('{id}');
  const body = /\/(file|stage)$/.test(row.path) && row.method === 'PUT' ? 'data' : row.body;
  const answer = await as(
    persona,
    row.method,
    list ? `${path}${path.includes('?') ? '&' : '?'}limit=1000` : path,
    body,
  );
  if (row.method !== 'GET' && answer.status < 300) image.changed();
  if (!list || answer.status !== 200) return answer.status;
  const found = answer.json<{ images: { id: string }[] }>().images.some((one) => one.id === id);
  return found ? 'listed' : 'left out';
}

describe('the table of who may do what', () => {
  it.each(rows.map((row) => [`${row.method} ${row.path}${row.note ? ` (${row.note})` : ''}`, row] as const))(
    '%s',
    async (_, row) => {
      const wrong: string[] = [];
      for (const kind of imageKinds) {
        if (row.queued && kind.state === 'deactivated') continue;
        for (const persona of personas) {
          const [expected, outcome] = [row.expected(persona, kind), await outcomeOf(row, persona, kind)];
          if (outcome !== expected) wrong.push(`${persona.name}, ${kind.name}: ${outcome}, not ${expected}`);
        }
      }
      expect(wrong).toEqual([]);
    },
  );

  it.each(plainRows.map((row) => [`${row.method} ${row.path}${row.note ? ` (${row.note})` : ''}`, row] as const))(
    '%s',
    async (_, row) => {
      const outcomes: [string, number][] = [];
      for (const persona of personas) {
        outcomes.push([persona.name, (await as(persona, row.method, row.path, row.body)).status]);
      }
      expect(outcomes).toEqual(personas.map((persona) => [persona.name, row.expected(persona)]));
    },
  );

  it('is 401 throughout for who is not let in', async () => {
    const stranger: Persona = { name: 'stranger', project: null, roles: [] };
    for (const { method, path } of [...rows, ...plainRows]) {
      const { status, headers } = await as(stranger, method, path.replaceAll(/[{}]/g, ''));
      expect([path, status, headers['www-authenticate']]).toEqual([path, 401, believing.challenge]);
    }
  });

  it('is the one in the documentation', () => {
    const page = readFileSync(new URL('../../../docs/generated/authorization.md', import.meta.url), 'utf8');
    expect(page, 'run "npm run generate"').toBe(authorizationPage());
  });
});
