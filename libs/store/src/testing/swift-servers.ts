import { options, type SwiftSettings } from '../drivers/swift.js';
import { settingsOf } from './settings.js';

/** A Swift server of the tests, and who the service is to it. */
export interface SwiftServer {
  /** Without the user. */
  readonly origin: string;
  readonly user: string;
  readonly key: string;
}

function server(variable: string, user?: string): SwiftServer {
  const { origin, username, password } = new URL(process.env[variable]!);
  return { origin, user: user ?? decodeURIComponent(username), key: decodeURIComponent(password) };
}

/** OpenStack Swift, whose user may use every account. */
export const openstackSwift = (): SwiftServer => server('GLANCE_TEST_SWIFT');

/** Ceph's gateway, which has one account. */
export const radosgwSwift = (): SwiftServer => server('GLANCE_TEST_RADOSGW', 'glance:swift');

/** Settings for the account of a server. */
export function swiftSettings({ origin, user, key }: SwiftServer, changes: Partial<SwiftSettings> = {}): SwiftSettings {
  return settingsOf(options, {
    swiftStoreAuthVersion: '1',
    swiftStoreAuthAddress: `${origin}/auth/v1.0`,
    swiftStoreUser: user,
    swiftStoreKey: key,
    swiftStoreCreateContainerOnPut: true,
    ...changes,
  });
}

/** Looks at an account as its user does. */
export interface SwiftAccount {
  readonly url: string;
  /** An answer to a request about what is at a path behind the account. */
  ask(method: string, path: string, headers?: Record<string, string>, body?: Buffer): Promise<Response>;
  /** Everything in all containers, and the containers. */
  contents(): Promise<string[]>;
}

/** The account of the service, or that of a project. */
export async function swiftAccount({ origin, user, key }: SwiftServer, project?: string): Promise<SwiftAccount> {
  const login = await fetch(`${origin}/auth/v1.0`, { headers: { 'x-auth-user': user, 'x-auth-key': key } });
  const token = login.headers.get('x-auth-token')!;
  const own = login.headers.get('x-storage-url')!;
  const url = project === undefined ? own : own.replace(/[^_/]*$/, project);
  const ask: SwiftAccount['ask'] = (method, path, headers = {}, body) =>
    fetch(url + path, {
      method,
      headers: { ...headers, 'x-auth-token': token },
      ...(body && { body: new Uint8Array(body) }),
    });
  const names = async (path: string): Promise<string[]> => {
    const answer = await ask('GET', `${path}?format=json`);
    return answer.status === 200 ? ((await answer.json()) as { name: string }[]).map(({ name }) => name) : [];
  };
  return {
    url,
    ask,
    async contents() {
      const containers = await names('');
      const objects = await Promise.all(
        containers.map(async (container) => (await names(`/${container}`)).map((name) => `${container}/${name}`)),
      );
      return [...containers, ...objects.flat()].sort();
    },
  };
}
