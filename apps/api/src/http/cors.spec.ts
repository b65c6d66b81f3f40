import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningApi } from '../start-api.js';
import { imagePath, startFront } from '../testing/front.js';
import { type Answer, http } from '../testing/http-client.js';
import { testSettings } from '../testing/settings.js';

const horizon = 'https://horizon.example.org';
const { cors: defaults } = testSettings();

describe('pages of other sites', () => {
  let api: RunningApi;
  let open: RunningApi;
  let closed: RunningApi;
  beforeAll(async () => {
    api = await startFront({ settings: { cors: { ...defaults, allowedOrigin: [horizon, 'http://localhost:3000'] } } });
    open = await startFront({ settings: { cors: { ...defaults, allowedOrigin: ['*'], allowCredentials: false } } });
    closed = await startFront();
  });
  afterAll(() => Promise.all([api.close(), open.close(), closed.close()]));

  const ask = (method: string, headers: Record<string, string>, from = api, path = '/v2/images'): Promise<Answer> =>
    http(method, from.url + path, { headers });
  const corsHeaders = ({ headers }: Answer): Record<string, unknown> =>
    Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('access-control-')));

  it('of an allowed origin may read answers, errors included', async () => {
    const answer = await ask('GET', { origin: horizon }, api, '/v2/schemas/image');
    expect(answer.status).toBe(200);
    expect(answer.headers['vary']).toBe('Origin');
    expect(corsHeaders(answer)).toEqual({
      'access-control-allow-origin': horizon,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'X-OpenStack-Request-ID',
    });
    const missing = await ask('GET', { origin: horizon }, api, `${imagePath}x`);
    expect(missing.status).toBe(404);
    expect(corsHeaders(missing)['access-control-allow-origin']).toBe(horizon);
  });

  it('are told beforehand what they may ask', async () => {
    const answer = await ask('OPTIONS', {
      origin: horizon,
      'access-control-request-method': 'PATCH',
      'access-control-request-headers': 'x-auth-token, content-type',
    });
    expect(answer.status).toBe(200);
    expect(corsHeaders(answer)).toEqual({
      'access-control-allow-origin': horizon,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'PATCH',
      'access-control-allow-headers': 'x-auth-token,content-type',
      'access-control-max-age': '3600',
    });
  });

  it('learn nothing for another origin, method or header', async () => {
    const question = { origin: horizon, 'access-control-request-method': 'GET' };
    for (const headers of [
      { ...question, origin: 'https://evil.example.org' },
      { ...question, 'access-control-request-method': 'TRACE' },
      { ...question, 'access-control-request-headers': 'x-secret' },
      { origin: horizon },
    ]) {
      const answer = await ask('OPTIONS', headers);
      expect(answer.status).toBe(200);
      expect(corsHeaders(answer)).toEqual({});
    }
    expect(corsHeaders(await ask('GET', { origin: 'https://evil.example.org' }))).toEqual({});
    expect(corsHeaders(await ask('GET', {}))).toEqual({});
    expect(corsHeaders(await ask('GET', { origin: horizon }, api, '/healthcheck'))).toEqual({});
  });

  it('are all meant by *, and none without the option', async () => {
    const answer = await ask('GET', { origin: 'https://anywhere.example.org' }, open);
    expect(corsHeaders(answer)).toEqual({
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'X-OpenStack-Request-ID',
    });
    expect(corsHeaders(await ask('GET', { origin: horizon }, closed))).toEqual({});
  });
});
