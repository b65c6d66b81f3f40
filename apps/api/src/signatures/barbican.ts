import { readFileSync } from 'node:fs';
import { ServiceError } from '@glance/domain';
import { endpointIn, KeystoneClient } from '@glance/keystone';
import { RestClient } from '@glance/store';
import type { KeystoneSettings } from '../identity/keystone-options.js';
import type { KeyManagerSettings } from './signature-options.js';

/** What Barbican says of a secret (Key Manager API v1, "Secrets"). */
interface Secret {
  readonly secret_type?: string;
  readonly content_types?: { readonly default?: string };
}

/** Milliseconds that it may be silent. */
const patience = 20_000;

const unavailable = (cause?: unknown): ServiceError =>
  new ServiceError('Unavailable', 'The key manager does not answer. Try again.', {}, { cause });

/** Certificates in Barbican, which is asked with the token of whoever uploads. */
export class Barbican {
  readonly #client: RestClient;
  readonly #keystone: KeystoneClient | undefined;

  constructor(
    readonly settings: KeyManagerSettings,
    keystone: KeystoneSettings | undefined,
  ) {
    const { verifySsl, verifySslPath: path, authEndpoint } = settings;
    const ca = verifySsl && path !== undefined ? authorities(path) : undefined;
    this.#client = new RestClient({ patience, tls: { rejectUnauthorized: verifySsl, ...(ca && { ca }) } });
    const own = authEndpoint === undefined ? {} : { authUrl: authEndpoint, insecure: !verifySsl, cafile: path };
    const account = keystone && { ...keystone, ...own, group: '[barbican]' };
    this.#keystone = account?.authUrl === undefined ? undefined : new KeystoneClient(account);
  }

  async find(id: string, token: string | undefined): Promise<string> {
    if (token === undefined) {
      throw new ServiceError('Invalid', `The certificate ${id} cannot be looked up for who sends no token.`);
    }
    const url = `${await this.#base(token)}/secrets/${id}`;
    const { secret_type: type, content_types: content } = await this.#secret(url, id, token);
    if (type !== 'certificate') {
      throw new ServiceError('Invalid', `The secret ${id} is no certificate; store it with the type "certificate".`);
    }
    return this.#ask(`${url}/payload`, id, { 'x-auth-token': token, accept: content?.default ?? 'text/plain' });
  }

  async #base(token: string): Promise<string> {
    const { barbicanEndpoint, barbicanApiVersion, barbicanEndpointType, barbicanRegionName: region } = this.settings;
    const wanted = { type: 'key-manager', interface: barbicanEndpointType, region };
    const endpoint = barbicanEndpoint ?? endpointIn((await this.#keystone?.catalogueOf(token)) ?? [], wanted);
    if (endpoint === undefined) {
      throw new ServiceError(
        'Invalid',
        'There is no key manager in the catalogue, so certificates cannot be looked up.',
      );
    }
    return `${endpoint.replace(/\/+$/, '').replace(/\/v\d+$/, '')}/${barbicanApiVersion}`;
  }

  async #secret(url: string, id: string, token: string): Promise<Secret> {
    const text = await this.#ask(url, id, { 'x-auth-token': token, accept: 'application/json' });
    try {
      return JSON.parse(text) as Secret;
    } catch (cause) {
      throw unavailable(cause);
    }
  }

  async #ask(url: string, id: string, headers: Readonly<Record<string, string>>): Promise<string> {
    const signal = AbortSignal.timeout(patience);
    const answer = await this.#client.ask({ method: 'GET', url, headers, signal }).catch((cause: unknown) => {
      throw unavailable(cause);
    });
    if (answer.status === 200) return answer.body;
    if (answer.status >= 500) throw unavailable(new Error(`It answered ${answer.status}.`));
    const why = answer.status === 404 ? 'there is none' : `the key manager answered ${answer.status}`;
    throw new ServiceError('Invalid', `The certificate ${id} cannot be had: ${why}.`);
  }
}

function authorities(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ServiceError('Invalid', `[barbican] verify_ssl_path: ${(error as Error).message}`);
  }
}
