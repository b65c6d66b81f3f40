import { anonymousCaller, type Caller, type Logger, ServiceError } from '@glance/domain';
import { KeystoneClient, type TokenFacts } from '@glance/keystone';
import type { FastifyRequest } from 'fastify';
import { allowedBy } from './access-rules.js';
import type { Identity } from './identity.js';
import type { KeystoneSettings } from './keystone-options.js';
import { single, tokenOf } from './token-of.js';
import { type KnownToken, SharedTokens } from './shared-tokens.js';
import { TokenCache } from './token-cache.js';

/** Refused tokens are remembered this long, in milliseconds: a client in a loop must not become Keystone's problem. */
const refusalLifetime = 10_000;

/** Callers are whom Keystone says their token belongs to. */
export class KeystoneIdentity implements Identity {
  readonly challenge: string;
  private readonly client: KeystoneClient;
  private readonly tokens: TokenCache<KnownToken | undefined>;
  private readonly expiredTokens: TokenCache<TokenFacts | undefined>;
  private readonly shared: SharedTokens | undefined;
  /** Milliseconds that an answer of Keystone is believed at most. */
  private readonly longest: number;

  constructor(
    private readonly settings: KeystoneSettings,
    private readonly allowAnonymous: boolean,
    logger: Logger,
  ) {
    this.client = new KeystoneClient({ ...settings, group: '[keystone_authtoken]' });
    this.challenge = `Keystone uri="${settings.wwwAuthenticateUri ?? settings.authUrl ?? ''}"`;
    this.longest = settings.tokenCacheTime * 1000;
    const refusal = Math.min(this.longest, refusalLifetime);
    this.tokens = new TokenCache((known) => (known ? known.until - Date.now() : refusal));
    this.expiredTokens = new TokenCache(() => refusal);
    if (settings.memcachedServers.length > 0) this.shared = new SharedTokens(settings, logger);
  }

  async identify(request: FastifyRequest): Promise<Caller> {
    const token = tokenOf(request);
    const service = await this.service(single(request.headers['x-service-token']));
    const facts = token === undefined ? undefined : await this.user(token, service?.trusted === true);
    if (!facts) {
      if (this.allowAnonymous) return anonymousCaller(request.id);
      throw new ServiceError(
        'Unauthenticated',
        'This server could not verify that you are authorized: log in, and send a valid token.',
      );
    }
    const rules = facts.application_credential?.access_rules;
    if (rules && !service?.trusted && !allowedBy(rules, this.settings.serviceType, request.method, pathOf(request))) {
      throw new ServiceError(
        'Unauthenticated',
        'The access rules of the application credential do not allow this request.',
      );
    }
    return {
      requestId: request.id,
      userId: facts.user.id,
      projectId: facts.project?.id ?? null,
      roles: rolesOf(facts),
      serviceRoles: service?.roles ?? [],
      ...(facts.system !== undefined && { systemScope: true }),
      ...(facts.domain !== undefined && { domainScope: true }),
    };
  }

  close(): void {
    this.client.close();
    this.shared?.close();
  }

  private async user(token: string, allowExpired: boolean): Promise<TokenFacts | undefined> {
    const known = await this.tokens.get(token, () => this.validated(token));
    if (known || !allowExpired) return known?.facts;
    return this.expiredTokens.get(token, () => this.client.validate(token, true));
  }

  /** What is known of a valid token: by who was told already, or by Keystone. */
  private async validated(token: string): Promise<KnownToken | undefined> {
    const told = await this.shared?.get(token);
    if (told) return told;
    const facts = await this.client.validate(token, false);
    if (!facts) return undefined;
    const known = { facts, until: Math.min(Date.now() + this.longest, Date.parse(facts.expires_at)) };
    void this.shared?.put(token, known);
    return known;
  }

  /** Who passes the request on. A service token that is not accepted fails the request, as a user's does. */
  private async service(token: string | undefined): Promise<{ roles: string[]; trusted: boolean } | undefined> {
    if (token === undefined) return undefined;
    const facts = await this.user(token, false);
    if (!facts) throw new ServiceError('Unauthenticated', 'The service token is not valid.');
    const roles = rolesOf(facts);
    const { serviceTokenRoles, serviceTokenRolesRequired } = this.settings;
    const trusted = serviceTokenRoles.some((role) => roles.includes(role.toLowerCase()));
    if (!trusted && serviceTokenRolesRequired) {
      throw new ServiceError(
        'Unauthenticated',
        `The service token has none of the roles ${serviceTokenRoles.join(', ')}.`,
      );
    }
    return { roles, trusted: trusted || !serviceTokenRolesRequired };
  }
}

function rolesOf(facts: TokenFacts): string[] {
  return (facts.roles ?? []).map(({ name }) => name.toLowerCase());
}

/** The path as the client sent it: access rules are written against the public API. */
function pathOf(request: FastifyRequest): string {
  return request.originalUrl.split('?')[0]!;
}
