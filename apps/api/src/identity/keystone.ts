import { anonymousCaller, type Caller, ServiceError } from '@glance/domain';
import { KeystoneClient, type TokenFacts } from '@glance/keystone';
import type { FastifyRequest } from 'fastify';
import { allowedBy } from './access-rules.js';
import type { Identity } from './identity.js';
import type { KeystoneSettings } from './keystone-options.js';
import { single, tokenOf } from './token-of.js';
import { TokenCache } from './token-cache.js';

/** Refused tokens are remembered this long, in milliseconds: a client in a loop must not become Keystone's problem. */
const refusalLifetime = 10_000;

/** Callers are whom Keystone says their token belongs to. */
export class KeystoneIdentity implements Identity {
  readonly challenge: string;
  private readonly client: KeystoneClient;
  private readonly tokens: TokenCache<TokenFacts | undefined>;
  private readonly expiredTokens: TokenCache<TokenFacts | undefined>;

  constructor(
    private readonly settings: KeystoneSettings,
    private readonly allowAnonymous: boolean,
  ) {
    this.client = new KeystoneClient({ ...settings, group: '[keystone_authtoken]' });
    this.challenge = `Keystone uri="${settings.wwwAuthenticateUri ?? settings.authUrl ?? ''}"`;
    const longest = settings.tokenCacheTime * 1000;
    this.tokens = new TokenCache((facts) =>
      facts ? Math.min(longest, Date.parse(facts.expires_at) - Date.now()) : Math.min(longest, refusalLifetime),
    );
    this.expiredTokens = new TokenCache(() => Math.min(longest, refusalLifetime));
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
  }

  private async user(token: string, allowExpired: boolean): Promise<TokenFacts | undefined> {
    const facts = await this.tokens.get(token, () => this.client.validate(token, false));
    if (facts || !allowExpired) return facts;
    return this.expiredTokens.get(token, () => this.client.validate(token, true));
  }

  /** Who passes the request on. A service token that is not accepted fails the request, as a user's does. */
  private async service(token: string | undefined): Promise<{ roles: string[]; trusted: boolean } | undefined> {
    if (token === undefined) return undefined;
    const facts = await this.tokens.get(token, () => this.client.validate(token, false));
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
