import { randomUUID } from 'node:crypto';
import { isServiceError, ServiceError } from '@glance/domain';
import type { Bytes } from '../../bytes.js';
import { assertWanted, cancellation } from '../../cancellation.js';
import type { Readers, ReadOptions, StoreDriver, WriteOptions } from '../../driver.js';
import { type Holding, together } from '../../holding.js';
import { OpenstackSession, type OpenstackAccount, type WantedEndpoint } from '../../http/openstack-session.js';
import { responseBytes } from '../../http/response-bytes.js';
import { RestClient, type RestClientSettings } from '../../http/rest-client.js';
import { resumedBytes } from '../../http/resumed-bytes.js';
import { assertUsableName, imageName, isUsableName, namePattern } from '../../image-id.js';
import { dataExists, ignoringMissing } from '../../store-error.js';
import { SwiftClaim } from './swift-claim.js';
import { SwiftClient } from './swift-client.js';
import { swiftEntries } from './swift-entries.js';
import { referenceUrl, storageUrl, swiftLocation } from './swift-location.js';
import { SwiftObject } from './swift-object.js';
import { type Segment, writeSegments } from './write-segments.js';

export interface SwiftDriverSettings extends RestClientSettings {
  readonly accounts: ReadonlyMap<string, OpenstackAccount>;
  /** The account that takes new images. */
  readonly reference: string;
  readonly wanted: WantedEndpoint;
  /** URL of that account, where the log-in does not say it. */
  readonly endpoint: string | undefined;
  readonly container: string;
  readonly createContainer: boolean;
  /** Digits of an id that name its container. */
  readonly shardDigits: number;
  /** Images lie in the accounts of their projects. */
  readonly multiTenant: boolean;
  /** Projects that may write to the containers of these. */
  readonly writers: readonly string[];
  readonly segmentSize: number;
  readonly bufferDirectory: string | undefined;
  readonly retries: number;
  /** Milliseconds before its end from which on a token is not used. */
  readonly spare: number;
}

const claimName = namePattern('', String.raw`\.upload`);
/** Also those that Glance writes. */
const segmentName = namePattern('', String.raw`(?:-UUID)?-\d{5}`);

/** Milliseconds that may go into tidying up what was stopped. */
const tidyTime = 30_000;

/**
 * Images as large objects of their ids: segments that carry the name of their upload, and, last of all, the object that
 * lists them. Whoever discards an image removes the segments, and Swift makes no object of segments that are missing. An
 * object `<id>.upload` says who stores the image; see `SwiftClaim`.
 */
export class SwiftDriver implements StoreDriver {
  readonly capabilities = { write: true, delete: true, seek: true };
  readonly #settings: SwiftDriverSettings;
  readonly #rest: RestClient;
  readonly #clients: ReadonlyMap<string, SwiftClient>;
  readonly #known = new Set<string>();
  #slo = true;
  readonly share?: NonNullable<StoreDriver['share']>;

  constructor(settings: SwiftDriverSettings) {
    this.#settings = settings;
    this.#rest = new RestClient(settings);
    this.#clients = new Map([...settings.accounts].map(([name, account]) => [name, this.#newClient(name, account)]));
    if (settings.multiTenant) this.share = (...rights) => this.#share(...rights);
  }

  async open(): Promise<void> {
    const signal = AbortSignal.timeout(this.#settings.patience);
    const { container, shardDigits, multiTenant } = this.#settings;
    const own = await this.#client().account();
    await this.#ensureContainer(`${own}/${container}`, signal, multiTenant || shardDigits > 0);
    const probe = `${own}/${container}/glance-probe-${randomUUID()}`;
    await this.#client().ask({ method: 'PUT', url: probe, body: '', signal });
    await this.#client().ask({ method: 'DELETE', url: probe, signal });
    const info = await this.#rest
      .ask({ method: 'GET', url: new URL('/info', own).href, signal })
      .catch(() => undefined);
    this.#slo = info?.status !== 200 || /"slo"/.test(info.body);
  }

  async write(id: string, data: Bytes, options: WriteOptions): Promise<string> {
    assertUsableName(id);
    const { signal } = options;
    assertWanted(signal);
    const account = await this.#accountOf(options.owner);
    const object = new SwiftObject(this.#client(), `${account}/${this.#containerOf(id)}`, id);
    await this.#ensureContainer(object.container, signal, this.#settings.multiTenant);
    const claim = await SwiftClaim.take(this.#client(), await this.#claimUrl(id), object.container, signal);
    try {
      await this.#store(object, claim, data, options);
    } catch (error) {
      await this.#tidy(object, claim);
      throw error;
    }
    if (!this.#settings.multiTenant) await claim.release(AbortSignal.timeout(tidyTime)).catch(() => undefined);
    if (this.#settings.multiTenant) return storageUrl(account, this.#containerOf(id), id);
    return referenceUrl(this.#settings.reference, this.#containerOf(id), id);
  }

  async read(url: string, { offset, length, signal }: ReadOptions): Promise<{ size: number; data: Bytes }> {
    const { client, object } = await this.#at(url);
    const size = await object.size(signal);
    const end = Math.min(size, offset + (length ?? size));
    const open = async (start: number): Promise<Bytes> => {
      const answer = await client.read(object.url, { range: `bytes=${start}-${end - 1}` }, signal);
      if (answer.statusCode === 206) return responseBytes(answer, client.patience);
      answer.destroy();
      throw new ServiceError('StoreUnavailable', 'Swift does not send a part of the image.');
    };
    return { size, data: resumedBytes({ start: offset, end, retries: this.#settings.retries, signal, open }) };
  }

  async size(url: string, signal: AbortSignal): Promise<number> {
    return (await this.#at(url)).object.size(signal);
  }

  async delete(url: string, signal: AbortSignal): Promise<void> {
    const { client, object } = await this.#at(url);
    await object.delete(signal);
    if (!this.#settings.multiTenant) return;
    await this.#removeContainer(client, object.container, signal);
    await ignoringMissing(client.ask({ method: 'DELETE', url: await this.#claimUrl(object.name), signal }));
  }

  /** What is in the account of the service; accounts of projects are for this service to write to. */
  accepts(url: string): boolean {
    try {
      const location = swiftLocation(url);
      return location.kind === 'reference' && location.reference === this.#settings.reference;
    } catch {
      return false;
    }
  }

  /** Glance: rows of its have the password of the user in them. */
  canonical(url: string): string | undefined {
    try {
      const location = swiftLocation(url);
      if (location.kind === 'reference') return this.#clients.has(location.reference) ? url : undefined;
      if (location.kind === 'storage') return undefined;
      const [container, object] = [location.container, location.object].map(encodeURIComponent) as [string, string];
      return referenceUrl(this.#referenceOf(location), container, object);
    } catch {
      return undefined;
    }
  }

  async #share(url: string, { everybody, projects }: Readers, signal: AbortSignal): Promise<void> {
    const { writers } = this.#settings;
    const { client, object } = await this.#at(url);
    const all = (ids: readonly string[]): string => ids.map((id) => `${id}:*`).join();
    const headers = { 'x-container-read': everybody ? '*:*' : all(projects), 'x-container-write': all(writers) };
    await client.ask({ method: 'POST', url: object.container, headers, body: '', signal });
  }

  async discard(id: string, signal: AbortSignal): Promise<void> {
    if (!isUsableName(id)) return;
    const url = await this.#claimUrl(id);
    const claim = await SwiftClaim.read(this.#client(), url, signal);
    const { multiTenant } = this.#settings;
    // In the accounts of projects nothing is ever written without a claim, and only deletion ends it.
    if (!claim && multiTenant) return;
    const container = claim?.container ?? `${await this.#client().account()}/${this.#containerOf(id)}`;
    const object = new SwiftObject(this.#client(), container, id);
    // In this order: without its claim and its segments an upload cannot end.
    if (claim && !multiTenant) await ignoringMissing(this.#client().ask({ method: 'DELETE', url, signal }));
    await object.deleteSegments(signal);
    await ignoringMissing(object.delete(signal));
    if (!multiTenant) return;
    await this.#removeContainer(this.#client(), container, signal);
    await ignoringMissing(this.#client().ask({ method: 'DELETE', url, signal }));
  }

  async *ids(signal: AbortSignal): AsyncIterable<string> {
    const { container, shardDigits, multiTenant } = this.#settings;
    const account = await this.#client().account();
    const containers = [container];
    // What is in the accounts of projects is found by its claim.
    if (shardDigits > 0 && !multiTenant) {
      for await (const { name } of swiftEntries(this.#client(), account, `${container}_`, signal))
        containers.push(name);
    }
    for (const each of containers) {
      const url = `${account}/${encodeURIComponent(each)}`;
      for await (const { name } of swiftEntries(this.#client(), url, '', signal)) {
        const [, id] = imageName.exec(name) ?? claimName.exec(name) ?? segmentName.exec(name) ?? [];
        if (id !== undefined) yield id;
      }
    }
  }

  async holding(id: string, signal: AbortSignal): Promise<Holding | undefined> {
    const account = await this.#client().account();
    const claimUrl = await this.#claimUrl(id);
    const claim = await SwiftClaim.read(this.#client(), claimUrl, signal);
    if (!claim && this.#settings.multiTenant) return undefined;
    const own = `${account}/${this.#settings.container}`;
    const places = new Set([claim?.container ?? `${account}/${this.#containerOf(id)}`, own]);
    const holdings: (Holding | undefined)[] = [];
    for (const url of places) {
      const found = await ignoringMissing(this.#heldIn(url, id, signal));
      if (found === 'foreign') return undefined;
      holdings.push(found);
    }
    return together(holdings);
  }

  async #heldIn(url: string, id: string, signal: AbortSignal): Promise<Holding | 'foreign' | undefined> {
    let objects = 0;
    let [image, segments, modified] = [0, 0, 0];
    for await (const entry of swiftEntries(this.#client(), url, id, signal)) {
      const isSegment = segmentName.test(entry.name);
      // It would go with the segments.
      if (!isSegment && entry.name.startsWith(`${id}-`)) return 'foreign';
      if (!isSegment && entry.name !== id && entry.name !== `${id}.upload`) continue;
      objects++;
      if (isSegment) segments += entry.bytes;
      else image += entry.bytes;
      modified = Math.max(modified, Date.parse(`${entry.last_modified?.replace('Z', '')}Z`));
    }
    // Of an image of segments, Swift tells the bytes of them all.
    return objects === 0 ? undefined : { objects, bytes: segments > 0 ? segments : image, modified };
  }

  async close(): Promise<void> {
    this.#rest.close();
  }

  async #store(object: SwiftObject, claim: SwiftClaim, data: Bytes, { size, signal }: WriteOptions): Promise<void> {
    const { token } = claim.facts;
    if (await object.exists(signal)) throw dataExists();
    const segments = await this.#send(object, token, data, { size, signal });
    await claim.confirm(signal);
    assertWanted(signal);
    await object.publish(segments, { token, slo: this.#slo });
    if (!signal.aborted) return;
    if (await object.isOf(token, AbortSignal.timeout(tidyTime))) await object.delete(AbortSignal.timeout(tidyTime));
    throw cancellation(signal);
  }

  #send(object: SwiftObject, token: string, data: Bytes, { size, signal }: WriteOptions): Promise<Segment[]> {
    const { segmentSize, bufferDirectory } = this.#settings;
    return writeSegments(data, {
      segmentSize,
      size,
      bufferDirectory,
      nameOf: (number) => object.segmentName(token, number),
      send: async (name, bytes, length) => {
        const headers = length === undefined ? {} : { 'content-length': length };
        const { headers: answer } = await this.#client().send(`${object.container}/${name}`, headers, bytes, signal);
        return (answer.etag ?? '').replace(/"/g, '');
      },
    });
  }

  async #tidy(object: SwiftObject, claim: SwiftClaim): Promise<void> {
    const signal = AbortSignal.timeout(tidyTime);
    await object.deleteSegments(signal, claim.facts.token).catch(() => undefined);
    await claim.release(signal).catch(() => undefined);
    if (this.#settings.multiTenant) await this.#removeContainer(this.#client(), object.container, signal);
  }

  /** One with something in it stays: it is another writer's. */
  async #removeContainer(client: SwiftClient, url: string, signal: AbortSignal): Promise<void> {
    this.#known.delete(url);
    await client.ask({ method: 'DELETE', url, signal }).catch((error: unknown) => {
      if (!isServiceError(error, 'DataExists', 'DataNotFound')) throw error;
    });
  }

  #client(reference = this.#settings.reference): SwiftClient {
    const client = this.#clients.get(reference);
    if (client) return client;
    throw new ServiceError('BadLocation', `swift_store_config_file has no account ${reference}.`);
  }

  async #at(url: string): Promise<{ client: SwiftClient; object: SwiftObject }> {
    const location = swiftLocation(url);
    const at = (client: SwiftClient, account: string): { client: SwiftClient; object: SwiftObject } => ({
      client,
      object: new SwiftObject(client, `${account}/${encodeURIComponent(location.container)}`, location.object),
    });
    if (location.kind === 'storage') {
      const client = this.#client();
      // The token of the service goes to its own Swift only.
      if (new URL(location.account).origin !== new URL(await client.account()).origin) throw elsewhere();
      return at(client, location.account);
    }
    const client = this.#client(location.kind === 'reference' ? location.reference : this.#referenceOf(location));
    return at(client, await client.account());
  }

  /** The account whose log-in an old location has in it. */
  #referenceOf({ authUrl, user }: { authUrl: string; user: string }): string {
    for (const [name, account] of this.#settings.accounts) {
      const same = withoutSlash(account.authUrl) === withoutSlash(authUrl);
      if (same && `${account.project.name}:${account.user}` === user) return name;
    }
    throw elsewhere();
  }

  async #accountOf(owner: string | undefined): Promise<string> {
    const client = this.#client();
    return this.#settings.multiTenant && owner !== undefined ? client.accountOf(owner) : client.account();
  }

  async #claimUrl(id: string): Promise<string> {
    return `${await this.#client().account()}/${this.#settings.container}/${id}.upload`;
  }

  #containerOf(id: string): string {
    const { container, shardDigits, multiTenant } = this.#settings;
    if (multiTenant) return `${container}_${id}`;
    if (shardDigits === 0) return container;
    // Glance: dashes do not count, but only those among the first so many characters.
    const dashes = id.slice(0, shardDigits).split('-').length - 1;
    return `${container}_${id.toLowerCase().slice(0, shardDigits + dashes)}`;
  }

  async #ensureContainer(url: string, signal: AbortSignal, always: boolean): Promise<void> {
    if (this.#known.has(url)) return;
    const { createContainer, multiTenant, writers } = this.#settings;
    const there = await ignoringMissing(this.#client().ask({ method: 'HEAD', url, signal }));
    if (!there && !createContainer && !always) {
      const message = 'The container of swift_store_container is missing; see swift_store_create_container_on_put.';
      throw new ServiceError('StorageDenied', message);
    }
    if (!there) {
      const write =
        multiTenant && writers.length > 0 ? { 'x-container-write': writers.map((each) => `${each}:*`).join() } : {};
      await this.#client().ask({ method: 'PUT', url, headers: write, body: '', signal });
    }
    if (!multiTenant) this.#known.add(url);
  }

  #newClient(name: string, account: OpenstackAccount): SwiftClient {
    const { wanted, endpoint, spare, reference } = this.#settings;
    const options = `swift_store_auth_address, swift_store_user and swift_store_key (account ${name})`;
    const session = new OpenstackSession({ client: this.#rest, account, wanted, spare, options });
    return new SwiftClient(this.#rest, session, name === reference ? endpoint : undefined);
  }
}

const withoutSlash = (url: string): string => url.replace(/\/+$/, '').toLowerCase();

const elsewhere = (): ServiceError =>
  new ServiceError('BadLocation', 'The location is in no account that this store knows.');
