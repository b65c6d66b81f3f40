import { type Image, type Logger, ServiceError, type SigningCertificate } from '@glance/domain';
import type { DigestTap, SignatureClaim } from '@glance/store';
import type { Certificates } from './certificates.js';
import { refusal, signatureClaim, signatureOf, signatureProperties } from './signature-claim.js';

interface SaidImage extends Pick<Image, 'properties'> {
  readonly id?: string;
}

/** Checks that images which are said to be signed are. */
export class Signatures {
  constructor(
    private readonly certificates: Certificates,
    private readonly logger: Logger,
  ) {}

  /**
   * The certificate that a signed image names; undefined for one that is not signed. Fails with `Invalid` if its
   * properties are wrong, or whoever has `token` has no such certificate.
   */
  async certificateFor(image: SaidImage, token: string | undefined): Promise<SigningCertificate | undefined> {
    const signature = signatureOf(image);
    if (!signature) {
      const some = signatureProperties.filter((name) => name in image.properties);
      // Glance: says nothing. Whoever misspelled one should have a chance to find out.
      if (some.length > 0) {
        const missing = signatureProperties.filter((name) => !some.includes(name));
        this.logger.warn('The signature of an image is not checked, for properties are missing.', {
          ...(image.id !== undefined && { imageId: image.id }),
          missing: missing.join(', '),
        });
      }
      return undefined;
    }
    const { certificate: id } = signature;
    if (!/^\w[\w-]{0,254}$/.test(id)) throw refusal('img_signature_certificate_uuid is not a UUID.');
    const certificate = { id, pem: await this.#find(id, token) };
    signatureClaim(signature, certificate, Date.now());
    return certificate;
  }

  async #find(id: string, token: string | undefined): Promise<string> {
    try {
      return await this.certificates.find(id, token);
    } catch (error) {
      throw error instanceof ServiceError && error.code === 'Invalid' ? refusal(error.message) : error;
    }
  }
}

/** What is to be checked of the bytes of `image`, whose certificate was found before; undefined if it is not signed. */
export function claimOf(image: Image, certificate: SigningCertificate | undefined): SignatureClaim | undefined {
  const signature = signatureOf(image);
  if (!signature) return undefined;
  if (certificate?.id === signature.certificate) return signatureClaim(signature, certificate, Date.now());
  throw refusal('the certificate that the image names was another one when its data began to arrive.');
}

/** Fails with `Invalid` unless the bytes that have passed `digest` have the signature that was claimed. */
export function assertSigned(digest: DigestTap<string>): void {
  if (!digest.signed()) {
    throw refusal(
      'the data does not have this signature. Sign the very bytes that are stored; with RSA-PSS, with the longest salt.',
    );
  }
}
