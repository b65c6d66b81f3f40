import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

/** One step of one digest. Each is answered by one `DigestReply`, in the order of the requests. */
export interface DigestRequest {
  readonly digest: number;
  readonly algorithm: string;
  readonly step: 'update' | 'end' | 'drop';
  readonly memory?: SharedArrayBuffer;
  /** Bytes of `memory` that count. */
  readonly length?: number;
}

/** `hex` answers `end`. */
export interface DigestReply {
  readonly hex?: string;
  readonly error?: string;
}

const hashes = new Map<number, Hash>();

function perform({ digest, algorithm, step, memory, length }: DigestRequest): DigestReply {
  if (step === 'drop') {
    hashes.delete(digest);
    return {};
  }
  const hash = hashes.get(digest) ?? createHash(algorithm);
  if (step === 'end') {
    hashes.delete(digest);
    return { hex: hash.digest('hex') };
  }
  hashes.set(digest, hash);
  if (memory) hash.update(new Uint8Array(memory, 0, length));
  return {};
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
