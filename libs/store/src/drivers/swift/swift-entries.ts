import type { SwiftClient } from './swift-client.js';

/** What is in a container, or the containers of an account. */
export interface SwiftEntry {
  readonly name: string;
  readonly bytes: number;
  /** UTC; Ceph says so, Swift does not. Only of objects. */
  readonly last_modified?: string;
}

/** What an account or a container has whose names begin with `prefix`, in their order, a page at a time. */
export async function* swiftEntries(
  client: SwiftClient,
  url: string,
  prefix: string,
  signal: AbortSignal,
): AsyncIterable<SwiftEntry> {
  for (let marker = ''; ;) {
    const query = new URLSearchParams({ format: 'json', prefix, marker });
    const { body } = await client.ask({ method: 'GET', url: `${url}?${query.toString()}`, signal });
    const page = JSON.parse(body || '[]') as readonly SwiftEntry[];
    if (page.length === 0) return;
    yield* page;
    marker = page.at(-1)!.name;
  }
}
