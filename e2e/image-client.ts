import { json, type Reply, send } from './http.js';

/** What tests look at of an image. */
interface ImageView {
  readonly id: string;
  readonly name: string | null;
  readonly status: string;
  readonly size: number | null;
  readonly virtual_size: number | null;
  readonly checksum: string | null;
  readonly os_hash_algo: string | null;
  readonly os_hash_value: string | null;
}

export interface ImageClient {
  /** Registers an image that takes any bytes, and answers with its id. */
  create(attributes?: Readonly<Record<string, unknown>>): Promise<string>;
  show(id: string): Promise<Reply>;
  /** The image as shown; throws if it is not there. */
  image(id: string): Promise<ImageView>;
  /** All images. */
  list(): Promise<ImageView[]>;
  upload(id: string, body: Buffer | AsyncIterable<Uint8Array>, headers?: Record<string, string>): Promise<Reply>;
  download(id: string, headers?: Record<string, string>): Promise<Reply>;
  remove(id: string): Promise<Reply>;
}

/** The image API without a client in between, for what no client does. */
export function imageClient(url: string): ImageClient {
  const images = `${url}/v2/images`;
  const octets = { 'content-type': 'application/octet-stream' };
  const show = (id: string): Promise<Reply> => send('GET', `${images}/${id}`);
  return {
    async create(attributes = {}) {
      const body = JSON.stringify({ disk_format: 'raw', container_format: 'bare', ...attributes });
      const reply = await send('POST', images, { headers: { 'content-type': 'application/json' }, body });
      if (reply.status !== 201) throw new Error(`creating an image: ${reply.status} ${reply.body.toString()}`);
      return (json(reply) as ImageView).id;
    },
    show,
    async image(id) {
      const reply = await show(id);
      if (reply.status !== 200) throw new Error(`image ${id}: ${reply.status} ${reply.body.toString()}`);
      return json(reply) as ImageView;
    },
    async list() {
      const reply = await send('GET', `${images}?limit=1000`);
      return (json(reply) as { images: ImageView[] }).images;
    },
    upload: (id, body, headers = {}) =>
      send('PUT', `${images}/${id}/file`, { headers: { ...octets, ...headers }, body }),
    download: (id, headers = {}) => send('GET', `${images}/${id}/file`, { headers }),
    remove: (id) => send('DELETE', `${images}/${id}`),
  };
}
