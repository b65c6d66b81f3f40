import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Logger, ServiceError } from '@glance/domain';
import type { TokenFacts } from '@glance/keystone';
import type { KeystoneSettings } from './keystone-options.js';
import { Memcached } from './memcached.js';

/** What Keystone said of a valid token, and until when that is believed, in milliseconds as `Date.now()`. */
export interface KnownToken {
  readonly facts: TokenFacts;
  readonly until: number;
}

type Settings = Pick<
  KeystoneSettings,
  | 'memcachedServers'
  | 'memcacheSecurityStrategy'
  | 'memcacheSecretKey'
  | 'memcachePoolSocketTimeout'
  | 'memcachePoolDeadRetry'
>;

/**
 * What all processes and hosts know of tokens, kept in memcached. Neither token nor, with ENCRYPT, what is known of it can
 * be read there, and with MAC or ENCRYPT nobody without the key can make one up. Under keys of our own: what
 * keystonemiddleware keeps has the catalogue, which other services need and we do not ask for.
 */
export class SharedTokens {
  private readonly servers: readonly { readonly address: string; readonly memcached: Memcached }[];
  private readonly secret: string;
  private readonly strategy: 'None' | 'MAC' | 'ENCRYPT';

  /** `Invalid` for settings that do not go together. */
  constructor(settings: Settings, logger: Logger) {
    const strategies = { none: 'None', mac: 'MAC', encrypt: 'ENCRYPT' } as const;
    this.strategy = strategies[settings.memcacheSecurityStrategy.toLowerCase() as keyof typeof strategies];
    this.secret = settings.memcacheSecretKey ?? '';
    if (this.strategy !== 'None' && this.secret === '') {
      throw new ServiceError(
        'Invalid',
        `[keystone_authtoken] memcache_security_strategy = ${this.strategy} needs a memcache_secret_key.`,
      );
    }
    const { memcachePoolSocketTimeout: timeout, memcachePoolDeadRetry: deadRetry } = settings;
    this.servers = settings.memcachedServers.map((address) => {
      try {
        const onChange = (answers: boolean): void => {
          if (answers) logger.info('A memcached answers again.', { address });
          else
            logger.warn(`A memcached does not answer: tokens are not looked up there for ${deadRetry} s.`, { address });
        };
        return { address, memcached: new Memcached(address, { timeout, deadRetry, onChange }) };
      } catch (error) {
        throw new ServiceError('Invalid', `[keystone_authtoken] memcached_servers: ${(error as Error).message}`);
      }
    });
  }

  /** What is known of a token; undefined if nothing is, or nothing that can be trusted. Never fails. */
  async get(token: string): Promise<KnownToken | undefined> {
    const keys = this.keysOf(token);
    const sealed = await this.serverOf(keys.name)?.get(keys.name);
    if (!sealed) return undefined;
    try {
      const known = JSON.parse(this.unsealed(sealed, keys).toString()) as KnownToken;
      const until = Math.min(known.until, Date.parse(known.facts.expires_at));
      return until > Date.now() ? { facts: known.facts, until } : undefined;
    } catch {
      // Something else stands there, or it was sealed with another key.
      return undefined;
    }
  }

  /** Tells the others, for as long as it is believed. Never fails. */
  async put(token: string, known: KnownToken): Promise<void> {
    const seconds = Math.floor((known.until - Date.now()) / 1000);
    // memcached: 0 is for ever.
    if (seconds < 1) return;
    const keys = this.keysOf(token);
    await this.serverOf(keys.name)?.set(keys.name, this.sealed(Buffer.from(JSON.stringify(known)), keys), seconds);
  }

  close(): void {
    for (const { memcached } of this.servers) memcached.close();
  }

  /** The same server for a key everywhere, and another one only for the keys of one that is dead. */
  private serverOf(key: string): Memcached | undefined {
    const rank = (address: string): string => createHash('sha256').update(`${address} ${key}`).digest('hex');
    const alive = this.servers.filter(({ memcached }) => memcached.alive);
    return alive.toSorted((a, b) => (rank(a.address) < rank(b.address) ? -1 : 1))[0]?.memcached;
  }

  /** As keystonemiddleware derives them (NIST SP 800-108): what it is stored under, what signs it, what encrypts it. */
  private keysOf(token: string): Keys {
    const digest = createHmac('sha384', this.secret).update(token).update(this.strategy).digest();
    const name = `glance-tokens/${digest.subarray(0, 16).toString('hex')}`;
    return { name, signing: digest.subarray(16, 32), encrypting: digest.subarray(32) };
  }

  private sealed(data: Buffer, { signing, encrypting }: Keys): Buffer {
    if (this.strategy === 'None') return data;
    if (this.strategy === 'MAC') return Buffer.concat([macOf(data, signing), data]);
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-128-gcm', encrypting, nonce);
    const hidden = Buffer.concat([cipher.update(data), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), hidden]);
  }

  private unsealed(sealed: Buffer, { signing, encrypting }: Keys): Buffer {
    if (this.strategy === 'None') return sealed;
    if (this.strategy === 'MAC') {
      const data = sealed.subarray(macLength);
      if (!timingSafeEqual(sealed.subarray(0, macLength), macOf(data, signing)))
        throw new Error('The signature is wrong.');
      return data;
    }
    const decipher = createDecipheriv('aes-128-gcm', encrypting, sealed.subarray(0, 12), { authTagLength: 16 });
    decipher.setAuthTag(sealed.subarray(12, 28));
    return Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]);
  }
}

interface Keys {
  readonly name: string;
  readonly signing: Buffer;
  readonly encrypting: Buffer;
}

const macLength = 48;
const macOf = (data: Buffer, key: Buffer): Buffer => createHmac('sha384', key).update(data).digest();
