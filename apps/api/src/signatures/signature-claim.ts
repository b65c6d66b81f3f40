import { type KeyObject, X509Certificate } from 'node:crypto';
import { type Image, ServiceError, type SigningCertificate } from '@glance/domain';
import type { SignatureClaim } from '@glance/store';

/** What the properties of an image say of its signature. */
export interface SignatureProperties {
  readonly signature: string;
  readonly hashMethod: string;
  readonly keyType: string;
  readonly certificate: string;
}

export const signatureProperties = [
  'img_signature',
  'img_signature_hash_method',
  'img_signature_key_type',
  'img_signature_certificate_uuid',
] as const;

/** Glance: an image is signed if it has all four; with fewer nobody looks. Undefined then. */
export function signatureOf({ properties }: Pick<Image, 'properties'>): SignatureProperties | undefined {
  const [signature, hashMethod, keyType, certificate] = signatureProperties.map((name) => properties[name]);
  const complete = typeof signature === 'string' && typeof hashMethod === 'string';
  if (!complete || typeof keyType !== 'string' || typeof certificate !== 'string') return undefined;
  return { signature, hashMethod, keyType, certificate };
}

export const refusal = (why: string): ServiceError =>
  new ServiceError('Invalid', `Signature verification for the image failed: ${why}`);

/** Digests by the names of the property; bytes. */
const hashes: Readonly<Record<string, { readonly name: string; readonly size: number }>> = {
  'SHA-224': { name: 'sha224', size: 28 },
  'SHA-256': { name: 'sha256', size: 32 },
  'SHA-384': { name: 'sha384', size: 48 },
  'SHA-512': { name: 'sha512', size: 64 },
};

/** OpenSSL's names of curves, by the names of key types: those with 384 bits at least, as cursive has them. */
const curves: Readonly<Record<string, string>> = {
  ECC_SECT571K1: 'sect571k1',
  ECC_SECT409K1: 'sect409k1',
  ECC_SECT571R1: 'sect571r1',
  ECC_SECT409R1: 'sect409r1',
  ECC_SECP521R1: 'secp521r1',
  ECC_SECP384R1: 'secp384r1',
};

const keyTypes = ['RSA-PSS', 'DSA', ...Object.keys(curves)];

/**
 * What is to be checked of the bytes of an image that is signed so, at the time `now` (milliseconds). Fails with `Invalid`
 * if properties and certificate make no sense, or do not fit each other; see OpenStack's cursive for what they mean.
 */
export function signatureClaim(
  { signature, hashMethod, keyType, certificate: id }: SignatureProperties,
  { pem }: SigningCertificate,
  now: number,
): SignatureClaim {
  const hash = hashes[hashMethod];
  if (!hash) throw refusal(`img_signature_hash_method is none of ${Object.keys(hashes).join(', ')}.`);
  if (!keyTypes.includes(keyType)) throw refusal(`img_signature_key_type is none of ${keyTypes.join(', ')}.`);
  const certificate = parse(pem, id);
  const [from, to] = [certificate.validFromDate, certificate.validToDate];
  if (+from > now || +to < now) {
    throw refusal(`the certificate ${id} is valid from ${from.toISOString()} to ${to.toISOString()}.`);
  }
  const { publicKey: key } = certificate;
  if (!fits(key, keyType)) throw refusal(`the key of the certificate ${id} is not of the type ${keyType}.`);
  const claim = {
    hash: hash.name,
    publicKey: key.export({ type: 'spki', format: 'pem' }) as string,
    signature: base64(signature),
  };
  if (keyType !== 'RSA-PSS') return claim;
  const saltLength = longestSalt(key, hash.size);
  if (saltLength < 0) throw refusal(`the key of the certificate ${id} is too small for ${hashMethod}.`);
  return { ...claim, saltLength };
}

function parse(pem: string, id: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw refusal(`the certificate ${id} is not in PEM, or not of X.509.`);
  }
}

function fits({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject, keyType: string): boolean {
  if (keyType === 'RSA-PSS') return type === 'rsa' || type === 'rsa-pss';
  if (keyType === 'DSA') return type === 'dsa';
  return type === 'ec' && details?.namedCurve === curves[keyType];
}

/** Glance: signs with the most salt that there is room for (RFC 8017, 9.1.1), and accepts no other. */
function longestSalt({ asymmetricKeyDetails: details }: KeyObject, digest: number): number {
  return Math.ceil(((details?.modulusLength ?? 0) - 1) / 8) - digest - 2;
}

function base64(text: string): Buffer {
  const packed = text.replace(/\s/g, '');
  if (packed !== '' && packed.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(packed)) {
    return Buffer.from(packed, 'base64');
  }
  throw refusal('img_signature is not in base64.');
}
