import type { FastifyReply, FastifyRequest } from 'fastify';
import { awaitsContinue } from './expect-continue.js';
import { hasBody } from './has-body.js';

/** How much, in bytes and milliseconds, is read of a body that nobody wants. */
const limits = { bytes: 1024 ** 3, time: 30_000, step: 500 };

/**
 * Call it before an answer is sent that does not wait for the whole body. Clients read an answer only after they have
 * sent everything (python-requests), and an answer is lost if the connection is closed while bytes arrive: so what
 * still comes is read and thrown away for a while. Node does so by itself once the answer is out; this bounds it.
 */
export function drainBody(request: FastifyRequest, reply: FastifyReply): void {
  const { raw } = request;
  if (raw.complete || !hasBody(raw.headers)) return;
  if (awaitsContinue(raw)) {
    // Nobody knows whether this client sends its body now or the next request.
    reply.raw.shouldKeepAlive = false;
    return;
  }
  const { socket } = raw;
  const before = socket.bytesRead;
  // Node would close the connection with the answer, and what arrives then resets it.
  const closing = !reply.raw.shouldKeepAlive;
  reply.raw.shouldKeepAlive = true;
  reply.raw.once('finish', () => {
    const deadline = performance.now() + limits.time;
    const timer = setInterval(() => {
      if (performance.now() > deadline || socket.bytesRead - before > limits.bytes) socket.destroySoon();
    }, limits.step);
    const stop = (): void => {
      clearInterval(timer);
      socket.off('close', stop);
      if (closing) socket.end();
    };
    socket.once('close', stop);
    if (raw.complete) stop();
    else raw.once('end', stop).resume();
  });
}
