import { inspect } from 'node:util';

/** One RabbitMQ node and how to log in there. Printing it never shows the password. */
export class RabbitHost {
  readonly #password: string;

  constructor(
    /** A name or an address; IPv6 without brackets. */
    readonly hostname: string,
    readonly port: number,
    readonly username: string,
    password: string,
  ) {
    this.#password = password;
  }

  get password(): string {
    return this.#password;
  }

  toString(): string {
    return `${this.hostname.includes(':') ? `[${this.hostname}]` : this.hostname}:${this.port}`;
  }
}

/** A message broker as `transport_url` of oslo.messaging names it. Printing it never shows a password. */
export class TransportUrl {
  constructor(
    /** `fake`: no broker, calls stay in this process. */
    readonly transport: 'rabbit' | 'fake',
    /** Empty for `fake` only. */
    readonly hosts: readonly RabbitHost[],
    readonly virtualHost: string,
    /** Options of the group `oslo_messaging_rabbit` that this broker has another value for. */
    readonly query: Readonly<Record<string, string>>,
  ) {}

  toString(): string {
    const hosts = this.hosts.map((host) => `${encodeURIComponent(host.username)}:***@${host.toString()}`).join(',');
    const query = new URLSearchParams(this.query).toString();
    return `${this.transport}://${hosts}/${encodeURIComponent(this.virtualHost)}${query && `?${query}`}`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** A `transport_url` that cannot be used; the message says what would be right, and shows nothing of the URL. */
export class InvalidTransportUrl extends Error {
  override readonly name = 'InvalidTransportUrl';
}

const shape = 'rabbit://user:password@host:5672[,user:password@host:5672…]/vhost';

/** Reads the `transport_url` of oslo.messaging: `rabbit://user:pass@h1:5672,user:pass@h2:5672/vhost?ssl=1` or `fake://`. */
export function parseTransportUrl(text: string): TransportUrl {
  const [, scheme, netloc = '', path = '', search = ''] =
    /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(\/[^?#]*)?(\?[^#]*)?(?:#.*)?$/i.exec(text.trim()) ?? [];
  if (scheme === undefined) throw new InvalidTransportUrl(`a URL like ${shape}`);
  const query = Object.fromEntries(new URLSearchParams(search));
  switch (scheme.toLowerCase()) {
    case 'fake':
      return new TransportUrl('fake', [], '/', query);
    case 'rabbit':
    case 'kombu':
      // `rabbit://h/` and `rabbit://h//` both name the virtual host "/": kombu takes an empty name for the default.
      return new TransportUrl('rabbit', parseHosts(netloc), decode(path.slice(1)) || '/', query);
    case 'amqp':
      throw new InvalidTransportUrl(`${shape} (amqp:// means AMQP 1.0 there, which is not supported)`);
    default:
      throw new InvalidTransportUrl(`${shape} or fake:// (the transport ${scheme}:// is not supported)`);
  }
}

function parseHosts(netloc: string): RabbitHost[] {
  const hosts: RabbitHost[] = [];
  for (const piece of netloc.split(',')) {
    if (piece !== '') hosts.push(parseHost(piece, hosts.at(-1)));
  }
  return hosts.length > 0 ? hosts : [new RabbitHost('localhost', 5672, 'guest', 'guest')];
}

/** A host without credentials is logged in to like the one before it; the first one falls back to RabbitMQ's guest. */
function parseHost(piece: string, previous: RabbitHost | undefined): RabbitHost {
  const at = piece.lastIndexOf('@');
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]*))(?::(\d*))?$/.exec(piece.slice(at + 1)) ?? [];
  if (bracketed === undefined && plain === undefined) {
    throw new InvalidTransportUrl(`${shape}, an IPv6 address in brackets, an @ or / in a password as %40 or %2F`);
  }
  const portNumber = port ? Number(port) : 5672;
  if (portNumber < 1 || portNumber > 65_535) throw new InvalidTransportUrl('a port from 1 to 65535');
  const hostname = bracketed ?? (plain || 'localhost');
  if (at < 0) {
    return new RabbitHost(hostname, portNumber, previous?.username ?? 'guest', previous?.password ?? 'guest');
  }
  const [username = '', ...password] = piece.slice(0, at).split(':');
  return new RabbitHost(hostname, portNumber, decode(username), decode(password.join(':')));
}

/** As Python's `unquote`: what is no valid escape stays as it is, so that a password with a bare % works. */
function decode(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}
