import type { Worker } from '../children.js';
import { type Run, percentile } from '../figures.js';
import { measure } from '../measure.js';
import { ImageApi, type Image, expect } from '../image-api.js';
import type { Target } from '../target.js';
import type { LoadJob, LoadResult } from '../workers/load.js';

/** How many images there are. */
export const IMAGES = 1000;

export type Load = Worker<LoadJob, LoadResult>;

/** Fills a service with images, and checks that they are all there; `run` is what that cost. */
export async function createImages(load: Load, target: Target): Promise<{ ids: readonly string[]; run: Run }> {
  const job: LoadJob = {
    host: target.host,
    port: target.port,
    connections: 8,
    requests: Array.from({ length: IMAGES }, (_, n) => post(target, imageBody(n))),
    seconds: 'once',
    expect: { status: 201 },
  };
  let ids: readonly string[] = [];
  const run = await loadRun(load, job, target, (result) => (ids = result.ids));
  await check(new ImageApi(target), ids);
  return { ids, run };
}

/** What one job cost whom. */
export async function loadRun(
  load: Load,
  job: LoadJob,
  whose: Pick<Target, 'pids' | 'servers'>,
  keep?: (result: LoadResult) => void,
): Promise<Run> {
  const { result, cpu, memory } = await measure(whose, () => load.call(job));
  keep?.(result);
  return {
    requests: result.requests,
    perSecond: result.requests / result.seconds,
    p50Ms: percentile(result.latencies, 0.5),
    p99Ms: percentile(result.latencies, 0.99),
    ...(whose.pids.length > 0 && { cpuMs: (cpu * 1000) / result.requests, memoryMiB: memory }),
    clientCpuMs: (result.clientCpuSeconds * 1000) / result.requests,
  };
}

/** Jobs for the images of `createImages`; how many connections, and for how long, is the caller's. */
export async function requestsOf(target: Target, ids: readonly string[]) {
  const { host, port } = target;
  const api = new ImageApi(target);
  const get = async (paths: readonly string[]) => ({
    host,
    port,
    seconds: 0,
    requests: paths.map((path) => `GET ${target.path}${path} HTTP/1.1\r\n${target.headers}\r\n`),
    expect: { status: 200, bytes: Buffer.byteLength(await api.text(paths[0]!)) },
  });
  return {
    show: await get(ids.map((id) => `/v2/images/${id}`)),
    list: await get(['/v2/images']),
    longList: await get([`/v2/images?limit=${IMAGES}`]),
    pair: {
      host,
      port,
      seconds: 0,
      requests: [post(target, imageBody(IMAGES))],
      expect: { status: 201 },
      then: `DELETE ${target.path}/v2/images/{id} HTTP/1.1\r\n${target.headers}\r\n`,
    },
  };
}

// All of the same length, so that every reply is.
function imageBody(n: number): object {
  return {
    name: `bench-${String(n).padStart(5, '0')}`,
    disk_format: 'qcow2',
    container_format: 'bare',
    tags: ['bench', `group-${n % 10}`],
    architecture: 'x86_64',
    hw_disk_bus: 'scsi',
    hw_qemu_guest_agent: 'yes',
    hw_scsi_model: 'virtio-scsi',
    os_distro: 'centos',
    os_version: '7.9',
  };
}

function post(target: Target, image: object): string {
  const body = JSON.stringify(image);
  const head = `POST ${target.path}/v2/images HTTP/1.1\r\n${target.headers}Content-Type: application/json\r\n`;
  return `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** What is fast but wrong does not count. */
async function check(api: ImageApi, ids: readonly string[]): Promise<void> {
  expect('the number of different ids', new Set(ids).size, IMAGES);
  for (const id of ids.slice(0, 20)) checkImage(await api.show(id));
  const page = JSON.parse(await api.text('/v2/images')) as { images: Image[]; next?: string };
  expect('the length of the first page', page.images.length, 25);
  expect('the type of "next" of the first page', typeof page.next, 'string');
  page.images.forEach(checkImage);
  const all = JSON.parse(await api.text(`/v2/images?limit=${IMAGES}`)) as { images: Image[] };
  const listed = new Set(all.images.map(({ id }) => id));
  expect('how many of the images the long list has', ids.filter((id) => listed.has(id)).length, IMAGES);
  all.images.forEach(checkImage);
}

function checkImage(image: Image): void {
  const n = Number(/^bench-(\d{5})$/.exec(String(image['name']))?.[1]);
  const { tags, ...rest } = imageBody(n) as { tags: string[] };
  for (const [key, value] of Object.entries(rest)) expect(`"${key}" of image ${image.id}`, image[key], value);
  expect(`the tags of image ${image.id}`, image.tags.toSorted().join(), tags.toSorted().join());
  expect(`the status of image ${image.id}`, image['status'], 'queued');
}
