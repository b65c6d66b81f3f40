import { type Socket, connect } from 'node:net';
import { ResponseReader } from './response-reader.js';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface Reply {
  readonly status: number;
  readonly body: Buffer;
}

/** Milliseconds in which something must happen on a connection. */
export const PATIENCE = 120_000;

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/**
 * One keep-alive connection that sends requests as bytes made beforehand, one at a time. It does next to nothing per
 * request, because it runs on the processors of the server that it measures.
 */
export class Connection {
  readonly #endpoint: Endpoint;
  readonly #reader: ResponseReader;
  #socket: Socket | undefined;
  #waiting: Waiting | undefined;
  #body: Buffer[] = [];

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.#reader = new ResponseReader((piece) => this.#body.push(piece));
  }

  send(request: string): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket ??= this.#open();
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #open(): Socket {
    const socket = connect({ ...this.#endpoint, noDelay: true });
    socket.setTimeout(PATIENCE, () => socket.destroy(new Error(`No answer within ${PATIENCE / 1000} s.`)));
    const lost = (error: Error) => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#waiting?.reject(error);
    };
    socket.on('data', (piece) => this.#received(piece));
    socket.on('error', lost);
    socket.on('close', () => lost(new Error('The server closed the connection in the middle of a reply.')));
    return socket;
  }

  #received(piece: Buffer): void {
    try {
      if (!this.#reader.push(piece)) return;
    } catch (error) {
      this.#waiting?.reject(error as Error);
      this.close();
      return;
    }
    const body = this.#body.length === 1 ? this.#body[0]! : Buffer.concat(this.#body);
    const waiting = this.#waiting;
    this.#body = [];
    this.#waiting = undefined;
    if (this.#reader.closes) this.close();
    waiting?.resolve({ status: this.#reader.status, body });
  }
}
