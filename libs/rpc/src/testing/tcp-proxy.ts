import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A TCP connection in two halves, to be cut, refused or stalled between two programs. */
export class TcpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #clients = new Set<Socket>();
  #stalled = false;

  private constructor(
    private readonly target: { readonly host: string; readonly port: number },
    private readonly port: number,
  ) {
    this.#server = createServer((client) => this.#join(client));
  }

  static async to(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    await once(probe, 'close');
    const proxy = new TcpProxy(target, port);
    await proxy.accept();
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async accept(): Promise<void> {
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** Ends all connections the hard way; new ones are accepted. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Ends all connections and accepts no new ones until `accept`. */
  async refuse(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  /** From now on everything is accepted and nothing is passed on. */
  stall(): void {
    this.#stalled = true;
    for (const socket of this.#sockets) socket.pause();
  }

  resume(): void {
    this.#stalled = false;
    for (const socket of this.#sockets) socket.resume();
  }

  /** Sends bytes to whoever connected here, as if they came from the other side. */
  inject(bytes: Uint8Array): void {
    for (const client of this.#clients) client.write(bytes);
  }

  async close(): Promise<void> {
    if (this.#server.listening) await this.refuse();
  }

  #join(client: Socket): void {
    const target = connect(this.target);
    this.#clients.add(client);
    client.on('close', () => this.#clients.delete(client));
    const pairs: readonly (readonly [Socket, Socket])[] = [
      [client, target],
      [target, client],
    ];
    for (const [from, to] of pairs) {
      this.#sockets.add(from);
      from.on('data', (data) => to.write(data));
      from.on('error', () => to.destroy());
      from.on('end', () => to.end());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      if (this.#stalled) from.pause();
    }
  }
}
