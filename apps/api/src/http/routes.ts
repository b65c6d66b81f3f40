import type { FastifyInstance } from 'fastify';

/** Which methods a path answers to. */
export class Routes {
  private readonly methods = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>();

  /** Takes down every route that is added from now on. */
  watch(fastify: FastifyInstance): void {
    fastify.addHook('onRoute', ({ url, method }) => {
      const entry = this.methods.get(url) ?? { pattern: patternOf(url), methods: new Set<string>() };
      for (const name of [method].flat()) entry.methods.add(name);
      this.methods.set(url, entry);
    });
  }

  /** The methods of the routes that `path` matches; none if there is no such path. */
  allowed(path: string): string[] {
    const found = [...this.methods.values()].filter(({ pattern }) => pattern.test(path));
    return [...new Set(found.flatMap(({ methods }) => [...methods]))].sort();
  }
}

function patternOf(url: string): RegExp {
  const segments = url.split('/').map((segment) => (segment.startsWith(':') ? '[^/]+' : RegExp.escape(segment)));
  return new RegExp(`^${segments.join('/')}$`);
}
