import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startService, type TestService } from '../testing/service.js';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

describe('the schemas', () => {
  const names = ['image', 'images', 'member', 'members', 'task', 'tasks'].concat(
    ['namespace', 'resource_type', 'property', 'object', 'tag'].map((name) => `metadefs/${name}`),
    ['namespaces', 'resource_types', 'properties', 'objects', 'tags'].map((name) => `metadefs/${name}`),
  );

  it('are sixteen documents', async () => {
    for (const name of names) {
      const { status, json } = await service.ask('GET', `/v2/schemas/${name}`);
      expect(status).toBe(200);
      expect(json()).toHaveProperty('properties');
    }
    expect(names).toHaveLength(16);
    expect((await service.ask('GET', '/v2/schemas/nothing')).status).toBe(404);
    expect((await service.ask('GET', '/v2/schemas/constructor')).status).toBe(404);
    expect((await service.ask('GET', '/v2/schemas/metadefs/image')).status).toBe(404);
  });

  it('of an image name the configured formats, and what is no base attribute', async () => {
    const { properties } = (await service.ask('GET', '/v2/schemas/image')).json<{
      properties: Record<string, { enum?: unknown[]; is_base?: boolean; readOnly?: boolean }>;
    }>();
    expect(properties['disk_format']?.enum?.slice(0, 2)).toEqual([null, 'ami']);
    expect(properties['status']?.enum).toHaveLength(9);
    expect(properties['checksum']?.readOnly).toBe(true);
    expect(properties['kernel_id']?.is_base).toBe(false);
  });
});

describe('information', () => {
  it('says that a single store has no name, and that nothing is counted', async () => {
    expect((await service.ask('GET', '/v2/info/stores')).status).toBe(404);
    expect((await service.ask('GET', '/v2/info/stores/detail')).status).toBe(404);
    expect((await service.ask('GET', '/v2/info/usage')).json()).toEqual({ usage: {} });
    expect((await service.ask('GET', '/v2/info/import')).json()).toMatchObject({
      'import-methods': { type: 'array', value: ['glance-direct', 'web-download', 'copy-image'] },
    });
  });
});
