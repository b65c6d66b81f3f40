import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const openssl = (...args: string[]): Buffer => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] });

/** A key and a certificate made by OpenSSL. */
export interface Signer {
  /** PEM. */
  readonly certificate: string;
  /** In base64, as users put it into `img_signature`. `salt`: how much, for RSA-PSS. */
  sign(data: Buffer, hashMethod: string, salt?: string): string;
}

/** Makes a signer whose key is of the type that `img_signature_key_type` calls so; valid for `days` from now. */
export function makeSigner(directory: string, keyType: string, { days = 2, name = keyType } = {}): Signer {
  const folder = join(directory, name);
  mkdirSync(folder);
  const at = (file: string): string => join(folder, file);
  const key = at('key.pem');
  if (keyType === 'RSA-PSS') openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', key);
  else if (keyType === 'DSA') {
    openssl('genpkey', '-genparam', '-algorithm', 'DSA', '-pkeyopt', 'dsa_paramgen_bits:1024', '-out', at('dsa'));
    openssl('genpkey', '-paramfile', at('dsa'), '-out', key);
  } else {
    const curve = keyType.replace('ECC_', '').toLowerCase();
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${curve}`, '-out', key);
  }
  openssl('req', '-new', '-key', key, '-subj', '/CN=signer', '-out', at('request'));
  openssl('x509', '-req', '-in', at('request'), '-signkey', key, '-days', String(days), '-out', at('certificate'));
  return {
    certificate: readFileSync(at('certificate'), 'utf8'),
    sign(data, hashMethod, salt = 'max') {
      writeFileSync(at('data'), data);
      const hash = `-${hashMethod.replace('-', '').toLowerCase()}`;
      const pss = ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', `rsa_pss_saltlen:${salt}`];
      return openssl('dgst', hash, '-sign', key, ...(keyType === 'RSA-PSS' ? pss : []), at('data')).toString('base64');
    },
  };
}
