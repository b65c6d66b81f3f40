import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InvalidTransportUrl, parseTransportUrl } from './transport-url.js';

/** As Python's `quote(text, safe='')`, which writes these URLs. */
const quote = (text: string) =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);

const parts = (text: string) =>
  parseTransportUrl(text).hosts.map(({ hostname, port, username, password }) => [hostname, port, username, password]);

describe('a transport URL', () => {
  test('names several hosts, each with its own credentials', () => {
    expect(parts('rabbit://a:b@h1:5673,c:d@h2:5674/v')).toEqual([
      ['h1', 5673, 'a', 'b'],
      ['h2', 5674, 'c', 'd'],
    ]);
  });

  test('uses the credentials of the host before where a host has none', () => {
    expect(parts('rabbit://a:b@h1,h2,c:d@h3,h4/')).toEqual([
      ['h1', 5672, 'a', 'b'],
      ['h2', 5672, 'a', 'b'],
      ['h3', 5672, 'c', 'd'],
      ['h4', 5672, 'c', 'd'],
    ]);
  });

  test('means guest on this machine where it says nothing', () => {
    expect(parts('rabbit://')).toEqual([['localhost', 5672, 'guest', 'guest']]);
    expect(parts('rabbit://h')).toEqual([['h', 5672, 'guest', 'guest']]);
    expect(parts('rabbit://u:p@/')).toEqual([['localhost', 5672, 'u', 'p']]);
    expect(parts('rabbit://u@h:/')).toEqual([['h', 5672, 'u', '']]);
  });

  test('takes IPv6 addresses in brackets', () => {
    expect(parts('rabbit://u:p@[::1]:5673,u:p@[fe80::2]/')).toEqual([
      ['::1', 5673, 'u', 'p'],
      ['fe80::2', 5672, 'u', 'p'],
    ]);
  });

  test('splits at the last @ and the first colon, and leaves a bare % alone', () => {
    expect(parts('rabbit://user@domain:p:w%zz@h/')).toEqual([['h', 5672, 'user@domain', 'p:w%zz']]);
  });

  test.each([
    ['rabbit://h', '/'],
    ['rabbit://h/', '/'],
    ['rabbit://h//', '/'],
    ['rabbit://h/%2F', '/'],
    ['rabbit://h/openstack', 'openstack'],
    ['rabbit://h//openstack', '/openstack'],
    ['rabbit://h/%2Fopen%2Fstack/x', '/open/stack/x'],
    ['rabbit://h/100%25', '100%'],
    ['rabbit://h/v?ssl=1', 'v'],
  ])('%s names the virtual host %s', (url, virtualHost) => {
    expect(parseTransportUrl(url).virtualHost).toBe(virtualHost);
  });

  test('carries options of the rabbit group', () => {
    expect(parseTransportUrl('rabbit://h/v?ssl=1&ssl_ca_file=%2Fetc%2Fca.pem').query).toEqual({
      ssl: '1',
      ssl_ca_file: '/etc/ca.pem',
    });
  });

  test('fake:// needs no host', () => {
    expect(parseTransportUrl('fake://').transport).toBe('fake');
    expect(parseTransportUrl('fake:///').hosts).toEqual([]);
  });

  test.each([
    ['kafka://h:9092/', /kafka:\/\/ is not supported/],
    ['amqp://h:5672/', /AMQP 1\.0/],
    ['h:5672', /rabbit:\/\//],
    ['rabbit:/h', /rabbit:\/\//],
    ['rabbit://u:secret@h:99999/', /port from 1 to 65535/],
    ['rabbit://u:secret@h:port/', /rabbit:\/\//],
    ['rabbit://u:secret@[::1/', /brackets/],
    ['rabbit://u:secret@::1/', /brackets/],
    ['rabbit://u:secret/x@h/', /%2F/],
  ])('%s is refused with what would be right, and without its password', (url, message) => {
    const parse = () => parseTransportUrl(url);
    expect(parse).toThrow(InvalidTransportUrl);
    expect(parse).toThrow(message);
    expect(parse).not.toThrow(/secret/);
  });

  const host = fc.record({
    hostname: fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()),
    port: fc.option(fc.integer({ min: 1, max: 65_535 })),
    username: fc.string({ unit: 'grapheme', minLength: 1 }),
    password: fc.string({ unit: 'grapheme' }),
  });

  test('gives back every host, user, password and virtual host that was quoted into it', () => {
    fc.assert(
      fc.property(fc.array(host, { minLength: 1 }), fc.string({ unit: 'grapheme', minLength: 1 }), (hosts, vhost) => {
        const netloc = hosts.map(({ hostname, port, username, password }) => {
          const name = hostname.includes(':') ? `[${hostname}]` : hostname;
          return `${quote(username)}:${quote(password)}@${name}${port === null ? '' : `:${port}`}`;
        });
        const url = parseTransportUrl(`rabbit://${netloc.join(',')}/${quote(vhost)}`);
        expect(url.virtualHost).toBe(vhost);
        expect(url.hosts.map((each) => [each.hostname, each.port, each.username, each.password])).toEqual(
          hosts.map((each) => [each.hostname, each.port ?? 5672, each.username, each.password]),
        );
      }),
    );
  });

  test('never shows a password, however it is printed', () => {
    const secret = fc.stringMatching(/^[A-Z]{12}$/);
    fc.assert(
      fc.property(secret, secret, (first, second) => {
        const url = parseTransportUrl(`rabbit://a:${first}@h1,b:${second}@h2/v?ssl=1`);
        for (const shown of [
          url.toString(),
          inspect(url),
          JSON.stringify({ url }),
          inspect(url.hosts),
          JSON.stringify(url.hosts),
        ]) {
          expect(shown).not.toContain(first);
          expect(shown).not.toContain(second);
        }
        expect(url.toString()).toBe('rabbit://a:***@h1:5672,b:***@h2:5672/v?ssl=1');
      }),
    );
  });

  test('takes any text without another error than its own', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `rabbit://${text}`),
        ),
        (text) => {
          try {
            parseTransportUrl(text);
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidTransportUrl);
          }
        },
      ),
    );
  });
});
