import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** What a daemon answers to `command` on its admin socket; as `ceph daemon` does, but in a millisecond. */
export async function cephAdminSocket(path: string, command: string): Promise<object> {
  const socket = connect(path);
  socket.write(`${JSON.stringify({ prefix: command, format: 'json' })}\0`);
  const reply = await buffer(socket);
  // Four bytes before the reply tell how long it is; the daemon closes the connection after it anyway.
  return JSON.parse(reply.toString('utf8', 4)) as object;
}
