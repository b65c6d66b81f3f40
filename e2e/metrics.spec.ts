import { rename } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Sample, scrape, sumOf } from './exposition.js';
import { send } from './http.js';
import { imageClient } from './image-client.js';
import { install, type Installation, type Part } from './installation.js';
import { target } from './service.js';
import { until } from './until.js';

const megabyte = 1024 ** 2;

describe.runIf(target === 'ours')('the metrics of', () => {
  let service: Installation;
  let api: Part;
  let registry: Part;
  let scrubber: Part;

  beforeAll(async () => {
    service = await install();
    [api, registry, scrubber] = await Promise.all([
      service.part('glance-api', { workers: 2 }),
      service.part('glance-registry'),
      service.part('glance-scrubber', { wakeup_time: 1 }),
    ]);
    await Promise.all([api.start(), registry.start(), scrubber.start()]);
  });
  afterAll(() => service.close());

  it('each process say which it is, and that what it needs works', async () => {
    const expected: [Part, string, string[]][] = [
      [api, 'glance-api', ['broker', 'registry', 'store']],
      [registry, 'glance-registry', ['broker', 'database', 'schema']],
      [scrubber, 'glance-scrubber', ['broker', 'registry', 'store']],
    ];
    for (const [part, program, checks] of expected) {
      const samples = await scrape(part.adminUrl);
      expect(sumOf(samples, 'glance_build_info', { program })).toBeGreaterThan(0);
      for (const check of checks) expect(sumOf(samples, 'glance_check_up', { check })).toBeGreaterThan(0);
      expect(sumOf(samples, 'process_cpu_seconds_total')).toBeGreaterThan(0);
    }
  });

  it('requests, calls, statements and transfers count what was done, in all workers', async () => {
    const client = imageClient(api.url);
    for (let i = 0; i < 10; i++) {
      const id = await client.create({ name: `image-${i}` });
      await client.upload(id, Buffer.alloc(megabyte, i));
      expect((await client.download(id)).body.length).toBe(megabyte);
      await send('GET', `${api.url}/v2/images/${id}`, { headers: { connection: 'close' } });
    }
    const samples = await scrape(api.adminUrl);
    const requests = (http_route: string, http_request_method: string): number | undefined =>
      sumOf(samples, 'http_server_request_duration_seconds_count', { http_route, http_request_method });
    expect(requests('/v2/images/:id/file', 'PUT')).toBe(10);
    expect(requests('/v2/images/:id/file', 'GET')).toBe(10);
    expect(requests('/v2/images/:id', 'GET')).toBe(10);
    for (const direction of ['read', 'write']) {
      const transfers = { store: 'file', direction };
      expect(sumOf(samples, 'glance_store_transfer_bytes_total', transfers)).toBe(10 * megabyte);
      expect(sumOf(samples, 'glance_store_transfer_duration_seconds_count', transfers)).toBe(10);
      expect(sumOf(samples, 'glance_store_active_transfers', transfers)).toBe(0);
    }
    expect(sumOf(samples, 'http_server_active_requests')).toBe(0);
    const workers = new Set(samples.map(({ labels }) => labels['worker']));
    expect([...workers].sort()).toEqual(['1', '2', undefined]);
    const created = { rpc_service: 'images', rpc_method: 'create', error_type: '' };
    expect(sumOf(samples, 'rpc_client_call_duration_seconds_count', created)).toBe(10);
    const behind = await scrape(registry.adminUrl);
    expect(sumOf(behind, 'rpc_server_call_duration_seconds_count', created)).toBe(10);
    expect(
      sumOf(behind, 'db_client_operation_duration_seconds_count', { db_operation_name: 'SELECT' }),
    ).toBeGreaterThan(9);
    expect(sumOf(behind, 'db_client_connection_max')).toBeGreaterThan(1);
  });

  it('what waits says nothing of what cannot be known', async () => {
    const zeros = [
      'glance_outbox_messages',
      'glance_import_queue_tasks',
      'glance_scrub_backlog',
      'glance_staged_bytes',
    ];
    for (const name of zeros) expect([name, sumOf(await scrape(registry.adminUrl), name)]).toEqual([name, 0]);
    await service.mariadb.stop();
    await until('the database is missed', async () => {
      const samples = await scrape(registry.adminUrl);
      return sumOf(samples, 'glance_check_up', { check: 'database' }) === 0;
    });
    await until('nothing is known of what waits', async () => {
      const samples = await scrape(registry.adminUrl);
      return zeros.every((name) => sumOf(samples, name) === undefined);
    });
    await service.mariadb.start();
    await until('it is known again', async () => sumOf(await scrape(registry.adminUrl), zeros[0]!) === 0);
  });

  it('stores say whether they can be used, and how much room is left', async () => {
    const room = (samples: readonly Sample[]) => sumOf(samples, 'glance_store_available_bytes', { store: 'file' });
    expect(room(await scrape(scrubber.adminUrl))).toBeGreaterThan(megabyte);
    await rename(service.storeDirectory, `${service.storeDirectory}.away`);
    await until('the store is missed', async () => {
      const samples = await scrape(scrubber.adminUrl);
      return sumOf(samples, 'glance_store_up', { store: 'file' }) === 0 && room(samples) === undefined;
    });
    await rename(`${service.storeDirectory}.away`, service.storeDirectory);
    await until('the store is back', async () => sumOf(await scrape(scrubber.adminUrl), 'glance_store_up') === 1);
  });

  it('no process has the id of anything in a label, nor what strangers make up', async () => {
    await send('GET', `${api.url}/v2/images/11111111-2222-3333-4444-555555555555`);
    await send('PROPFIND', `${api.url}/made-up`);
    for (const part of [api, registry, scrubber]) {
      const values = (await scrape(part.adminUrl)).flatMap(({ labels }) => Object.values(labels));
      expect(values.filter((value) => /[0-9a-f]{8}-[0-9a-f]{4}|made-up|PROPFIND/.test(value))).toEqual([]);
    }
  });
});
