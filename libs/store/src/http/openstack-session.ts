import { ServiceError } from '@glance/domain';
import type { RestAnswer, RestClient } from './rest-client.js';

/** Who the service is to Keystone. */
export interface OpenstackAccount {
  /** Of Keystone, or of Swift's own log-in of version 1. */
  readonly authUrl: string;
  readonly authVersion: 1 | 3;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly project: { readonly name?: string | undefined; readonly id?: string | undefined };
  readonly userDomain: Domain;
  readonly projectDomain: Domain;
  readonly applicationCredential?: { readonly id: string; readonly secret: string } | undefined;
}

/** By its id, if it has one. */
interface Domain {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
}

/** A service in the catalogue. */
export interface WantedEndpoint {
  /** Types and names that it may have, the first first. */
  readonly types: readonly string[];
  readonly interface: string;
  readonly region: string | undefined;
}

export interface Login {
  readonly token: string;
  readonly projectId: string | undefined;
  /** Of the service that was wanted; undefined if the catalogue does not have it. */
  readonly endpoint: string | undefined;
}

interface Catalogue {
  readonly expires_at: string;
  readonly project?: { readonly id: string };
  readonly catalog?: readonly {
    readonly type: string;
    readonly name?: string;
    readonly endpoints: readonly {
      readonly interface: string;
      readonly region?: string;
      readonly region_id?: string;
      readonly url: string;
    }[];
  }[];
}

export interface SessionSettings {
  readonly client: RestClient;
  readonly account: OpenstackAccount;
  readonly wanted: WantedEndpoint;
  /** Milliseconds before its end from which on a token is not used any more. */
  readonly spare: number;
  /** Options that say who the service is, for whoever has to mend them. */
  readonly options: string;
}

/** A token of one account, fetched when it is needed, and anew before it runs out. */
export class OpenstackSession {
  readonly #settings: SessionSettings;
  #login: { readonly value: Promise<Login>; until: number } | undefined;

  constructor(settings: SessionSettings) {
    this.#settings = settings;
  }

  login(): Promise<Login> {
    if (this.#login && Date.now() < this.#login.until) return this.#login.value;
    const login = { value: this.#fetch((end) => (login.until = end - this.#settings.spare)), until: Infinity };
    login.value.catch(() => {
      if (this.#login === login) this.#login = undefined;
    });
    this.#login = login;
    return login.value;
  }

  /** The token of this log-in was refused: the next one is a new one. */
  forget(login: Promise<Login> | undefined): void {
    if (this.#login?.value === login) this.#login = undefined;
  }

  async #fetch(endsAt: (time: number) => void): Promise<Login> {
    const { account, client } = this.#settings;
    const signal = AbortSignal.timeout(client.patience);
    const answer = await (account.authVersion === 1 ? this.#version1(signal) : this.#version3(signal)).catch(
      (cause: unknown) => {
        const message = `The server of ${this.#settings.options} does not answer.`;
        throw new ServiceError('StoreUnavailable', message, {}, { cause });
      },
    );
    if (answer.status >= 300) throw this.#refused(answer);
    if (account.authVersion === 1) return version1Login(answer, endsAt);
    return this.#version3Login(answer, endsAt);
  }

  #version1(signal: AbortSignal): Promise<RestAnswer> {
    const { account, client } = this.#settings;
    const user = [account.project.name, account.user].filter((part) => part !== undefined).join(':');
    const headers = { 'x-auth-user': user, 'x-auth-key': account.password ?? '' };
    return client.ask({ method: 'GET', url: account.authUrl, headers, signal });
  }

  #version3(signal: AbortSignal): Promise<RestAnswer> {
    const { account, client } = this.#settings;
    const base = account.authUrl.replace(/\/+$/, '').replace(/\/v\d[\d.]*$/, '');
    return client.ask({
      method: 'POST',
      url: `${base}/v3/auth/tokens`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: request(account) }),
      signal,
    });
  }

  #version3Login({ headers, body }: RestAnswer, endsAt: (time: number) => void): Login {
    const { token: facts } = JSON.parse(body) as { token: Catalogue };
    const token = headers['x-subject-token'];
    if (typeof token !== 'string') throw new ServiceError('StoreUnavailable', 'Keystone gave no token.');
    endsAt(Date.parse(facts.expires_at));
    const { types, interface: side, region } = this.#settings.wanted;
    const services = types.flatMap((type) =>
      (facts.catalog ?? []).filter((each) => each.type === type || each.name === type),
    );
    const endpoint = services
      .flatMap(({ endpoints }) => endpoints)
      .find((each) => each.interface === side && (region === undefined || (each.region_id ?? each.region) === region));
    return { token, projectId: facts.project?.id, endpoint: endpoint?.url };
  }

  #refused({ status }: RestAnswer): ServiceError {
    const { options } = this.#settings;
    if (status === 401 || status === 403) {
      return new ServiceError('StorageDenied', `The user or the key of ${options} is not accepted.`);
    }
    if (status >= 500) return new ServiceError('StoreUnavailable', `The server of ${options} answered ${status}.`);
    return new ServiceError('StorageDenied', `There is no log-in at the address of ${options}: it answered ${status}.`);
  }
}

function version1Login({ headers }: RestAnswer, endsAt: (time: number) => void): Login {
  const { 'x-auth-token': token, 'x-storage-url': endpoint, 'x-auth-token-expires': seconds } = headers;
  if (typeof token !== 'string' || typeof endpoint !== 'string') {
    throw new ServiceError('StoreUnavailable', 'Swift gave no token.');
  }
  endsAt(Date.now() + (Number(seconds) || 3600) * 1000);
  return { token, projectId: undefined, endpoint };
}

function request(account: OpenstackAccount): unknown {
  const { applicationCredential: credential, project } = account;
  if (credential) return { identity: { methods: ['application_credential'], application_credential: credential } };
  const user = { name: account.user, domain: domain(account.userDomain), password: account.password };
  const scope =
    project.id !== undefined ? { id: project.id } : { name: project.name, domain: domain(account.projectDomain) };
  return { identity: { methods: ['password'], password: { user } }, scope: { project: scope } };
}

const domain = ({ id, name }: Domain): Domain => (id !== undefined ? { id } : { name });
