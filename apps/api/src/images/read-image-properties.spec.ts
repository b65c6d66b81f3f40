import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { startService } from '../testing/service.js';
import { readImageProperties } from './read-image-properties.js';

const directory = mkdtempSync(join(tmpdir(), 'glance-schema-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = join(directory, 'schema-image.json');

function read(text: string): ReturnType<typeof readImageProperties> {
  writeFileSync(file, text);
  return readImageProperties(file);
}

describe('schema-image.json', () => {
  it('need not be there', () => {
    expect(readImageProperties(join(directory, 'none.json'))).toBeUndefined();
  });

  it.each(['[]', '{', '{"a": 1}', '{"a": {"pattern": "("}}'])('is refused when it is %s', (text) => {
    expect(() => read(text)).toThrow(/schema-image\.json cannot be used/);
  });

  it('says what properties may be, in the schema and when they are written', async () => {
    const imageProperties = read('{"tier": {"type": ["null", "string"], "enum": ["gold", "tin"], "maxLength": 4}}');
    const service = await startService({ settings: { imageProperties } });
    const schema = (await service.ask('GET', '/v2/schemas/image')).json<{ properties: Record<string, object> }>();
    expect(schema.properties['tier']).toMatchObject({ is_base: false, enum: ['gold', 'tin'] });
    expect(schema.properties).not.toHaveProperty('os_distro');
    const path = await service.create({ tier: 'gold', kernel_id: 'any' });
    expect(await service.show(path)).toMatchObject({ tier: 'gold', kernel_id: 'any' });
    expect((await service.ask('POST', '/v2/images', { body: { tier: 'lead' } })).status).toBe(400);
    const patch = (value: string | null): Promise<{ status: number }> =>
      service.ask('PATCH', path, {
        headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' },
        body: JSON.stringify([{ op: 'replace', path: '/tier', value }]),
      });
    expect((await patch('lead')).status).toBe(400);
    expect((await patch(null)).status).toBe(200);
    expect(await service.show(path)).toMatchObject({ tier: null });
    await service.close();
  });
});
