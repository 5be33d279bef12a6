import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Duplex, type Transform } from 'node:stream';
import { type SlowLine } from './slow-line.js';

/** A TCP proxy between two processes. A test can cut its connections, refuse new ones, or stop the data. */
export class TcpProxy {
  /** When each connection was accepted, on the monotonic clock, milliseconds. */
  readonly accepted: number[] = [];
  private readonly connections = new Set<ProxiedConnection>();
  private state: 'open' | 'refusing' | 'silent' = 'open';

  private constructor(
    private readonly server: Server,
    private target: URL,
    private readonly filter: (() => Transform) | undefined,
    private readonly line: SlowLine | undefined,
  ) {
    server.on('connection', (client) => this.connect(client));
  }

  /**
   * @param target the server, as a URL with a port
   * @param filter creates a filter for each connection, for the data from the server
   * @param line carries the data of all connections
   */
  static async start(target: string, filter?: () => Transform, line?: SlowLine): Promise<TcpProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpProxy(server, new URL(target), filter, line);
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
    this.line?.silence();
    for (const connection of this.connections) connection.hold();
  }

  /** Ends every fault. Data that `silence` has held arrives now. */
  mend(): void {
    this.line?.mend();
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
    this.accepted.push(performance.now());
    const server = connect(Number(this.target.port), this.target.hostname);
    const onClose = () => this.connections.delete(connection);
    const ways = [this.line?.way(), this.line?.way()] as const;
    const connection = new ProxiedConnection(client, server, this.filter?.(), ways, onClose);
    this.connections.add(connection);
    if (this.state === 'open') connection.forward();
  }
}

/** Two sockets, one to each side. When one closes, the other closes too. */
class ProxiedConnection {
  /** The data from each side, and where it goes first. */
  private readonly pipes: readonly (readonly [from: Socket, to: Duplex])[];

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    filter: Transform | undefined,
    [up, down]: readonly [Transform | undefined, Transform | undefined],
    onClose: () => void,
  ) {
    const toClient = filter ?? client;
    filter?.pipe(client);
    up?.pipe(server);
    down?.pipe(toClient);
    this.pipes = [
      [client, up ?? server],
      [server, down ?? toClient],
    ];
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
    for (const [from, to] of this.pipes) from.pipe(to);
  }

  hold(): void {
    for (const [from, to] of this.pipes) from.unpipe(to).pause();
  }

  cut(): void {
    this.client.destroy();
    this.server.destroy();
  }
}
