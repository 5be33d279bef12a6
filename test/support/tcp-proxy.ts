import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Transform } from 'node:stream';

/** A line between two processes that can break, in each of the ways that lines do. */
export class TcpProxy {
  private readonly lines = new Set<Line>();
  private state: 'open' | 'refusing' | 'silent' = 'open';

  private constructor(
    private readonly server: Server,
    private readonly target: URL,
    private readonly filter: (() => Transform) | undefined,
  ) {
    server.on('connection', (client) => this.connect(client));
  }

  /**
   * @param target where the line ends, as a URL with a port
   * @param filter of what comes from there, for each connection
   */
  static async start(target: string, filter?: () => Transform): Promise<TcpProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpProxy(server, new URL(target), filter);
  }

  /** The target's URL, by way of this line. */
  get url(): string {
    const url = new URL(this.target);
    url.hostname = '127.0.0.1';
    url.port = String((this.server.address() as AddressInfo).port);
    return url.href;
  }

  /** Breaks every connection there is; new ones work. */
  cut(): void {
    for (const line of this.lines) line.cut();
  }

  /** Breaks every connection, and takes no new one. */
  refuse(): void {
    this.state = 'refusing';
    this.cut();
  }

  /** Carries nothing any more, and says so to nobody. */
  silence(): void {
    this.state = 'silent';
    for (const line of this.lines) line.hold();
  }

  /** All is well; what was held arrives now. */
  mend(): void {
    if (this.state === 'silent') for (const line of this.lines) line.carry();
    this.state = 'open';
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
    const over = () => this.lines.delete(line);
    const line = new Line(client, server, this.filter?.(), over);
    this.lines.add(line);
    if (this.state === 'open') line.carry();
  }
}

/** One connection: two sockets, which end together. */
class Line {
  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    private readonly filter: Transform | undefined,
    over: () => void,
  ) {
    filter?.pipe(client);
    for (const socket of [client, server]) {
      // the close that follows says all there is to say
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.cut();
        over();
      });
    }
  }

  carry(): void {
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
