import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Endpoint } from '../connection.js';
import { ImageApi, expect } from '../image-api.js';
import type { Target } from '../target.js';
import { BARE, NGINX } from './data-verdicts.js';

/** Where bytes go to or come from: a service, or a yardstick. */
export interface Peer extends Endpoint {
  readonly name: string;
  readonly headers: string;
  readonly pids: readonly number[];
  readonly servers?: readonly number[];
  readonly receives: boolean;
  readonly sends: boolean;
  /** Absent for a yardstick. */
  readonly target?: Target;
  /** Makes a place for each stream. */
  open(streams: number): Promise<string[]>;
  /** Fails unless each place holds all the bytes of an upload. */
  check(paths: readonly string[]): Promise<void>;
  remove(paths: readonly string[]): Promise<void>;
}

/** What the service must say about an image. */
export interface Digests {
  readonly md5: string;
  readonly sha512: string;
}

/** An image for each stream; the service itself says what it received. */
export function service(target: Target, bytes: number, { md5, sha512 }: Digests): Peer {
  const { name, host, port, headers, pids, servers = [] } = target;
  const api = new ImageApi(target);
  const idOf = (path: string) => path.split('/').at(-2)!;
  return {
    ...{ name, host, port, headers, pids, servers, target, receives: true, sends: true },
    async open(streams) {
      const image = { name: 'bench-data', disk_format: 'raw', container_format: 'bare' };
      const images = await Promise.all(Array.from({ length: streams }, () => api.create(image)));
      return images.map(({ id }) => `${target.path}/v2/images/${id}/file`);
    },
    async check(paths) {
      for (const id of paths.map(idOf)) {
        // Elsewhere it would be another disk that is measured, and not ours to fill.
        if (target.imageDirectory !== undefined) {
          expect(`the size of the file of image ${id}`, await sizeOf(join(target.imageDirectory, id)), bytes);
        }
        const image = await api.show(id);
        expect(`the status of image ${id}`, image['status'], 'active');
        expect(`the size of image ${id}`, image['size'], bytes);
        expect(`the md5 of image ${id}`, image['checksum'], md5);
        if (image['os_hash_algo'] === 'sha512') expect(`the sha512 of image ${id}`, image['os_hash_value'], sha512);
      }
    },
    async remove(paths) {
      for (const id of paths.map(idOf)) await api.delete(id);
    },
  };
}

/** A file for each stream; sizes are looked at when the file goes. */
export function bareReceiver(port: number, pid: number, bytes: number): Peer {
  return {
    ...local(BARE, port, pid),
    receives: true,
    sends: false,
    open: (streams) => Promise.resolve(Array.from({ length: streams }, (_, n) => `/received-${n}`)),
    check: () => Promise.resolve(),
    async remove(paths) {
      for (const path of paths) {
        const reply = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'DELETE' });
        expect('the size of what the bare receiver wrote', await reply.text(), String(bytes));
      }
    },
  };
}

/** The same file for every stream. */
export function fileServer(port: number, pid: number): Peer {
  return {
    ...local(NGINX, port, pid),
    receives: false,
    sends: true,
    open: (streams) => Promise.resolve(Array.from({ length: streams }, () => '/pattern')),
    check: () => Promise.resolve(),
    remove: () => Promise.resolve(),
  };
}

function local(name: string, port: number, pid: number) {
  return { name, host: '127.0.0.1', port, headers: `Host: 127.0.0.1:${port}\r\n`, pids: [pid] };
}

async function sizeOf(path: string): Promise<number> {
  const { size } = await stat(path).catch(() => {
    throw new Error(`The service does not keep its images where it was told to: there is no ${path}.`);
  });
  return size;
}
