import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** The answered requests of one load. */
export interface LoadResult {
  /** From the first request to the last answer. */
  readonly seconds: number;
  /** Of each request, milliseconds. */
  readonly latencies: readonly number[];
}

const END_OF_HEADERS = '\r\n\r\n';

/**
 * Sends requests over open connections, each with one request at a time. A load ends when every request has its answer,
 * so it counts all of the work that the server has done. autocannon cannot do this: it cuts its connections at the end,
 * and it sends an `overallRate` as one burst per second.
 */
export class HttpLoad {
  private next = 0;

  private constructor(
    private readonly connections: readonly HttpConnection[],
    private readonly requests: readonly Buffer[],
  ) {}

  /** @param headers of the GET requests, which are sent in turns */
  static async open(
    url: string,
    path: string,
    headers: readonly Readonly<Record<string, string>>[],
    connections: number,
  ): Promise<HttpLoad> {
    const { host, hostname, port } = new URL(url);
    const requests = headers.map((own) => {
      const lines = Object.entries({ host, ...own }).map(([name, value]) => `${name}: ${value}\r\n`);
      return Buffer.from(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
    });
    const opened = Array.from({ length: connections }, () => HttpConnection.open(hostname, Number(port)));
    return new HttpLoad(await Promise.all(opened), requests);
  }

  /** A closed loop: each connection sends its next request as soon as it has the answer to the last one. */
  closedLoop(seconds: number): Promise<LoadResult> {
    const end = performance.now() + seconds * 1000;
    return this.run(() => {
      const now = performance.now();
      return now < end ? now : undefined;
    });
  }

  /**
   * A fixed rate: requests are due at even distances, whether or not the server has answered the earlier ones. A request
   * that finds no free connection waits for one. Its latency counts from the time when it was due.
   *
   * @param rate requests per second
   */
  fixedRate(seconds: number, rate: number): Promise<LoadResult> {
    const total = Math.round(seconds * rate);
    const began = performance.now();
    let taken = 0;
    return this.run(() => {
      if (taken >= total) return undefined;
      const due = began + (taken * 1000) / rate;
      taken += 1;
      return due;
    });
  }

  close(): void {
    for (const connection of this.connections) connection.close();
  }

  /** @param nextDue returns when the next request is due, as a time of `performance.now()`; undefined at the end */
  private async run(nextDue: () => number | undefined): Promise<LoadResult> {
    const latencies: number[] = [];
    const began = performance.now();
    await Promise.all(
      this.connections.map(async (connection) => {
        for (let due = nextDue(); due !== undefined; due = nextDue()) {
          await until(due);
          await connection.request(this.nextRequest());
          latencies.push(performance.now() - due);
        }
      }),
    );
    return { seconds: (performance.now() - began) / 1000, latencies };
  }

  private nextRequest(): Buffer {
    const request = this.requests[this.next % this.requests.length];
    this.next += 1;
    if (request === undefined) throw new Error('The load has no requests');
    return request;
  }
}

/** A connection to a server that answers with `Content-Length`. */
class HttpConnection {
  private received = '';
  private waiting: { readonly resolve: () => void; readonly reject: (reason: Error) => void } | undefined;

  private constructor(private readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.received += text;
      this.answerIfComplete();
    });
    socket.on('error', (error) => this.waiting?.reject(error));
    socket.on('close', () => this.waiting?.reject(new Error('The server has closed a connection')));
  }

  static async open(hostname: string, port: number): Promise<HttpConnection> {
    const socket = connect(port, hostname);
    await once(socket, 'connect');
    return new HttpConnection(socket);
  }

  /** @throws {Error} the answer is not a 200 */
  request(request: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(request);
    });
  }

  close(): void {
    this.waiting = undefined;
    this.socket.destroy();
  }

  private answerIfComplete(): void {
    const end = this.received.indexOf(END_OF_HEADERS);
    if (end < 0) return;
    const head = this.received.slice(0, end);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1]);
    if (this.received.length < end + END_OF_HEADERS.length + length) return;
    this.received = '';
    const { waiting } = this;
    this.waiting = undefined;
    if (head.startsWith('HTTP/1.1 200 ')) waiting?.resolve();
    else waiting?.reject(new Error(`The server answered ${head.slice(0, head.indexOf('\r'))}`));
  }
}

/** Resolves at this time of `performance.now()`, or up to a millisecond later. */
function until(time: number): Promise<void> | undefined {
  const left = time - performance.now();
  return left <= 0 ? undefined : new Promise((resolve) => setTimeout(resolve, left));
}
