import { connect, type NetConnectOpts, type Socket } from 'node:net';

export interface MemcachedSettings {
  /** Seconds that an answer may take. */
  readonly timeout: number;
  /** Seconds that a server which failed is left alone. */
  readonly deadRetry: number;
  /** Told when the server is away, and when it answers again. */
  onChange?(answers: boolean): void;
}

interface Question {
  /** What follows `VALUE`; absent: one line is the answer. */
  readonly key?: string;
  answer(value: Buffer | undefined): void;
}

const lineEnd = Buffer.from('\r\n');

/**
 * One memcached, by its text protocol (memcached's protocol.txt): two commands, one after the other on one connection. No
 * call ever fails: a server that is away, hangs or talks nonsense knows nothing, and is left alone for a while. Of our
 * own, because of the packages that are kept up, memjs speaks the binary protocol, which memcached gives up, and memcache
 * asks dead servers again and again.
 */
export class Memcached {
  private readonly place: NetConnectOpts;
  private readonly waiting: Question[] = [];
  private socket: Socket | undefined;
  private received: Buffer = Buffer.alloc(0);
  private timer: NodeJS.Timeout | undefined;
  private deadUntil = 0;
  private away = false;

  /** `host`, `host:port`, `[address]:port`, `inet6:[address]:port` or `unix:/path`. `Error` for anything else. */
  constructor(
    address: string,
    private readonly settings: MemcachedSettings,
  ) {
    this.place = placeOf(address);
  }

  /** Whether it is worth asking. */
  get alive(): boolean {
    return Date.now() >= this.deadUntil;
  }

  /** The value under `key`; undefined if there is none, or nobody to ask. */
  get(key: string): Promise<Buffer | undefined> {
    return this.ask(Buffer.from(`get ${key}\r\n`), key);
  }

  /** Keeps a value for so many seconds, at least one. */
  async set(key: string, value: Buffer, seconds: number): Promise<void> {
    const head = Buffer.from(`set ${key} 0 ${seconds} ${value.length}\r\n`);
    await this.ask(Buffer.concat([head, value, lineEnd]));
  }

  close(): void {
    this.fail();
  }

  private ask(bytes: Buffer, key?: string): Promise<Buffer | undefined> {
    if (!this.alive) return Promise.resolve(undefined);
    const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
    this.waiting.push({ ...(key !== undefined && { key }), answer: resolve });
    this.socket ??= this.open();
    this.socket.write(bytes);
    this.watch();
    return promise;
  }

  private open(): Socket {
    const socket = connect({ ...this.place, keepAlive: true }).unref();
    const gone = (): void => {
      if (this.socket === socket) this.die();
    };
    socket.on('error', gone).on('close', gone);
    socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
      while (this.waiting.length > 0 && this.socket === socket && this.takeAnswer()) this.watch(true);
    });
    return socket;
  }

  /** Takes the answer to the oldest question; false if it is not complete yet. */
  private takeAnswer(): boolean {
    const end = this.received.indexOf(lineEnd);
    if (end < 0) return false;
    const line = this.received.toString('latin1', 0, end);
    const { key, answer } = this.waiting[0]!;
    let taken = end + lineEnd.length;
    let value: Buffer | undefined;
    if (key !== undefined && line !== 'END') {
      const [word, named, , length] = line.split(' ');
      // An answer to another question would be somebody else's token.
      if (word !== 'VALUE' || named !== key || !/^\d{1,8}$/.test(length ?? '')) return this.die();
      const from = taken;
      taken += Number(length) + '\r\nEND\r\n'.length;
      if (this.received.length < taken) return false;
      if (this.received.toString('latin1', from + Number(length), taken) !== '\r\nEND\r\n') return this.die();
      value = this.received.subarray(from, from + Number(length));
    }
    this.received = this.received.subarray(taken);
    this.waiting.shift();
    this.changed(false);
    answer(value);
    return true;
  }

  private watch(anew = false): void {
    if (anew) {
      clearTimeout(this.timer);
      this.timer = undefined;
    }
    if (this.waiting.length > 0) this.timer ??= setTimeout(() => this.die(), this.settings.timeout * 1000).unref();
  }

  private die(): false {
    this.deadUntil = Date.now() + this.settings.deadRetry * 1000;
    this.fail();
    this.changed(true);
    return false;
  }

  private changed(away: boolean): void {
    if (this.away === away) return;
    this.away = away;
    this.settings.onChange?.(!away);
  }

  private fail(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.socket?.destroy();
    this.socket = undefined;
    this.received = Buffer.alloc(0);
    for (const { answer } of this.waiting.splice(0)) answer(undefined);
  }
}

function placeOf(address: string): NetConnectOpts {
  if (address.startsWith('unix:/')) return { path: address.slice('unix:'.length) };
  const [, bracketed, plain, port = '11211'] =
    /^(?:inet6?:)?(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/\s]+))(?::(\d{1,5}))?$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535) {
    throw new Error(`"${address}" is no memcached: write host:port, [address]:port or unix:/path`);
  }
  return { host, port: Number(port) };
}
