import { ServiceError } from '@glance/domain';

export type ConnectionTarget =
  | { readonly kind: 'sqlite'; readonly path: string | null }
  | {
      readonly kind: 'mysql';
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly password: string;
      readonly database: string;
      /** File names. */
      readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | null;
    };

const forms = 'Use sqlite:////absolute/path or mysql+pymysql://user:password@host:port/name.';

const invalid = (why: string): ServiceError => new ServiceError('Invalid', `[database] connection: ${why} ${forms}`);

/** Reads a database URL in the form of SQLAlchemy. No error repeats the URL: it holds a password. */
export function parseConnectionUrl(url: string): ConnectionTarget {
  const [, dialect, rest] = /^([a-z0-9]+)(?:\+[a-z0-9]+)?:\/\/(.*)$/is.exec(url) ?? [];
  if (dialect === 'sqlite') return sqlite(rest!);
  if (dialect === 'mysql' || dialect === 'mariadb') return mysql(rest!);
  throw invalid(dialect ? `"${dialect}" is not supported.` : 'this is not a database URL.');
}

function sqlite(rest: string): ConnectionTarget {
  const path = rest.split('?')[0]!;
  if (path === '' || path === '/' || path === '/:memory:') return { kind: 'sqlite', path: null };
  if (!path.startsWith('/'))
    throw invalid('a SQLite URL has three slashes before a relative path, four before an absolute one.');
  return { kind: 'sqlite', path: path.slice(1) };
}

function mysql(rest: string): ConnectionTarget {
  // The last @ ends the credentials: people forget to encode theirs, and SQLAlchemy accepts it.
  const parts = /^(?:(.*)@)?(\[[^\]]*\]|[^:/?]*)(?::(\d+))?\/([^?]+)(?:\?(.*))?$/s.exec(rest);
  if (!parts) throw invalid('host or database name is missing.');
  const [, credentials = '', host, port, database, query] = parts;
  const colon = credentials.indexOf(':');
  const [user, password] = colon < 0 ? [credentials, ''] : [credentials.slice(0, colon), credentials.slice(colon + 1)];
  const options = new URLSearchParams(query);
  const file = (name: string): string | undefined => options.get(`ssl_${name}`) ?? undefined;
  const [ca, cert, key] = [file('ca'), file('cert'), file('key')];
  return {
    kind: 'mysql',
    host: host!.replace(/^\[|\]$/g, '') || 'localhost',
    port: port ? Number(port) : 3306,
    user: decode(user),
    password: decode(password),
    database: database!,
    tls: ca || cert || key ? { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) } : null,
  };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalid('a % in user or password must be written %25.');
  }
}
