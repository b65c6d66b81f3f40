import type { IncomingMessage, Server, ServerResponse } from 'node:http';

const waiting = new WeakSet<IncomingMessage>();

/**
 * Lets a client that asks (`Expect: 100-continue`) wait until its body is wanted: whoever reads a body says so with
 * `wantBody`, and a request that is refused before never sends it.
 */
export function deferContinue(server: Server): void {
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waiting.add(request);
    server.emit('request', request, response);
  });
}

/** Tells a waiting client to send the body now. */
export function wantBody(request: IncomingMessage, response: ServerResponse): void {
  if (waiting.delete(request)) response.writeContinue();
}

/** Whether the client still waits to be told whether its body is wanted. */
export function awaitsContinue(request: IncomingMessage): boolean {
  return waiting.has(request);
}
