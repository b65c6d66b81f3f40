import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

const answers: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
  // Glance: a method that HTTP does not know.
  HPE_INVALID_METHOD: 501,
};

/** Answers what is not HTTP, on the bare socket: there is no request yet to answer to. */
export function malformedRequest(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status = answers[error.code ?? ''] ?? 400;
  const line = `${status} ${STATUS_CODES[status] ?? ''}`;
  const body = `${line}\n\nThe request is not understood.\n`;
  socket.end(
    `HTTP/1.1 ${line}\r\nConnection: close\r\nContent-Type: text/plain; charset=UTF-8\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  );
}
