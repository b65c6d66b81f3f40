import { createRequire } from 'node:module';
import { serveJobs } from './serve-jobs.js';

interface Fastify {
  get(path: string, handler: () => object): void;
  listen(options: { host: string; port: number }): Promise<string>;
  server: { address(): { port: number } };
}

// A dependency of the api, which must not get a second version here.
const api = new URL('../../../apps/api/package.json', import.meta.url);
const name = 'fastify';

/** Serves the object, as JSON, to every GET of `/`; answers with its port. The Fastify is the one that the api runs on. */
serveJobs(async (reply: object): Promise<number> => {
  const fastify = createRequire(api)(name) as () => Fastify;
  const app = fastify();
  app.get('/', () => reply);
  await app.listen({ host: '127.0.0.1', port: 0 });
  return app.server.address().port;
});
