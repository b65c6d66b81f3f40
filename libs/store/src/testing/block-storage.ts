import { randomUUID } from 'node:crypto';
import { truncate, unlink, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type WebServer, webServer } from './web-server.js';

/** The user of the stand-in. */
export const cinderUser = { name: 'glance', password: 'cinder-secret', project: 'service' };

const gib = 1024 ** 3;

interface StoodVolume {
  readonly id: string;
  readonly name: string;
  readonly volume_type: string;
  readonly created_at: string;
  status: string;
  size: number;
  metadata: Record<string, string>;
}

interface StoodAttachment {
  readonly id: string;
  readonly volume: string;
  connected: boolean;
}

type Answer = readonly [status: number, body?: unknown];

/**
 * Stands in for Cinder with one back end in NFS, and for its Keystone: volumes are files in `directory`, which is where
 * the share `export` is mounted. Written from OpenStack's documentation, "Block Storage API V3": volumes, attachments,
 * types, back-end storage pools; and from what os-brick's connector for NFS is told.
 */
export class BlockStorage {
  readonly volumes = new Map<string, StoodVolume>();
  readonly attachments = new Map<string, StoodAttachment>();
  /** What `connection_info` has instead of a file on the share. */
  connection: Readonly<Record<string, unknown>> = {};
  /** What pools say of how their volumes are reached. */
  protocol = 'nfs';
  /** Whether the user may see pools. */
  administrator = true;
  /** Requests so far, as `POST /volumes`. */
  readonly requests: string[] = [];
  readonly share: string;
  readonly directory: string;
  #tokens = 0;
  #refused = 0;
  #server: WebServer | undefined;

  constructor(share: string, directory: string) {
    this.share = share;
    this.directory = directory;
  }

  async start(): Promise<void> {
    this.#server = await webServer((request, response) => {
      this.#handle(request, response).catch(() => response.destroy());
    });
  }

  get url(): string {
    return this.#server!.url;
  }

  /** Tokens so far are not accepted any more. */
  refuseTokens(): void {
    this.#refused = this.#tokens;
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.url);
    const body = JSON.parse((await text(request)) || '{}') as Record<string, never>;
    if (url.pathname === '/v3/auth/tokens') {
      this.#logIn(body, response);
      return;
    }
    const path = url.pathname.replace('/v3/project-1', '');
    this.requests.push(`${request.method} ${path}`);
    const token = Number(request.headers['x-auth-token']?.toString().replace('token-', ''));
    const [status, answer] = !(token > this.#refused)
      ? [401]
      : request.headers['openstack-api-version'] === 'volume 3.54'
        ? await this.#answer(`${request.method} ${path}`, url.searchParams, body)
        : [406];
    response.writeHead(status, { 'content-type': 'application/json' }).end(answer ? JSON.stringify(answer) : '');
  }

  #logIn(body: unknown, response: ServerResponse): void {
    const sent = JSON.stringify(body);
    if (![cinderUser.name, cinderUser.password, cinderUser.project].every((each) => sent.includes(`"${each}"`))) {
      response.writeHead(401).end();
      return;
    }
    const endpoints = [{ interface: 'public', region_id: 'RegionOne', url: `${this.url}/v3/project-1` }];
    const token = {
      expires_at: new Date(Date.now() + 3_600_000).toISOString(),
      project: { id: 'project-1' },
      catalog: [{ type: 'volumev3', name: 'cinderv3', endpoints }],
    };
    this.#tokens++;
    response.writeHead(201, { 'x-subject-token': `token-${this.#tokens}` }).end(JSON.stringify({ token }));
  }

  async #answer(request: string, query: URLSearchParams, body: Record<string, never>): Promise<Answer> {
    const [, id = '', rest = ''] = /^\S+ \/(?:volumes|attachments)\/([0-9a-f-]{36})(\/\w+)?$/.exec(request) ?? [];
    const kind = id === '' ? request : request.replace(id, '{id}');
    if (kind === 'GET /types/default') return [200, { volume_type: this.#type('nfs') }];
    if (kind === 'GET /types') return [200, { volume_types: ['nfs', 'other'].map((name) => this.#type(name)) }];
    if (kind === 'GET /scheduler-stats/get_pools') return this.#pools();
    if (kind === 'POST /volumes') return this.#create(body['volume'] as unknown as Partial<StoodVolume>);
    if (kind === 'GET /volumes/detail') return [200, { volumes: this.#page(query) }];
    if (kind === 'GET /attachments') return [200, { attachments: this.#attachedTo(query.get('volume_id')!) }];
    if (kind === 'POST /attachments')
      return this.#reserve((body['attachment'] as unknown as { volume_uuid: string }).volume_uuid);
    if (request.includes('/attachments/')) return this.#attachment(kind, id);
    const volume = this.volumes.get(id);
    if (!volume) return notFound;
    if (kind === 'GET /volumes/{id}') return [200, { volume: this.#look(volume) }];
    if (kind === 'DELETE /volumes/{id}') return this.#delete(volume);
    if (rest === '/metadata') {
      Object.assign(volume.metadata, body['metadata']);
      return [200, { metadata: volume.metadata }];
    }
    if (rest === '/action') return this.#act(volume, body);
    return notFound;
  }

  #type(name: string): object {
    const facts = { id: `id-of-${name}`, name };
    return this.administrator ? { ...facts, extra_specs: { volume_backend_name: name } } : facts;
  }

  #pools(): Answer {
    const capabilities = { volume_backend_name: 'nfs', storage_protocol: this.protocol };
    return this.administrator ? [200, { pools: [{ name: 'host@nfs', capabilities }] }] : [403];
  }

  async #create({ name = '', size = 0, metadata = {}, volume_type = 'nfs' }: Partial<StoodVolume>): Promise<Answer> {
    const id = randomUUID();
    const created_at = new Date().toISOString().replace('Z', '000');
    const volume = { id, name, size, metadata: { ...metadata }, volume_type, created_at, status: 'creating' };
    await writeFile(this.#file(id), '');
    await truncate(this.#file(id), size * gib);
    this.volumes.set(id, volume);
    return [202, { volume: { ...volume, updated_at: null } }];
  }

  /** As it is; the next look finds it where it goes to. */
  #look(volume: StoodVolume): object {
    const before = { ...volume, updated_at: null };
    if (volume.status === 'creating' || volume.status === 'extending') volume.status = 'available';
    if (volume.status === 'deleting') this.volumes.delete(volume.id);
    return before;
  }

  #page(query: URLSearchParams): object[] {
    const [name, marker, limit] = [query.get('name'), query.get('marker'), Number(query.get('limit'))];
    const all = [...this.volumes.values()].filter((each) => name === null || each.name === name);
    const start = marker === null ? 0 : all.findIndex(({ id }) => id === marker) + 1;
    return all.slice(start, start + limit).map((each) => ({ ...each, updated_at: null }));
  }

  #attachedTo(volume: string): StoodAttachment[] {
    return [...this.attachments.values()].filter((each) => each.volume === volume);
  }

  /** Not several at a time: its volumes are not of a multiattach type. */
  #reserve(volume: string): Answer {
    if (!this.volumes.has(volume)) return notFound;
    const { status } = this.volumes.get(volume)!;
    if (status !== 'available') return badRequest(`Volume ${volume} status must be available (current ${status}).`);
    this.volumes.get(volume)!.status = 'reserved';
    const attachment = { id: randomUUID(), volume, connected: false };
    this.attachments.set(attachment.id, attachment);
    return [200, { attachment: { id: attachment.id, status: 'reserved', connection_info: {} } }];
  }

  #attachment(kind: string, id: string): Answer {
    const attachment = this.attachments.get(id);
    const volume = this.volumes.get(attachment?.volume ?? '');
    if (!attachment || !volume) return notFound;
    const nfs = { driver_volume_type: 'nfs', export: this.share, name: `volume-${volume.id}`, options: null };
    const shown = (more: object): Answer => [
      200,
      { attachment: { id, status: 'attaching', connection_info: { ...nfs, ...more, ...this.connection } } },
    ];
    switch (kind) {
      case 'PUT /attachments/{id}':
        attachment.connected = true;
        return shown({});
      case 'GET /attachments/{id}':
        return shown({ format: 'raw' });
      case 'POST /attachments/{id}/action':
        if (!attachment.connected) return badRequest('The attachment has no connector.');
        volume.status = 'in-use';
        return [204];
      case 'DELETE /attachments/{id}':
        this.attachments.delete(id);
        volume.status = 'available';
        return [200, { attachments: [] }];
      default:
        return notFound;
    }
  }

  async #delete(volume: StoodVolume): Promise<Answer> {
    if (volume.status !== 'available') return badRequest(`Volume status must be available (${volume.status}).`);
    volume.status = 'deleting';
    await unlink(this.#file(volume.id));
    return [202];
  }

  async #act(volume: StoodVolume, action: Record<string, never>): Promise<Answer> {
    const [[name, parameters]] = Object.entries(action) as unknown as [[string, { new_size: number }]];
    if (name === 'os-update_readonly_flag') {
      volume.metadata['readonly'] = 'True';
      return [202];
    }
    if (name !== 'os-extend') return badRequest(`There is no action ${name}.`);
    if (volume.status !== 'available') return badRequest(`Volume status must be available (${volume.status}).`);
    await truncate(this.#file(volume.id), parameters.new_size * gib);
    Object.assign(volume, { size: parameters.new_size, status: 'extending' });
    return [202];
  }

  #file(volume: string): string {
    return join(this.directory, `volume-${volume}`);
  }
}

const notFound: Answer = [404, { itemNotFound: { message: 'It could not be found.', code: 404 } }];

const badRequest = (message: string): Answer => [400, { badRequest: { message, code: 400 } }];
