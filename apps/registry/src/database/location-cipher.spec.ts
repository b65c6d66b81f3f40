import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { LocationCipher } from './location-cipher.js';

const keys = ['k'.repeat(16), 'schlüssel mit 24 byte..', '0123456789abcdef0123456789abcdef'];
const urls = [
  ...Array.from({ length: 18 }, (_, length) => `rbd://${'x'.repeat(length)}`),
  'swift+https://tenant%3Auser:geheim@keystone.example:5000/v3/glance/9f1d',
  'file:///var/lib/glance/größe/影像',
];

/** Glance's own functions (Debian's package python3-glance): `urlsafe_encrypt` or `urlsafe_decrypt` of each text. */
function byGlance(name: 'encrypt' | 'decrypt', key: string, texts: readonly string[]): string[] {
  const script =
    'import json, sys\nfrom glance.common import crypt\nname, key, texts = json.load(sys.stdin)\n' +
    'print(json.dumps([getattr(crypt, "urlsafe_" + name)(key, text) for text in texts]))';
  const input = JSON.stringify([name, key, texts]);
  return JSON.parse(execFileSync('/usr/bin/python3', ['-c', script], { input, encoding: 'utf8' })) as string[];
}

describe('the encryption of location URLs', () => {
  it.each(keys)('is read by Glance, and reads what Glance wrote, with the key "%s"', (key) => {
    const cipher = new LocationCipher(key);
    const sealed = urls.map((url) => cipher.seal(url));
    expect(sealed.join('')).toMatch(/^[\w=-]+$/);
    expect(sealed.map((value) => cipher.open(value))).toEqual(urls);
    expect(byGlance('decrypt', key, sealed)).toEqual(urls);
    expect(byGlance('encrypt', key, urls).map((value) => cipher.open(value))).toEqual(urls);
  });

  it('never writes the same twice, and nothing at all without a key', () => {
    const [url] = urls as [string];
    const cipher = new LocationCipher(keys[0]);
    expect(cipher.seal(url)).not.toBe(cipher.seal(url));
    expect(new LocationCipher().seal(url)).toBe(url);
  });

  it('leaves as it is what is not encrypted, or not with this key', () => {
    const cipher = new LocationCipher(keys[0]);
    const foreign = urls.map((url) => new LocationCipher(keys[2]).seal(url));
    for (const value of [...urls, ...foreign, 'c2VjcmV0', '', '!', cipher.seal(urls[0]!).slice(4)]) {
      expect(cipher.open(value)).toBe(value);
    }
    expect(new LocationCipher().open(foreign[0]!)).toBe(foreign[0]);
  });

  it('says which key is wrong, or missing', () => {
    const [, right, wrong] = keys.map((key) => new LocationCipher(key)) as [unknown, LocationCipher, LocationCipher];
    const value = right.seal(urls[0]!);
    right.assertOpens(value);
    wrong.assertOpens(urls[0]!);
    expect(() => wrong.assertOpens(value)).toThrow('set it to that one');
    expect(() => new LocationCipher().assertOpens(value)).toThrow('set [DEFAULT] metadata_encryption_key');
  });
});
