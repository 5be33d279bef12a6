import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Transform } from 'node:stream';

/** A TCP proxy between two processes. A test can cut its connections, refuse new ones, or stop the data. */
export class TcpProxy {
  private readonly connections = new Set<ProxiedConnection>();
  private state: 'open' | 'refusing' | 'silent' = 'open';

  private constructor(
    private readonly server: Server,
    private target: URL,
    private readonly filter: (() => Transform) | undefined,
  ) {
    server.on('connection', (client) => this.connect(client));
  }

  /**
   * @param target the server, as a URL with a port
   * @param filter creates a filter for each connection, for the data from the server
   */
  static async start(target: string, filter?: () => Transform): Promise<TcpProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpProxy(server, new URL(target), filter);
  }

  /** The target's URL, with the host and port of this proxy. */
  get url(): string {
    const url = new URL(this.target);
    url.hostname = '127.0.0.1';
    url.port = String((this.server.address() as AddressInfo).port);
    return url.href;
  }

  /** Cuts all open connections. New connections work. */
  cut(): void {
    for (const connection of this.connections) connection.cut();
  }

  /** Cuts all open connections and refuses new ones. */
  refuse(): void {
    this.state = 'refusing';
    this.cut();
  }

  /** Forwards no more data. The connections stay open, so neither side notices. */
  silence(): void {
    this.state = 'silent';
    for (const connection of this.connections) connection.hold();
  }

  /** Ends every fault. Data that `silence` has held arrives now. */
  mend(): void {
    if (this.state === 'silent') for (const connection of this.connections) connection.forward();
    this.state = 'open';
  }

  /** Leads new connections to another server. Open connections stay as they are. */
  leadTo(target: string): void {
    this.target = new URL(target);
  }

  async stop(): Promise<void> {
    this.refuse();
    const closed = once(this.server, 'close');
    this.server.close();
    await closed;
  }

  private connect(client: Socket): void {
    if (this.state === 'refusing') {
      client.destroy();
      return;
    }
    const server = connect(Number(this.target.port), this.target.hostname);
    const onClose = () => this.connections.delete(connection);
    const connection = new ProxiedConnection(client, server, this.filter?.(), onClose);
    this.connections.add(connection);
    if (this.state === 'open') connection.forward();
  }
}

/** Two sockets, one to each side. When one closes, the other closes too. */
class ProxiedConnection {
  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    private readonly filter: Transform | undefined,
    onClose: () => void,
  ) {
    filter?.pipe(client);
    for (const socket of [client, server]) {
      // ignored, because a close event always follows
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.cut();
        onClose();
      });
    }
  }

  forward(): void {
    this.client.pipe(this.server);
    this.server.pipe(this.filter ?? this.client);
  }

  hold(): void {
    this.client.unpipe(this.server).pause();
    this.server.unpipe(this.filter ?? this.client).pause();
  }

  cut(): void {
    this.client.destroy();
    this.server.destroy();
  }
}
