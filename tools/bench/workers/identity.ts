import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serveJobs } from './serve-jobs.js';

/** Stands in for Keystone: every token is of the project whose name it is; that of `admin` is an administrator's. */
serveJobs(async (): Promise<number> => {
  const expires_at = new Date(Date.now() + 86_400_000).toISOString();
  const server = createServer((request, reply) => {
    const subject = request.headers['x-subject-token'];
    const id = typeof subject === 'string' ? subject : 'admin';
    const roles = ['member', 'reader', ...(id === 'admin' ? ['admin'] : [])].map((name) => ({ name }));
    const token = { expires_at, user: { id: 'bench' }, project: { id }, roles };
    reply.writeHead(request.method === 'POST' ? 201 : 200, { 'x-subject-token': id });
    reply.end(JSON.stringify({ token }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
});
