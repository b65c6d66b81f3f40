import { randomBytes } from 'node:crypto';
import type { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { json, type Reply, type RequestOptions, send } from './http.js';

/** An image as its owner knows it: what was confirmed, and what may have happened besides. */
interface Known {
  readonly id: string;
  /** Names that it may have: the last confirmed one, and those whose change was not confirmed. */
  names: string[];
  readonly data: Buffer;
  upload: 'none' | 'tried' | 'confirmed';
  removal: 'none' | 'tried' | 'confirmed';
}

interface Answer {
  readonly what: string;
  readonly status: number | 'broken';
  readonly milliseconds: number;
}

export interface LoadOptions {
  readonly url: string;
  readonly agent?: Agent;
  /** Loops that run at the same time. */
  readonly clients?: number;
  /** Milliseconds that an answer may take. */
  readonly patience?: number;
  /** Bytes of an image. */
  readonly size?: number;
}

const octets = { 'content-type': 'application/octet-stream' };

/**
 * Clients that create, change, show, list, upload, download and delete images one after the other, remember what was
 * confirmed, and note what is wrong: a loss, a wrong answer, a 503 without Retry-After, an answer that does not come.
 */
export class SteadyLoad {
  readonly answers: Answer[] = [];
  /** What was wrong, in sentences. */
  readonly wrong: string[] = [];
  readonly #known: Known[] = [];
  readonly #clients: Promise<void>[];
  readonly #options: Required<Omit<LoadOptions, 'agent'>> & Pick<LoadOptions, 'agent'>;
  #stopping = false;
  #mayBreak = false;

  constructor(options: LoadOptions) {
    this.#options = { clients: 2, patience: 15_000, size: 100_000, ...options };
    this.#clients = Array.from({ length: this.#options.clients }, () => this.#loop());
  }

  /** Requests that were answered as in good times. */
  get served(): number {
    return this.answers.filter(({ status }) => typeof status === 'number' && status < 400).length;
  }

  /** Requests that were not. */
  get refused(): readonly Answer[] {
    return this.answers.filter(({ status }) => status === 'broken' || status === 503);
  }

  /** While `work` is done, connections may break: the process at their other end is killed. */
  async mayBreak(work: () => Promise<void>): Promise<void> {
    this.#mayBreak = true;
    await work();
    this.#mayBreak = false;
  }

  /** Resolves when all is served again: the last answers, five for every client, were good ones. */
  async recovers(): Promise<void> {
    const needed = 5 * this.#options.clients;
    const from = this.answers.length;
    const deadline = Date.now() + 60_000;
    for (;;) {
      const last = this.answers.slice(from).slice(-needed);
      if (last.length === needed && last.every(({ status }) => status !== 'broken' && status < 500)) return;
      if (Date.now() > deadline) throw new Error(`The service did not recover:\n${this.report()}`);
      await delay(50);
    }
  }

  /** Ends the clients, and checks that everything is as it was confirmed. */
  async settle(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#clients);
    for (const image of this.#known) await this.#check(image);
  }

  /** Answers by what was asked: how many of which status, and the slowest in milliseconds. */
  report(): string {
    const groups = Map.groupBy(this.answers, ({ what, status }) => `${what} ${status}`);
    const lines = [...groups].map(
      ([name, answers]) =>
        `${name}: ${answers.length}, ≤ ${Math.round(Math.max(...answers.map((a) => a.milliseconds)))} ms`,
    );
    return [...lines.toSorted(), ...this.wrong].join('\n');
  }

  /** Images that are there for all that is known. */
  get kept(): readonly string[] {
    return this.#known
      .filter(({ removal, upload }) => removal === 'none' && upload === 'confirmed')
      .map(({ id }) => id);
  }

  async #loop(): Promise<void> {
    while (!this.#stopping) {
      await this.#lifeOfAnImage();
      await delay(20);
    }
  }

  async #lifeOfAnImage(): Promise<void> {
    const image = await this.#create();
    if (!image) return;
    await this.#change(image);
    await this.#upload(image);
    await this.#check(image);
    await this.#list();
    // One of several stays.
    if (Math.random() < 0.3) return;
    await this.#remove(image);
    await this.#check(image);
  }

  async #create(): Promise<Known | undefined> {
    const name = `first ${randomBytes(4).toString('hex')}`;
    const body = JSON.stringify({ name, disk_format: 'raw', container_format: 'bare' });
    const reply = await this.#ask('create', 'POST', '', [201], {
      body,
      headers: { 'content-type': 'application/json' },
    });
    if (reply?.status !== 201) return undefined;
    const { id } = json(reply) as { id: string };
    const image: Known = { id, names: [name], data: randomBytes(this.#options.size), upload: 'none', removal: 'none' };
    this.#known.push(image);
    return image;
  }

  async #change(image: Known): Promise<void> {
    const value = `second ${randomBytes(4).toString('hex')}`;
    image.names.push(value);
    const body = JSON.stringify([{ op: 'replace', path: '/name', value }]);
    const headers = { 'content-type': 'application/openstack-images-v2.1-json-patch' };
    const reply = await this.#ask('update', 'PATCH', `/${image.id}`, [200], { body, headers });
    if (reply?.status === 200) image.names = [value];
  }

  async #upload(image: Known): Promise<void> {
    image.upload = 'tried';
    const reply = await this.#ask('upload', 'PUT', `/${image.id}/file`, [204], { body: image.data, headers: octets });
    if (reply?.status === 204) image.upload = 'confirmed';
  }

  async #remove(image: Known): Promise<void> {
    image.removal = 'tried';
    const reply = await this.#ask('delete', 'DELETE', `/${image.id}`, [204]);
    if (reply?.status === 204) image.removal = 'confirmed';
  }

  async #check(image: Known): Promise<void> {
    const { id, removal, upload, names, data } = image;
    const gone = [404];
    const there = removal === 'none' ? [200] : [200, 404];
    const expected = removal === 'confirmed' ? gone : there;
    const shown = await this.#ask('show', 'GET', `/${id}`, expected);
    if (shown?.status !== 200) return;
    const view = json(shown) as { name: string; status: string };
    if (!names.includes(view.name)) this.wrong.push(`${id} is called ${view.name}, not ${names.join(' or ')}`);
    if (upload !== 'confirmed' || removal !== 'none') return;
    if (view.status !== 'active') this.wrong.push(`${id} is ${view.status} after its upload was confirmed`);
    const downloaded = await this.#ask('download', 'GET', `/${id}/file`, [200]);
    if (downloaded?.status === 200 && !downloaded.body.equals(data)) this.wrong.push(`${id} has other data`);
  }

  async #list(): Promise<void> {
    await this.#ask('list', 'GET', '?limit=20', [200]);
  }

  /** The reply; undefined if there was none. Whatever is not `expected`, and no proper refusal, is wrong. */
  async #ask(
    what: string,
    method: string,
    path: string,
    expected: readonly number[],
    options: RequestOptions = {},
  ): Promise<Reply | undefined> {
    const { url, agent, patience } = this.#options;
    const begin = performance.now();
    const excused = this.#mayBreak;
    const late = new AbortController();
    const reply = await Promise.race([
      send(method, `${url}/v2/images${path}`, { ...options, ...(agent && { agent }) }).catch((error: unknown) => error),
      delay(patience, 'late' as const, { signal: late.signal }).catch(() => 'late' as const),
    ]);
    late.abort();
    const milliseconds = performance.now() - begin;
    const request = `${what} ${path}`;
    if (reply === 'late' || reply instanceof Error) {
      this.answers.push({ what, status: 'broken', milliseconds });
      if (reply === 'late') this.wrong.push(`${request} was not answered within ${patience} ms`);
      else if (!excused && !this.#mayBreak) this.wrong.push(`${request} broke off: ${reply.message}`);
      return undefined;
    }
    const { status, headers, body } = reply as Reply;
    this.answers.push({ what, status, milliseconds });
    const refused = status === 503 && headers['retry-after'] !== undefined;
    if (!refused && !expected.includes(status)) {
      this.wrong.push(
        `${request} was answered ${status}, not ${expected.join(' or ')}: ${body.toString().slice(0, 200)}`,
      );
    }
    return reply as Reply;
  }
}
