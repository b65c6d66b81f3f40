import { constants, createHash, createVerify, type Hash, type Verify } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

/** A signature that data is said to have. */
export interface SignatureClaim {
  /** A digest, by OpenSSL's name. */
  readonly hash: string;
  /** PEM. */
  readonly publicKey: string;
  readonly signature: Uint8Array;
  /** Bytes of salt: the signature is RSA-PSS with MGF1 of the same digest. */
  readonly saltLength?: number;
}

/** What is computed: a digest, or whether a signature fits. */
export type Computation = string | SignatureClaim;

/** One step of one digest. Each is answered by one `DigestReply`, in the order of the requests. */
export interface DigestRequest {
  readonly digest: number;
  readonly what: Computation;
  readonly step: 'update' | 'end' | 'drop';
  readonly memory?: SharedArrayBuffer;
  /** Bytes of `memory` that count. */
  readonly length?: number;
}

/** `value` answers `end`: hex of a digest, or `valid` or `invalid`. */
export interface DigestReply {
  readonly value?: string;
  readonly error?: string;
}

const running = new Map<number, Hash | Verify>();

function perform({ digest, what, step, memory, length }: DigestRequest): DigestReply {
  if (step === 'drop') {
    running.delete(digest);
    return {};
  }
  const hash = running.get(digest) ?? (typeof what === 'string' ? createHash(what) : createVerify(what.hash));
  if (step === 'end') {
    running.delete(digest);
    return { value: 'digest' in hash ? hash.digest('hex') : verdict(hash, what as SignatureClaim) };
  }
  running.set(digest, hash);
  if (memory) hash.update(new Uint8Array(memory, 0, length));
  return {};
}

function verdict(verify: Verify, { publicKey, signature, saltLength }: SignatureClaim): 'valid' | 'invalid' {
  const pss = saltLength === undefined ? {} : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
  try {
    return verify.verify({ key: publicKey, ...pss }, signature) ? 'valid' : 'invalid';
  } catch {
    // What is no signature at all fits nothing.
    return 'invalid';
  }
}

parentPort?.on('message', (request: DigestRequest) => {
  let reply: DigestReply;
  try {
    reply = perform(request);
  } catch (error) {
    reply = { error: String(error) };
  }
  parentPort?.postMessage(reply);
});
