import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Rabbitmq, startRabbitmq } from '../tools/services/rabbitmq.js';
import { begin, send } from './http.js';
import { type ImageClient, imageClient } from './image-client.js';
import { type Notification, type OsloListener, osloListener } from './oslo-listener.js';
import { type Service, type ServiceOptions, startService, target } from './service.js';
import { until } from './until.js';

const MiB = 1024 * 1024;

const imageKeys = [
  ...['checksum', 'container_format', 'created_at', 'deleted', 'deleted_at', 'disk_format', 'id', 'is_public'],
  ...['min_disk', 'min_ram', 'name', 'owner', 'properties', 'protected', 'size', 'status', 'tags', 'updated_at'],
  ...['virtual_size', 'visibility'],
];
const transferKeys = [...imageKeys, 'os_glance_failed_import', 'os_glance_importing_to_stores'].sort();
const memberKeys = ['created_at', 'deleted', 'deleted_at', 'image_id', 'member_id', 'status', 'updated_at'];

const ends = ['created_at', 'deleted', 'deleted_at', 'updated_at'];
const propertyKeys = [
  ...[
    'additionalItems',
    'confidential',
    'default',
    'deleted',
    'deleted_at',
    'description',
    'enum',
    'items',
    'maxItems',
  ],
  ...['maxLength', 'maximum', 'minItems', 'minLength', 'minimum', 'name', 'name_old', 'namespace', 'pattern', 'title'],
  ...['type', 'uniqueItems'],
];
const namespaceKeys = [
  ...['description', 'display_name', 'namespace', 'namespace_old', 'owner', 'protected', 'visibility', ...ends],
];
const objectKeys = ['description', 'name', 'name_old', 'namespace', 'properties', 'required', ...ends];
const tagKeys = ['name', 'name_old', 'namespace', ...ends];
const resourceTypeKeys = ['name', 'name_old', 'namespace', 'prefix', 'properties_target', ...ends];

/** Glance's list. */
const metadefKeys: Readonly<Record<string, readonly string[]>> = {
  'metadef_namespace.create': namespaceKeys,
  'metadef_namespace.update': namespaceKeys,
  'metadef_namespace.delete_properties': namespaceKeys,
  'metadef_namespace.delete_objects': namespaceKeys,
  'metadef_namespace.delete_tags': namespaceKeys,
  'metadef_namespace.delete': namespaceKeys,
  'metadef_property.create': propertyKeys,
  'metadef_property.update': propertyKeys,
  'metadef_property.delete': propertyKeys,
  'metadef_object.create': objectKeys,
  'metadef_object.update': objectKeys,
  'metadef_object.delete': objectKeys,
  'metadef_tag.create': tagKeys,
  'metadef_tag.update': tagKeys,
  'metadef_tag.delete': tagKeys,
  'metadef_resource_type.create': resourceTypeKeys,
  'metadef_resource_type.delete': resourceTypeKeys,
};

/** Glance's list. */
const payloadKeys = {
  'image.create': imageKeys,
  'image.update': imageKeys,
  'image.prepare': transferKeys,
  'image.upload': transferKeys,
  'image.activate': imageKeys,
  'image.send': ['bytes_sent', 'image_id', 'owner_id', 'receiver_tenant_id', 'receiver_user_id'],
  'image.delete': imageKeys,
  'image.member.create': memberKeys,
  'image.member.update': memberKeys,
  'image.member.delete': memberKeys,
};

const open = new Set<{ close(): Promise<void> }>();
afterEach(async () => {
  for (const one of [...open].reverse()) await one.close();
  open.clear();
});

function closing<T extends { close(): Promise<void> }>(one: T): T {
  open.add(one);
  return one;
}

const newExchange = (): string => `e2e_${randomBytes(4).toString('hex')}`;

/** A service whose notifications go to a broker that need not be the one of its calls. */
async function notifying(
  broker: string,
  exchange: string,
  { settings, groups }: ServiceOptions = {},
): Promise<{ service: Service; images: ImageClient }> {
  const service = await startService({
    settings: { control_exchange: exchange, image_size_cap: 64 * MiB, ...settings },
    groups: { oslo_messaging_notifications: { driver: 'messagingv2', transport_url: broker }, ...groups },
  });
  return { service: closing(service), images: imageClient(service.url) };
}

async function call(service: Service, method: string, path: string, body?: unknown, type = 'application/json') {
  const headers = body === undefined ? {} : { 'content-type': type };
  const text = body === undefined ? undefined : JSON.stringify(body);
  const reply = await send(method, `${service.url}/v2/images/${path}`, { headers, ...(text && { body: text }) });
  if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${reply.body.toString()}`);
}

const rename = (service: Service, id: string, name: string): Promise<void> => {
  const patch = [{ op: 'replace', path: '/name', value: name }];
  return call(service, 'PATCH', id, patch, 'application/openstack-images-v2.1-json-patch');
};

const idOf = ({ payload }: Notification): unknown => {
  const { id, image_id: imageId } = payload as { id?: string; image_id?: string };
  return id ?? imageId;
};

/** What was received about each image, without what came twice. */
function byImage(received: readonly Notification[]): Map<unknown, Notification[]> {
  const seen = new Set<string>();
  const first = received.filter(({ metadata: { message_id: id } }) => !seen.has(id) && seen.add(id));
  return Map.groupBy(first, idOf);
}

describe('a listener of oslo.messaging', () => {
  const broker = process.env['GLANCE_TEST_RABBIT']!;

  it('is told of everything that happens to an image, with the payloads of Glance', async () => {
    const exchange = newExchange();
    const { service, images } = await notifying(broker, exchange);
    const listener = closing(await osloListener(broker, { exchange }));
    const id = await images.create({ name: 'one', tags: ['a'], purpose: 'test' });
    await rename(service, id, 'two');
    await call(service, 'PUT', `${id}/tags/b`);
    await call(service, 'DELETE', `${id}/tags/a`);
    await images.upload(id, randomBytes(MiB));
    expect((await images.download(id)).body).toHaveLength(MiB);
    await call(service, 'POST', `${id}/actions/deactivate`);
    await call(service, 'POST', `${id}/actions/reactivate`);
    await call(service, 'POST', `${id}/members`, { member: 'somebody' });
    await call(service, 'PUT', `${id}/members/somebody`, { status: 'accepted' });
    await call(service, 'DELETE', `${id}/members/somebody`);
    await images.remove(id);
    const types = (): Set<string> => new Set(listener.received.map((one) => one.event_type));
    await until('all kinds of notifications are there', () => types().size === Object.keys(payloadKeys).length);

    for (const { event_type: type, payload, priority, publisher_id: publisher, metadata } of listener.received) {
      expect([type, Object.keys(payload as object).sort()]).toEqual([
        type,
        payloadKeys[type as keyof typeof payloadKeys],
      ]);
      expect({ priority, publisher }).toEqual({ priority: 'info', publisher: 'image.localhost' });
      expect(metadata.timestamp).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/);
    }
    const last = listener.received.find((one) => one.event_type === 'image.delete')!.payload;
    expect(last).toMatchObject({ id, name: 'two', tags: ['b'], status: 'deleted', size: MiB, deleted: true });
    const sent = listener.received.find((one) => one.event_type === 'image.send')!.payload;
    expect(sent).toMatchObject({ image_id: id, bytes_sent: MiB });
    expect(JSON.stringify(listener.received)).not.toContain('file://');
  });

  it('is told of every change of metadata definitions, with the payloads of Glance', async () => {
    const exchange = newExchange();
    const { service } = await notifying(broker, exchange);
    const listener = closing(await osloListener(broker, { exchange }));
    const change = async (method: string, path: string, value?: object): Promise<void> => {
      const url = `${service.url}/v2/metadefs/namespaces${path}`;
      const reply = await send(method, url, value && { body: JSON.stringify(value) });
      expect([method, path, reply.status < 300]).toEqual([method, path, true]);
    };
    const named = (name: string): object => ({ name, title: 'Title', type: 'string' });
    await change('POST', '', { namespace: 'N', owner: 'somebody' });
    await change('PUT', '/N', { namespace: 'M', owner: 'somebody' });
    for (const kind of ['properties', 'objects'] as const) {
      const made = (name: string): object =>
        kind === 'objects' ? { name, properties: { p: named('p') } } : named(name);
      await change('POST', `/M/${kind}`, made('one'));
      await change('PUT', `/M/${kind}/one`, made('two'));
      await change('DELETE', `/M/${kind}/two`);
      await change('DELETE', `/M/${kind}`);
    }
    await change('POST', '/M/tags/one');
    await change('PUT', '/M/tags/one', { name: 'two' });
    await change('DELETE', '/M/tags/two');
    await change('DELETE', '/M/tags');
    await change('POST', '/M/resource_types', { name: 'T', prefix: 't_' });
    await change('DELETE', '/M/resource_types/T');
    await change('DELETE', '/M');
    await until('the last is told of', () =>
      listener.received.some((one) => one.event_type === 'metadef_namespace.delete'),
    );
    const keys = listener.received.map(({ event_type: type, payload }) => [
      type,
      Object.keys(payload as object).sort(),
    ]);
    const expected = Object.entries(metadefKeys).map(([type, names]) => [type, names.toSorted()]);
    expect(Object.fromEntries(keys)).toEqual(Object.fromEntries(expected));
    const payloadOf = (type: string): unknown => listener.received.find((one) => one.event_type === type)!.payload;
    expect(payloadOf('metadef_namespace.update')).toMatchObject({ namespace: 'M', namespace_old: 'N' });
    for (const kind of ['property', 'object', 'tag']) {
      expect(payloadOf(`metadef_${kind}.update`)).toMatchObject({ name: 'two', name_old: 'one', deleted: false });
      expect(payloadOf(`metadef_${kind}.delete`)).toMatchObject({ namespace: 'M', name: 'two', deleted: true });
    }
  });

  it('is told of uploads that failed', async () => {
    const exchange = newExchange();
    const { images } = await notifying(broker, exchange, { settings: { image_size_cap: MiB } });
    const listener = closing(await osloListener(broker, { exchange }));
    const id = await images.create();
    async function* tooMuch(): AsyncGenerator<Buffer> {
      for (let n = 0; n < 16; n++) yield randomBytes(MiB / 8);
    }
    expect((await images.upload(id, tooMuch())).status).toBe(413);
    const failure = (): Notification | undefined => listener.received.find(({ priority }) => priority === 'error');
    await until('there is an error', () => failure() !== undefined);
    expect(failure()).toMatchObject({ event_type: 'image.upload', payload: expect.stringContaining(id) as string });
  });

  // Glance: a download that the client breaks off is told of by nobody.
  it.runIf(target === 'ours')('is told of downloads that broke off, and who asked for what', async () => {
    const exchange = newExchange();
    const { service, images } = await notifying(broker, exchange);
    const listener = closing(await osloListener(broker, { exchange }));
    const id = await images.create();
    await images.upload(id, randomBytes(32 * MiB));
    const { request, replied } = begin('GET', `${service.url}/v2/images/${id}/file`, {
      'x-openstack-request-id': 'req-mine',
    });
    request.end();
    (await replied).once('data', () => request.destroy());
    const sent = (): Notification | undefined => listener.received.find((one) => one.event_type === 'image.send');
    await until('the download is told of', () => sent() !== undefined);
    expect(sent()).toMatchObject({ priority: 'error', payload: { image_id: id } });
    expect((sent()!.payload as { bytes_sent: number }).bytes_sent).toBeLessThan(32 * MiB);
    expect(sent()!.context['request_id']).toMatch(/^req-/);
  });

  it('gets what it asks for: topics, sender, the format without an envelope, and not what is disabled', async () => {
    const exchange = newExchange();
    const { service, images } = await notifying(broker, exchange, {
      settings: { default_publisher_id: 'image.here', disabled_notifications: 'image.update,task' },
      groups: {
        oslo_messaging_notifications: { driver: 'messaging', transport_url: broker, topics: 'billing,audit' },
      },
    });
    const listeners = [
      closing(await osloListener(broker, { exchange, topics: ['billing'] })),
      closing(await osloListener(broker, { exchange, topics: ['audit'] })),
    ];
    const id = await images.create();
    await rename(service, id, 'new');
    await images.remove(id);
    for (const { received } of listeners) {
      await until('both topics have it', () => received.length === 2);
      expect(received).toMatchObject([
        { event_type: 'image.create', publisher_id: 'image.here' },
        { event_type: 'image.delete', publisher_id: 'image.here' },
      ]);
    }
  });
});

describe.runIf(target === 'ours')('no notification is lost', { timeout: 600_000 }, () => {
  let rabbit: Rabbitmq;
  let exchange: string;
  let listener: OsloListener;
  beforeAll(async () => {
    rabbit = await startRabbitmq();
  });
  afterAll(() => rabbit.close());

  async function durable(): Promise<{ service: Service; images: ImageClient }> {
    exchange = newExchange();
    return notifying(rabbit.url, exchange, { groups: { oslo_messaging_rabbit: { amqp_durable_queues: 'true' } } });
  }

  /**
   * Creates images and renames them while `disturb` is at work, however long that takes, at a pace that leaves no
   * backlog of minutes; answers with the names that were confirmed.
   */
  async function changeWhile(
    { service, images }: { service: Service; images: ImageClient },
    disturb: () => Promise<void>,
  ): Promise<Map<string, string[]>> {
    const confirmed = new Map<string, string[]>();
    let disturbing = true;
    const work = async (): Promise<void> => {
      while (disturbing) {
        await delay(100);
        const id = await images.create({ name: '0' }).catch(() => undefined);
        if (id === undefined) continue;
        const names = ['0'];
        confirmed.set(id, names);
        for (let n = 1; n < 5; n++) {
          const ok = await rename(service, id, String(n)).then(
            () => true,
            () => false,
          );
          if (ok) names.push(String(n));
        }
      }
    };
    const workers = [work(), work(), work()];
    await disturb();
    disturbing = false;
    await Promise.all(workers);
    return confirmed;
  }

  async function expectAll(confirmed: Map<string, string[]>): Promise<void> {
    const toldNames = (): ((id: string) => string[]) => {
      const told = byImage(listener.received);
      return (id) => (told.get(id) ?? []).map(({ payload }) => (payload as { name: string }).name);
    };
    let seen = -1;
    await until('all confirmed changes are told of', () => {
      if (listener.received.length === seen) return false;
      seen = listener.received.length;
      const namesOf = toldNames();
      return [...confirmed].every(([id, names]) => names.every((name) => namesOf(id).includes(name)));
    });
    // What was not confirmed may have happened, too; nothing may have come in another order.
    const namesOf = toldNames();
    for (const id of confirmed.keys()) expect(namesOf(id)).toEqual(namesOf(id).toSorted());
    const versions = Map.groupBy(listener.received, (one) => one.metadata.message_id);
    for (const [, copies] of versions) expect(new Set(copies.map((one) => JSON.stringify(one.payload))).size).toBe(1);
  }

  it('when the broker is away, and comes back', async () => {
    const scene = await durable();
    const during = await changeWhile(scene, async () => {
      await rabbit.stop();
      await until('there is a backlog', async () => (await scene.images.list()).length > 20);
      await rabbit.start();
    });
    expect(during.size).toBeGreaterThan(15);
    listener = closing(await osloListener(rabbit.url, { exchange, durable: true }));
    await expectAll(during);
  });

  it('when the broker is killed while messages pour in', async () => {
    const scene = await durable();
    listener = closing(await osloListener(rabbit.url, { exchange, durable: true }));
    const during = await changeWhile(scene, async () => {
      await until('messages come', () => listener.received.length > 30);
      await rabbit.kill();
      await rabbit.start();
      const before = listener.received.length;
      await until('messages come again', () => listener.received.length > before);
    });
    await expectAll(during);
  });

  it('when the service is killed, again and again', async () => {
    const scene = await durable();
    listener = closing(await osloListener(rabbit.url, { exchange, durable: true }));
    const during = await changeWhile(scene, async () => {
      for (let n = 1; n <= 4; n++) {
        await until('there is traffic', () => listener.received.length > 20 * n);
        await scene.service.kill();
        await scene.service.start();
      }
    });
    await expectAll(during);
  });
});
